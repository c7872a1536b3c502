"""`enter`: a receipt, signed only for what the stage admits by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stagepass.bundle import Bundle
from stagepass.clock import format_time
from stagepass.policy.store import load_directory
from tests.cli.conftest import Result, Shop
from tests.policy.signed import (
    FLOOR,
    emergency,
    full_evidence,
    key,
    receipt,
    revocation_list,
    write_shop,
)
from tests.world import DAY, HOUR, IMAGE, NOW, signer, stored, write_policy

SATURDAY = NOW + 2 * DAY
HERE = ["--stage", "production", "--cluster", "prod-eu", "--namespace", "shop"]


@pytest.fixture
def full(shop: Shop) -> Shop:
    """The shop in full, with everything that production asks for."""
    write_shop(shop.root)
    stored(shop.evidence, full_evidence())
    return shop


def enter(shop: Shop, by: str, *arguments: str, now: datetime = NOW) -> Result:
    """Into the evidence directory, checked against the policy."""
    return shop.run(
        *("enter", str(IMAGE), "--key", shop.key(by), "--policy", str(shop.policy)),
        *("--evidence", f"dir:{shop.evidence}", "--now", format_time(now), "--output", "json"),
        *arguments,
    )


def newest(shop: Shop, before: list[Path]) -> dict[str, Any]:
    """The predicate of the one bundle that was not there before."""
    (path,) = set(shop.bundles()) - set(before)
    found: dict[str, Any] = json.loads(Bundle.parse(path.read_bytes()).envelope.payload)
    return dict(found["predicate"])


def production(shop: Shop, now: datetime, *cluster: str) -> int:
    """The exit code of `verify` at that time, by default in prod-eu."""
    where = cluster or ("prod-eu",)
    place = ["--cluster", *where, "--namespace", "shop"]
    return shop.decide(
        "verify", str(IMAGE), "--stage", "production", *place, now=format_time(now)
    ).code


def test_what_entered_restarts_in_its_place_when_nothing_new_may_enter(full: Shop) -> None:
    assert [production(full, now) for now in (NOW, SATURDAY)] == [0, 1]
    assert enter(full, "prod-eu", *HERE).code == 0

    assert [production(full, now) for now in (NOW, SATURDAY, NOW + 29 * DAY)] == [0, 0, 0]
    assert [production(full, now) for now in (NOW + 30 * DAY, NOW + 90 * DAY)] == [1, 1]
    assert production(full, SATURDAY, "prod-us") == 1


def test_a_receipt_says_where_when_and_by_what_it_was_let_in(full: Shop) -> None:
    before = full.bundles()
    assert enter(full, "prod-eu", *HERE, "--valid-for", "7d").code == 0
    predicate = newest(full, before)

    assert (predicate["pipeline"], predicate["stage"]) == ("shop", "production")
    assert predicate["environment"] == {"clusterName": "prod-eu", "namespace": "shop"}
    assert predicate["entered"] == format_time(NOW)
    assert predicate["expires"] == format_time(NOW + 7 * DAY)
    assert predicate["policy"]["digest"]["sha256"] == load_directory(full.policy).revision
    assert len(predicate["inputAttestations"]) == 2


def test_the_uid_that_the_policy_gives_is_filled_in(shop: Shop) -> None:
    write_shop(
        shop.root,
        {"pipeline.stages.2.clusters": [{"name": "prod-eu", "uid": "6f1c-7"}, "prod-us"]},
    )
    stored(shop.evidence, full_evidence())
    before = shop.bundles()
    assert enter(shop, "prod-eu", *HERE).code == 0

    assert newest(shop, before)["environment"]["cluster"] == "6f1c-7"
    assert production(shop, SATURDAY) == 0


def test_without_a_policy_everything_is_said_by_hand(full: Shop) -> None:
    by_hand = ["--pipeline", "shop", "--cluster-uid", "6f1c-7"]
    before = full.bundles()
    result = full.run(
        *("enter", str(IMAGE), "--key", full.key("prod-eu"), *HERE, *by_hand),
        *("--evidence", f"dir:{full.evidence}", "--now", format_time(NOW)),
    )

    assert result.code == 0
    predicate = newest(full, before)
    assert predicate["environment"]["cluster"] == "6f1c-7"
    assert "policy" not in predicate
    assert production(full, SATURDAY) == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--stage", "production"], "a pass names its pipeline and cluster"),
        (["--stage", "production", "--pipeline", "shop"], "a pass names its pipeline and cluster"),
        (
            ["--stage", "production", "--pipeline", "shop", "--cluster", "prod-eu"],
            "a receipt names its namespace (give --namespace, or --policy)",
        ),
        ([*HERE, "--pipeline", ""], "pipeline is missing"),
        ([*HERE, "--pipeline", "shop", "--cluster", ""], "clusterName is missing"),
        (["--pipeline", "shop"], "--stage"),
    ],
)
def test_an_incomplete_command_signs_nothing(full: Shop, arguments: list[str], reason: str) -> None:
    before = full.bundles()
    result = full.run(
        *("enter", str(IMAGE), "--key", full.key("prod-eu"), *arguments),
        *("--evidence", f"dir:{full.evidence}"),
    )

    assert (result.code, full.bundles()) == (64, before)
    assert reason in result.err


@pytest.mark.parametrize("by", ["prod-us", "staging-cluster", "alice", "stranger"])
def test_a_key_that_may_not_sign_for_the_place_is_refused(full: Shop, by: str) -> None:
    before = full.bundles()
    result = enter(full, by, *HERE)

    assert (result.code, full.bundles()) == (1, before)
    assert [v["code"] for v in result.line["violations"]] == ["SIGNER_UNKNOWN"]


def test_a_revoked_key_is_refused(full: Shop) -> None:
    entry = {"kind": "Revocations", "file": "list.json", "from": ["security"]}
    public = full.root / "prod-eu.pub"
    public.write_bytes(signer("prod-eu").public_pem)
    write_shop(full.root, {}, entry)
    revoke = ["--key", full.key("security"), "--public-key", str(public), "--reason", "stolen"]
    target = full.policy / "list.json"
    assert full.run("revoke", str(target), *revoke, "--now", format_time(NOW)).code == 0

    assert enter(full, "prod-eu", *HERE).code == 1
    assert production(full, NOW) == 0


@pytest.mark.parametrize("enforcement", ["enforce", "audit"])
def test_what_the_stage_does_not_admit_gets_no_receipt_whatever_is_enforced(
    shop: Shop, enforcement: str
) -> None:
    write_shop(shop.root, {"pipeline.stages.2.enforcement": enforcement})
    stored(shop.evidence, full_evidence()[:4])
    before = shop.bundles()
    result = enter(shop, "prod-eu", *HERE)

    assert (result.code, shop.bundles()) == (1, before)
    assert result.line["decision"] == "denied"


@pytest.mark.parametrize("command", ["enter", "attest"])
def test_what_is_admitted_by_break_glass_alone_is_never_signed_for(
    shop: Shop, command: str
) -> None:
    """Nothing is laundered: neither a receipt nor a pass makes an emergency ordinary."""
    write_shop(shop.root)
    stored(shop.evidence, [emergency()])
    before = shop.bundles()
    assert production(shop, NOW) == 0
    result = shop.run(
        *(command, str(IMAGE), "--key", shop.key("prod-eu"), "--policy", str(shop.policy), *HERE),
        *("--evidence", f"dir:{shop.evidence}", "--now", format_time(NOW), "--output", "json"),
    )

    assert (result.code, shop.bundles()) == (1, before)
    (violation,) = result.line["violations"]
    assert violation["code"] == "BREAK_GLASS"


@pytest.mark.parametrize("command", ["enter", "attest"])
def test_what_is_admitted_with_an_exemption_is_never_signed_for(shop: Shop, command: str) -> None:
    exemption = {
        "namespaces": ["shop"],
        "images": ["registry.example.com/**"],
        "reason": "x",
        "expires": format_time(NOW + DAY),
    }
    write_shop(shop.root, {"defaults.exempt": [exemption]}, FLOOR)
    stored(shop.evidence, full_evidence())
    before = shop.bundles()
    assert production(shop, NOW) == 0
    result = shop.run(
        *(command, str(IMAGE), "--key", shop.key("prod-eu"), "--policy", str(shop.policy), *HERE),
        *("--evidence", f"dir:{shop.evidence}", "--now", format_time(NOW), "--output", "json"),
    )

    assert (result.code, shop.bundles()) == (1, before)
    assert [v["code"] for v in result.line["violations"]] == ["EXEMPT"]


def test_what_only_a_receipt_lets_stay_can_be_passed(full: Shop) -> None:
    """It is not excused: it met everything when it entered."""
    stored(full.evidence, [receipt()])
    place = ["--cluster", "prod-eu", "--namespace", "shop"]
    attested = full.run(
        *("attest", str(IMAGE), "--key", full.key("prod-eu"), "--policy", str(full.policy)),
        *("--evidence", f"dir:{full.evidence}", "--now", format_time(SATURDAY)),
        *("--stage", "production", *place),
    )

    assert attested.code == 0


def test_when_it_cannot_be_found_out_nothing_is_signed(full: Shop) -> None:
    before = full.bundles()
    result = full.run(
        *("enter", str(IMAGE), "--key", full.key("prod-eu"), "--policy", str(full.policy)),
        *("--evidence", "registry", "--offline", "--output", "json", *HERE),
    )

    assert (result.code, full.bundles()) == (2, before)


def test_a_receipt_is_renewed_before_its_key_is_rotated(full: Shop) -> None:
    """Signed anew with the time of entry, by the key that comes after."""
    assert enter(full, "prod-eu", *HERE).code == 0
    keys = [key("stranger", "prod-eu", clusters=["prod-eu"])]
    rotated = {
        "attestors.prod-clusters": {"keys": keys},
        "pipeline.stages.2.clusters": ["prod-eu"],
    }
    write_shop(full.root, rotated)
    assert production(full, SATURDAY) == 1

    assert enter(full, "stranger", *HERE, now=NOW).code == 0
    assert production(full, SATURDAY) == 0


def test_at_a_closed_window_nothing_enters_and_the_real_clock_is_asked(shop: Shop) -> None:
    today = datetime.now(UTC)
    closed = {"deny": f"{today:%a} 00:00 - {today + 2 * DAY:%a} 00:00", "timezone": "UTC"}
    write_policy(
        shop.policy,
        {
            "pipeline.stages.0.windows": [closed],
            "pipeline.stages.0.requires.0.attestation.from": ["ci"],
        },
    )
    shop.prove()
    where = ["--evidence", f"dir:{shop.evidence}", "--policy", str(shop.policy)]
    result = shop.run(
        *("enter", str(IMAGE), "--key", shop.key("test-cluster"), "--stage", "test", *where),
        *("--output", "json"),
    )

    assert result.code == 1
    assert [v["code"] for v in result.line["violations"]] == ["WINDOW_CLOSED"]


def test_an_empty_list_of_revocations_signs_as_before(full: Shop) -> None:
    entry = {"kind": "Revocations", "file": "list.json", "from": ["security"]}
    write_shop(full.root, {}, entry)
    (full.policy / "list.json").write_bytes(revocation_list(expires=NOW + HOUR))

    assert enter(full, "prod-eu", *HERE).code == 0
