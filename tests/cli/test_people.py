"""`approve` and `break-glass`; and that every command `explain` prints does what it says."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stagepass.bundle import Bundle
from stagepass.clock import format_time, parse_time
from stagepass.predicates.members import APPROVAL, BREAK_GLASS
from tests.cli.conftest import Result, Shop
from tests.policy.signed import full_evidence, policy, write_shop
from tests.world import DAY, DIGEST, HOUR, IMAGE, NOW, stored, verified

HERE = ["--stage", "production", "--pipeline", "shop"]
PLACE = ["--namespace", "shop"]


@pytest.fixture
def full(shop: Shop) -> Shop:
    """The shop in full."""
    write_shop(shop.root)
    return shop


def signing(shop: Shop, command: str, key: str, *arguments: str) -> Result:
    """`approve` (at NOW) or `break-glass` (which has no `--now`), into the evidence directory."""
    now = ["--now", format_time(NOW)] if command == "approve" else []
    where = ["--evidence", f"dir:{shop.evidence}", "--output", "json"]
    return shop.run(command, str(IMAGE), "--key", shop.key(key), *arguments, *where, *now)


def predicate(shop: Shop) -> dict[str, Any]:
    """Of the only bundle there is."""
    (path,) = shop.bundles()
    found: dict[str, Any] = json.loads(Bundle.parse(path.read_bytes()).envelope.payload)
    return dict(found["predicate"])


def test_an_approval_says_what_was_asked_for_and_no_more(full: Shop) -> None:
    result = signing(full, "approve", "alice", *HERE, "--reason", "release 45")

    assert (result.code, result.line["predicateType"]) == (0, APPROVAL)
    assert predicate(full) == {
        "decision": "APPROVED",
        "scope": {"pipeline": "shop", "stage": "production"},
        "reason": "release 45",
        "timeApproved": format_time(NOW),
        "expires": format_time(NOW + 2 * DAY),
        "critical": [],
    }


def test_an_approval_can_be_narrowed_and_lasts_as_long_as_it_is_told(full: Shop) -> None:
    narrow = ["--cluster", "prod-us", "--cluster", "prod-eu", "--namespace", "shop-blue"]
    assert signing(full, "approve", "bob", *HERE, *narrow, "--valid-for", "3h").code == 0

    assert predicate(full)["scope"] == {
        "pipeline": "shop",
        "stage": "production",
        "clusters": ["prod-eu", "prod-us"],
        "namespaces": ["shop-blue"],
    }
    assert predicate(full)["expires"] == format_time(NOW + 3 * HOUR)


def test_two_owners_open_production_and_one_with_two_keys_does_not(full: Shop) -> None:
    evidence = full_evidence()
    stored(full.evidence, [*evidence[:3], evidence[5]])
    admitted = []
    for name in ("alice", "alice-laptop", "bob"):
        policy_directory = ["--policy", str(full.policy)]
        where = ["--stage", "production", *policy_directory]
        assert signing(full, "approve", name, *where).code == 0
        admitted.append(full.verify("production", *PLACE).code)

    assert admitted == [1, 1, 0]


def test_a_policy_fills_the_pipeline_in_and_knows_the_places(full: Shop) -> None:
    known = ["--policy", str(full.policy), "--stage", "production"]

    assert signing(full, "approve", "alice", *known, "--namespace", "shop-x").code == 0
    for wrong, text in (
        (["--cluster", "staging"], "'staging' is no cluster of stage 'production'"),
        (["--namespace", "shopping"], "'shopping' is no namespace of stage 'production'"),
        (["--pipeline", "shp"], "no pipeline is called 'shp'"),
    ):
        result = signing(full, "approve", "alice", *known, *wrong)
        assert (result.code, text in result.err) == (64, True)
    assert len(full.bundles()) == 1


@pytest.mark.parametrize("command", ["approve", "break-glass"])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--stage", "production"], "a pipeline is missing (give --pipeline, or --policy"),
        (["--pipeline", "shop"], "--stage"),
        ([*HERE, "--valid-for", "soon"], "'soon' is not a duration"),
        ([*HERE, "--stage", ""], "stage"),
    ],
)
def test_an_incomplete_command_signs_nothing(
    full: Shop, command: str, arguments: list[str], reason: str
) -> None:
    why = ["--reason", "x"]
    result = signing(full, command, "carol", *arguments, *why)

    assert (result.code, full.bundles()) == (64, [])
    assert reason in result.err


def test_a_tag_is_not_approved_because_tags_move(full: Shop) -> None:
    result = full.run(
        *("approve", f"{IMAGE.name}:1.2", "--key", full.key("alice"), *HERE),
        *("--evidence", f"dir:{full.evidence}"),
    )

    assert (result.code, "tags move" in result.err) == (64, True)


def test_break_glass_wants_a_reason(full: Shop) -> None:
    for arguments in (HERE, [*HERE, "--reason", ""]):
        result = signing(full, "break-glass", "carol", *arguments)
        assert (result.code, full.bundles()) == (64, [])


def test_break_glass_has_no_other_clock_than_the_real_one(full: Shop) -> None:
    result = signing(
        full, "break-glass", "carol", *HERE, "--reason", "x", "--now", format_time(NOW)
    )

    assert (result.code, "--now" in result.err) == (64, True)


def test_break_glass_is_signed_at_the_real_now_for_an_hour(full: Shop) -> None:
    why = ["--reason", "checkout is down", "--incident", "https://example.com/7"]
    before = datetime.now(UTC)
    assert signing(full, "break-glass", "carol", *HERE, *why).code == 0
    signed = predicate(full)
    issued = parse_time(signed["issued"])

    assert abs((issued - before).total_seconds()) < 30
    assert parse_time(signed["expires"]) - issued == HOUR
    assert (signed["reason"], signed["incident"]) == ("checkout is down", "https://example.com/7")
    found = verified(policy(), [full.bundles()[0].read_bytes()])
    assert found.attestations[0].statement.predicate_type == BREAK_GLASS


@pytest.mark.parametrize(("valid_for", "code"), [("1h", 0), ("4h", 0), ("5h", 1)])
def test_break_glass_opens_the_stage_and_verify_tells_why(
    full: Shop, valid_for: str, code: int
) -> None:
    why = ["--reason", "checkout is down", "--valid-for", valid_for]
    assert signing(full, "break-glass", "carol", *HERE, *why).code == 0
    result = full.decide(
        *("verify", str(IMAGE), "--stage", "production", *PLACE), now=format_time(datetime.now(UTC))
    )

    assert result.code == code
    if code == 0:
        assert result.line["notes"] == ["BREAK_GLASS"]
        (warning,) = result.line["warnings"]
        assert warning.startswith("break-glass by carol for shop/production until ")
        assert warning.endswith(": checkout is down")


@pytest.mark.parametrize(
    ("command", "key", "stage", "rest"),
    [
        ("approve", "carol", "production", []),
        ("approve", "alice", "staging", []),
        ("break-glass", "alice", "production", ["--reason", "r"]),
        ("break-glass", "carol", "staging", ["--reason", "r"]),
    ],
)
def test_a_policy_signs_nothing_that_could_never_count(
    full: Shop, command: str, key: str, stage: str, rest: list[str]
) -> None:
    """In an emergency nobody has the time to find out that it was signed in vain."""
    known = ["--policy", str(full.policy), "--stage", stage]
    result = signing(full, command, key, *known, *rest)

    (violation,) = result.line["violations"]
    assert (result.code, violation["code"]) == (1, "SIGNER_UNKNOWN")
    assert full.bundles() == []


def test_a_policy_signs_no_break_glass_that_is_too_long_to_count(full: Shop) -> None:
    known = ["--policy", str(full.policy), "--stage", "production", "--reason", "r"]

    result = signing(full, "break-glass", "carol", *known, "--valid-for", "5h")
    assert (result.code, "--valid-for 5h is over maxDuration 4h" in result.err) == (64, True)
    assert full.bundles() == []
    assert signing(full, "break-glass", "carol", *known, "--valid-for", "4h").code == 0


SIGNERS = {
    "--stage test ": ["test-cluster"],
    "--stage staging ": ["staging-cluster"],
    "approve ": ["alice", "bob"],
    "vuln/v1": ["scanner"],
    "'a b'": ["scanner"],
}


def commands(shop: Shop, *arguments: str) -> list[str]:
    """What `explain` says would mend it."""
    options = ["--policy", str(shop.policy), "--evidence", f"dir:{shop.evidence}"]
    now = ["--now", format_time(NOW)]
    result = shop.run("explain", str(IMAGE), *arguments, *options, *now, "--offline")
    return [
        line.removeprefix("to fix: ")
        for line in result.out.splitlines()
        if line.startswith("to fix: ")
    ]


def perform(shop: Shop, command: str, report: Path) -> None:
    """Run it as a shell would, with the words in capitals filled in, by everybody who may."""
    program, *words = shlex.split(command)
    assert program == "stagepass"
    (names,) = [names for part, names in SIGNERS.items() if part in f"{command} "]
    for name in names:
        filled = {"KEY": shop.key(name), "FILE": str(report)}
        times = iter([format_time(NOW - DAY), format_time(NOW)])
        done = [next(times) if w == "TIME" else filled.get(w, w) for w in words]
        where = ["--evidence", f"dir:{shop.evidence}", "--now", format_time(NOW)]
        assert shop.run(*done, *where).code == 0, command


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pipeline.stages.0.clusters": [{"name": "test", "uid": "6f1c-7"}]},
        {"pipeline.stages.1.clusters": [{"name": "staging", "uid": "$(id) 7"}]},
        {"pipeline.stages.2.requires.1.attestation.predicateType": "it's 'a b'"},
        {"pipeline.stages.0.clusters": ["test; true", "x y"]},
        {"pipeline.metadata.name": "my $shop"},
        {"pipeline.stages.2.after.0.clusters": "any"},
    ],
)
def test_running_the_commands_that_explain_prints_opens_the_stage(
    shop: Shop, changes: dict[str, Any]
) -> None:
    """Names are of the author's choice: a shell must read them as they were meant."""
    write_shop(shop.root, changes)
    report = shop.root / "report.json"
    dated = {"scanFinishedOn": format_time(NOW)}
    report.write_text(json.dumps({"scanner": {"result": {"critical": []}}, "metadata": dated}))
    where = ["--stage", "production", *PLACE]

    first = commands(shop, *where)
    assert len(first) == 5 if "x y" in str(changes) else len(first) == 4
    for command in first:
        perform(shop, command, report)
    for command in commands(shop, *where):  # a pass without a watch is there, and now has to soak
        assert command.endswith(" --observed-from TIME --observed-to TIME")
        perform(shop, command, report)

    assert commands(shop, *where) == []
    assert shop.verify("production", *PLACE).code == 0
    assert all(DIGEST.hex in command for command in first)
