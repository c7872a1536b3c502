"""Identities with --type and --policy, and what a certificate's own life decides."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stagepass.clock import format_time
from tests.cli.conftest import Result
from tests.cli.identities import ISSUER, SUBJECT, Keyless, keyless_shop
from tests.world import PROVENANCE

MINUTE = timedelta(minutes=1)
COMMANDS = [("attest", "test"), ("enter", "test"), ("approve", "staging")]


def write(ci: Keyless, root: bytes | None = None, **more: str) -> None:
    """The policy of the shop, with a Baseline that asks for provenance by its identity."""
    ci.write_policy(root=root, **more)
    need = {"name": "built", "from": ["ci"], "predicateType": PROVENANCE, "where": "predicate.ok"}
    floor = {
        "apiVersion": "stagepass.dev/v1",
        "kind": "Baseline",
        "metadata": {"name": "floor"},
        "images": ["**"],
        "namespaces": ["*"],
        "requires": [{"attestation": need}],
    }
    (ci.policy / "floor.yaml").write_text(json.dumps(floor))


def predicate(ci: Keyless, ok: bool = True) -> Path:
    path = ci.shop.root / "predicate.json"
    path.write_text(json.dumps({"ok": ok}))
    return path


def claim(ci: Keyless, ok: bool = True) -> Result:
    what = ["--type", PROVENANCE, "--predicate", str(predicate(ci, ok))]
    return ci.sign("attest", *what, "--policy", str(ci.policy))


def logged(ci: Keyless) -> int:
    return len([r for r in ci.server.requests if r.path.endswith("/log/entries")])


def test_what_its_requirement_asks_for_is_signed(ci: Keyless) -> None:
    write(ci)
    result = claim(ci)

    assert (result.code, result.line["identity"]["subject"]) == (0, SUBJECT)
    assert len(ci.shop.bundles()) == 1


def test_an_identity_that_no_requirement_names_enters_no_log(ci: Keyless) -> None:
    write(ci, subject=SUBJECT.replace("main", "release"))
    result = claim(ci)

    assert (result.code, logged(ci), ci.shop.bundles()) == (1, 0, [])
    (violation,) = result.line["violations"]
    assert (violation["code"], violation["requirement"]) == ("SIGNER_UNKNOWN", "floor: built")
    wanted = f"wanted: {ISSUER} {SUBJECT.replace('main', 'release')}"
    assert all(text in violation["message"] for text in (SUBJECT, wanted))


def test_a_false_condition_enters_no_log(ci: Keyless) -> None:
    write(ci)
    result = claim(ci, ok=False)

    assert (result.code, logged(ci), ci.shop.bundles()) == (1, 0, [])
    assert result.line["violations"][0]["code"] == "CONDITION_FALSE"


def test_a_type_that_nobody_asks_for_costs_no_certificate(ci: Keyless) -> None:
    result = claim(ci)

    assert (result.code, ci.server.requests, ci.shop.bundles()) == (64, [], [])


def test_a_certificate_that_no_root_of_the_set_backs_is_not_stored(ci: Keyless) -> None:
    with keyless_shop(ci.shop) as other:
        write(ci, root=ci.server.sigstore.trusted_root())
        result = claim(other)

    assert (result.code, result.err, ci.shop.bundles()) == (1, "", [])
    (violation,) = result.line["violations"]
    assert violation["code"] == "SIGNER_UNKNOWN"
    assert "trust root" in violation["message"]


@pytest.mark.parametrize(("command", "stage"), COMMANDS)
@pytest.mark.parametrize("name", ["validUntil", "validFrom"])
def test_an_entry_that_ends_or_begins_within_the_certificate_signs_nothing(
    ci: Keyless, command: str, stage: str, name: str
) -> None:
    """As the gate would count it: valid at every moment at which it may have been signed (V13)."""
    now = datetime.now(UTC)
    edges = {"validUntil": now + 5 * MINUTE, "validFrom": now + MINUTE}
    ci.write_policy(**{name: format_time(edges[name])})
    asked = ["--stage", stage, "--policy", str(ci.policy)]
    result = ci.sign(command, *asked)

    assert (result.code, logged(ci), ci.shop.bundles()) == (1, 0, [])
    (violation,) = result.line["violations"]
    assert violation["code"] == "SIGNER_UNKNOWN"
    assert "all the time" in violation["message"]


def test_the_same_of_a_break_glass_and_of_a_prune(ci: Keyless) -> None:
    ci.write_policy(validUntil=format_time(datetime.now(UTC) + 5 * MINUTE))
    asked = ["--stage", "staging", "--policy", str(ci.policy)]
    out = ci.shop.root / "approval.jsonl"
    prune = ["--pipeline", "shop", "--prune", f"sha256:{'ab' * 32}", "--out", str(out)]
    glass = ci.sign("break-glass", *asked, "--reason", "down")
    pruned = ci.shop.run("approve", *asked, *ci.identity(), *prune)

    assert (glass.code, pruned.code) == (1, 64)
    assert "all the time" in glass.line["violations"][0]["message"]
    assert "all the time" in pruned.err
    assert (logged(ci), ci.shop.bundles(), out.exists()) == (0, [], False)


def test_the_same_of_another_predicate(ci: Keyless) -> None:
    write(ci, validUntil=format_time(datetime.now(UTC) + 5 * MINUTE))
    result = claim(ci)

    assert (result.code, logged(ci), ci.shop.bundles()) == (1, 0, [])
    assert result.line["violations"][0]["code"] == "SIGNER_UNKNOWN"


def test_what_the_command_refuses_the_gate_would_not_count(ci: Keyless) -> None:
    """Signed without --policy, so that the gate alone judges."""
    write(ci)
    what = ["--type", PROVENANCE, "--predicate", str(predicate(ci))]
    assert ci.sign("attest", *what).code == 0
    assert ci.verify("test").code == 0

    write(ci, validUntil=format_time(datetime.now(UTC) + 5 * MINUTE))
    denied = ci.verify("test")
    assert denied.code == 1
    assert "SIGNER_UNKNOWN" in denied.out


@pytest.mark.parametrize("away", [-6 * MINUTE, 6 * MINUTE], ids=["past", "future"])
@pytest.mark.parametrize("has_policy", [False, True], ids=["alone", "policy"])
@pytest.mark.parametrize(("command", "stage"), COMMANDS)
def test_a_certificate_counts_at_its_real_time_so_now_is_no_other(
    ci: Keyless, away: timedelta, has_policy: bool, command: str, stage: str
) -> None:
    now = format_time(datetime.now(UTC) + away)
    where = ["--pipeline", "shop"] + (["--cluster", "test"] if command != "approve" else [])
    where += ["--namespace", "shop"] if command == "enter" else []
    policy = ["--policy", str(ci.policy)] if has_policy else []
    result = ci.sign(command, "--stage", stage, *where, *policy, "--now", now)

    assert (result.code, ci.server.requests, ci.shop.bundles()) == (64, [], [])
    assert "--now" in result.err
    assert "5 minutes" in result.err


@pytest.mark.parametrize("away", [-4 * MINUTE, 4 * MINUTE], ids=["past", "future"])
def test_as_far_as_clocks_may_differ_now_may_be_given(ci: Keyless, away: timedelta) -> None:
    now = format_time(datetime.now(UTC) + away)
    where = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]

    assert ci.sign("attest", *where, "--now", now).code == 0
