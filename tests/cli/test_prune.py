"""`approve --prune`: what people sign to let an applier delete what is protected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stagepass.clock import format_time
from stagepass.digest import Digest
from stagepass.predicates.members import APPROVAL
from tests.cli.conftest import Result, Shop
from tests.policy.signed import policy, write_shop
from tests.world import DAY, IMAGE, NOW, verified

DIGEST = Digest.of(b"a set of objects")
HERE = ["--stage", "production", "--pipeline", "shop"]


@pytest.fixture
def full(shop: Shop) -> Shop:
    write_shop(shop.root)
    return shop


def file(shop: Shop) -> Path:
    return shop.root / "deploy" / ".stagepass" / "prune-approval.sigstore.json"


def approving(shop: Shop, key: str, *arguments: str) -> Result:
    return shop.run(
        *("approve", "--prune", str(DIGEST), "--key", shop.key(key), "--now", format_time(NOW)),
        *("--out", str(file(shop)), *arguments),
    )


def test_approvals_gather_in_the_file_one_bundle_a_line(full: Shop) -> None:
    first = approving(full, "alice", *HERE, "--reason", "moved", "--output", "json")
    second = approving(full, "bob", *HERE, "--cluster", "prod-eu", "--output", "json")

    assert (first.code, first.line["approvals"]) == (0, 1)
    assert (second.code, second.line["approvals"]) == (0, 2)
    lines = file(full).read_bytes().splitlines()
    found = verified(policy(), lines, DIGEST).attestations
    assert [each.owner for each in found] == ["alice", "bob"]
    assert {each.statement.predicate_type for each in found} == {APPROVAL}
    assert dict(found[0].statement.predicate) == {
        "decision": "APPROVED",
        "scope": {"pipeline": "shop", "stage": "production"},
        "reason": "moved",
        "timeApproved": format_time(NOW),
        "expires": format_time(NOW + 2 * DAY),
        "critical": [],
    }
    assert found[1].statement.predicate["scope"]["clusters"] == ["prod-eu"]


def test_with_the_policy_nothing_is_signed_that_would_not_count(full: Shop) -> None:
    given = ["--policy", str(full.policy)]

    assert approving(full, "alice", *HERE, *given).code == 0
    before = file(full).read_bytes()
    for key, *where in (
        ("carol", *HERE),
        ("alice", "--stage", "nowhere", "--pipeline", "shop"),
        ("alice", "--stage", "staging", "--pipeline", "shop"),
        ("alice", *HERE, "--cluster", "test"),
    ):
        assert approving(full, key, *where, *given).code == 64
    assert file(full).read_bytes() == before


@pytest.mark.parametrize(
    "more",
    [
        [str(IMAGE)],
        ["--evidence", "dir:x"],
        ["--offline"],
        ["--inline"],
        ["--namespace", "shop"],
    ],
)
def test_options_of_images_are_refused(full: Shop, more: list[str]) -> None:
    assert approving(full, "alice", *HERE, *more).code == 64
    assert not file(full).exists()


def test_what_is_missing_is_said(full: Shop) -> None:
    key = ["--key", full.key("alice"), *HERE]

    assert "IMAGE" in full.run("approve", *key).err
    assert "--out" in full.run("approve", "--prune", str(DIGEST), *key).err
    assert "pipeline" in approving(full, "alice", "--stage", "production").err
    assert full.run("approve", str(IMAGE), *key, "--out", str(file(full))).code == 64
    bad = full.run("approve", "--prune", "sha256:12", *key, "--out", str(file(full)))
    assert (bad.code, file(full).exists()) == (64, False)


def test_a_file_that_is_full_takes_no_more(full: Shop) -> None:
    file(full).parent.mkdir(parents=True)
    file(full).write_text(f"{json.dumps({})}\n" * 50)

    assert approving(full, "alice", *HERE).code == 64
    assert len(file(full).read_text().splitlines()) == 50
