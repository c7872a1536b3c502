"""`enter --renew`: a receipt prolonged, with the time of its entry."""

from __future__ import annotations

import pytest

from stagepass.clock import format_time
from stagepass.predicates.revocation import Entry
from tests.cli.conftest import Shop
from tests.cli.test_enter import HERE, SATURDAY, enter, newest, production
from tests.policy.signed import (
    ARTIFACT,
    full_evidence,
    key,
    receipt,
    revocation_list,
    revocation_of,
    write_shop,
)
from tests.world import DAY, HOUR, IMAGE, NOW, OTHER_DIGEST, stored

LATER = NOW + 29 * DAY


@pytest.fixture
def full(shop: Shop) -> Shop:
    """The shop in full, with everything that production asks for."""
    write_shop(shop.root)
    stored(shop.evidence, full_evidence())
    return shop


def test_a_receipt_is_renewed_with_the_time_of_its_entry(full: Shop) -> None:
    assert enter(full, "prod-eu", *HERE).code == 0
    before = full.bundles()
    assert enter(full, "prod-eu", *HERE, "--renew", "--valid-for", "9d", now=LATER).code == 0
    predicate = newest(full, before)

    assert predicate["entered"] == format_time(NOW)
    assert predicate["expires"] == format_time(LATER + 9 * DAY)
    assert predicate["environment"] == {"clusterName": "prod-eu", "namespace": "shop"}
    assert [production(full, NOW + n * DAY) for n in (30, 37)] == [0, 0]
    assert production(full, NOW + 38 * DAY) == 1


def test_of_several_receipts_the_newest_entry_is_kept(full: Shop) -> None:
    entries = [NOW - 3 * HOUR, NOW - HOUR, NOW - 2 * HOUR]
    stored(full.evidence, [receipt(entered=at, expires=NOW + DAY) for at in entries])
    before = full.bundles()
    assert enter(full, "prod-eu", *HERE, "--renew").code == 0

    assert newest(full, before)["entered"] == format_time(NOW - HOUR)


def test_the_next_key_of_the_place_renews_what_the_last_one_signed(full: Shop) -> None:
    """So a key is rotated, or revoked, without stranding what entered by it."""
    assert enter(full, "prod-eu", *HERE).code == 0
    entries = [key(name, "prod-eu", clusters=["prod-eu"]) for name in ("prod-eu", "stranger")]
    both = {
        "attestors.prod-clusters": {"keys": entries},
        "pipeline.stages.2.clusters": ["prod-eu"],
    }
    write_shop(full.root, both)
    assert enter(full, "stranger", *HERE, "--renew", now=SATURDAY).code == 0
    write_shop(full.root, {**both, "attestors.prod-clusters": {"keys": entries[1:]}})

    assert production(full, SATURDAY) == 0


@pytest.mark.parametrize(
    ("bundles", "code"),
    [
        ([], "REQUIREMENT_MISSING"),
        ([receipt(expires=NOW)], "EXPIRED"),
        ([receipt(expires=NOW - HOUR, entered=NOW - DAY)], "EXPIRED"),
        ([receipt(entered=NOW + HOUR)], "REQUIREMENT_MISSING"),
        (list(map(receipt, ("prod-us", "staging-cluster", "stranger"))), "REQUIREMENT_MISSING"),
        ([receipt(changes={"environment.namespace": "shop-b"})], "REQUIREMENT_MISSING"),
        ([receipt(changes={"environment.clusterName": "prod-us"})], "REQUIREMENT_MISSING"),
        ([receipt(changes={"stage": "staging"})], "REQUIREMENT_MISSING"),
        ([receipt(changes={"critical": ["unheard-of"]})], "REQUIREMENT_MISSING"),
        ([receipt(digest=OTHER_DIGEST)], "REQUIREMENT_MISSING"),
    ],
)
def test_without_a_valid_receipt_of_its_own_place_nothing_is_renewed(
    full: Shop, bundles: list[bytes], code: str
) -> None:
    stored(full.evidence, bundles)
    before = full.bundles()
    result = enter(full, "prod-eu", *HERE, "--renew")

    assert (result.code, full.bundles()) == (1, before)
    assert [v["code"] for v in result.line["violations"]] == [code]


@pytest.mark.parametrize("entry", [revocation_of(receipt()), ARTIFACT])
def test_what_is_revoked_is_never_renewed(full: Shop, entry: Entry) -> None:
    write_shop(full.root, {}, {"kind": "Revocations", "file": "list.json", "from": ["security"]})
    (full.policy / "list.json").write_bytes(revocation_list(entry))
    stored(full.evidence, [receipt()])
    before = full.bundles()
    result = enter(full, "prod-eu", *HERE, "--renew")

    assert (result.code, full.bundles()) == (1, before)
    assert [v["code"] for v in result.line["violations"]] == ["REVOKED"]


def test_what_the_stage_no_longer_admits_even_with_its_receipt_is_not_renewed(full: Shop) -> None:
    stored(full.evidence, [receipt()])
    need = {"name": "x", "from": ["scanner"], "predicateType": "https://example.com/x"}
    write_shop(full.root, {"pipeline.stages.2.requires.2": {"attestation": need}})
    before = full.bundles()

    assert (enter(full, "prod-eu", *HERE, "--renew").code, full.bundles()) == (1, before)


def test_which_receipts_are_valid_only_a_policy_says(full: Shop) -> None:
    result = full.run(
        *("enter", str(IMAGE), "--key", full.key("prod-eu"), *HERE, "--renew"),
        *("--pipeline", "shop", "--evidence", f"dir:{full.evidence}"),
    )

    assert (result.code, "--renew needs --policy" in result.err) == (64, True)


def test_a_receipt_that_another_source_may_hold_leaves_undetermined(full: Shop) -> None:
    before = full.bundles()
    result = full.run(
        *("enter", str(IMAGE), "--key", full.key("prod-eu"), "--policy", str(full.policy), *HERE),
        *("--renew", "--offline", "--evidence", f"dir:{full.evidence}", "--evidence", "registry"),
        *("--now", format_time(NOW)),
    )

    assert (result.code, full.bundles()) == (2, before)
    assert "--offline: registry.example.com was not asked" in result.err
