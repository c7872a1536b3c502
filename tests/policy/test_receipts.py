"""*Entry and stay*: what a receipt excuses, for whom, and what it never does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.stage import Place
from tests.policy.signed import full_evidence, key, receipt, scan, shop
from tests.world import (
    DAY,
    DROP,
    HOUR,
    NOW,
    OTHER_DIGEST,
    PROD_EU,
    PROD_US,
    SECOND,
    codes,
    judged,
)

SHOP = shop()
EVIDENCE = full_evidence()
SATURDAY = NOW + timedelta(days=2, hours=11)
"""Within the window of production; NOW is a Thursday noon."""
LATER = NOW + 60 * DAY
"""Everything in EVIDENCE has expired, and is stale."""


def admitted(bundles: list[bytes], now: datetime = SATURDAY, place: Place = PROD_EU) -> bool:
    return judged(SHOP, [*EVIDENCE, *bundles], place, now=now).answer is Answer.ADMITTED


def test_a_receipt_lets_what_entered_restart_within_a_window_and_after_everything_expired() -> None:
    for now in (SATURDAY, LATER, NOW + 3650 * DAY):
        assert not admitted([], now)
        assert admitted([receipt()], now)


def test_the_violations_are_those_at_now_where_no_receipt_admits() -> None:
    """A receipt of a moment at which it was not admitted either changes nothing about the answer."""
    useless = receipt(entered=NOW + DAY + 5 * HOUR)
    at_now = judged(SHOP, EVIDENCE, now=LATER)

    assert judged(SHOP, [*EVIDENCE, useless], now=LATER) == at_now
    assert {"EXPIRED", "STALE"} < set(codes(at_now))


@pytest.mark.parametrize(
    "changes",
    [
        {"pipeline": "other"},
        {"pipeline": DROP},
        {"stage": "staging"},
        {"stage": DROP},
        {"environment.clusterName": "prod-us"},
        {"environment.clusterName": DROP},
        {"environment.namespace": "shop-blue"},
        {"environment.namespace": "*"},
        {"environment.namespace": DROP},
        {"environment": DROP},
        {"entered": DROP},
        {"entered": "Thursday"},
        {"entered": format_time(SATURDAY + timedelta(seconds=301))},
        {"expires": format_time(SATURDAY)},
        {"expires": None},
        {"critical": ["unheard"]},
    ],
)
def test_a_checked_field_that_is_wrong_makes_the_receipt_not_count(changes: dict[str, Any]) -> None:
    assert not admitted([receipt(changes=changes)])


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": format_time(SATURDAY + SECOND)},
        {"environment.cluster": "some UID"},
        {"policy": {"digest": {"sha256": "0" * 64}}},
        {"inputAttestations": []},
        {"critical": ["entered", "environment"]},
        {"unknown": 1},
    ],
)
def test_what_is_only_recorded_never_keeps_a_receipt_from_counting(changes: dict[str, Any]) -> None:
    assert admitted([receipt(changes=changes)])


@pytest.mark.parametrize("by", ["prod-us", "staging-cluster", "ci", "alice", "carol", "stranger"])
def test_a_receipt_counts_only_by_a_signer_of_its_stage_bound_to_its_cluster(by: str) -> None:
    assert not admitted([receipt(by)])


@pytest.mark.parametrize(
    "place", [PROD_US, Place("prod-eu", "shop-blue"), Place("prod-us", "shop-blue")]
)
def test_a_receipt_counts_in_its_own_place_alone(place: Place) -> None:
    assert judged(SHOP, EVIDENCE, place).answer is Answer.ADMITTED
    assert not admitted([receipt()], place=place)


def test_a_receipt_of_another_digest_is_none_of_this() -> None:
    assert not admitted([receipt(digest=OTHER_DIGEST)])


@pytest.mark.parametrize(
    ("window", "counts"),
    [
        ({}, True),
        ({"validUntil": format_time(SATURDAY + SECOND)}, True),
        ({"validUntil": format_time(SATURDAY)}, False),
        ({"validUntil": format_time(NOW + SECOND)}, False),
        ({"validFrom": format_time(SATURDAY)}, True),
        ({"validFrom": format_time(SATURDAY + SECOND)}, False),
        ({"clusters": ["prod-eu", "prod-us"]}, True),
        ({"clusters": ["prod-us"]}, False),
    ],
)
def test_the_receipts_own_key_must_be_valid_now_and_count_in_the_cluster(
    window: dict[str, Any], counts: bool
) -> None:
    """A key may be younger than what it attests: receipts are signed anew before a rotation."""
    policy = shop({"attestors.prod-clusters.keys": [key("prod-eu", **window)]})

    decision = judged(policy, [*EVIDENCE, receipt()], now=SATURDAY)
    assert (decision.answer is Answer.ADMITTED) is counts


@pytest.mark.parametrize("signer", ["test-cluster", "staging-cluster", "scanner"])
@pytest.mark.parametrize(("ended", "admits"), [(NOW + SECOND, True), (NOW, False)])
def test_the_end_of_other_keys_is_judged_at_the_time_of_entry(
    signer: str, ended: datetime, admits: bool
) -> None:
    policy = shop({f"attestors.{signer}.keys": [key(signer, validUntil=format_time(ended))]})

    decision = judged(policy, [*EVIDENCE, receipt()], now=SATURDAY)
    assert (decision.answer is Answer.ADMITTED) is admits


def test_the_end_of_an_approvers_key_is_judged_at_the_time_of_entry_too() -> None:
    entries = [key("alice"), key("bob", validUntil=format_time(NOW + SECOND))]
    policy = shop({"attestors.release-managers": {"keys": entries}})

    assert judged(policy, [*EVIDENCE, receipt()], now=LATER).answer is Answer.ADMITTED


@pytest.mark.parametrize(
    "stricter",
    [
        {"pipeline.stages.2.requires.0.approval.threshold": 3},
        {"pipeline.stages.2.requires.1.attestation.where": "false"},
        {"pipeline.stages.2.after.0.soak": "25h"},
        {"pipeline.stages.2.after.0.maxAge": "30m"},
        {"pipeline.stages.2.windows.1": {"deny": "11:00 - 13:00", "timezone": "UTC"}},
        {"attestors.scanner.keys": [key("security")]},
        {"attestors.prod-clusters.keys": [key("prod-us")]},
    ],
)
def test_policy_is_always_todays(stricter: dict[str, Any]) -> None:
    """What today's policy would not have let in at the time of entry does not stay either."""
    decision = judged(shop(stricter), [*EVIDENCE, receipt()], now=SATURDAY)

    assert decision.answer is Answer.DENIED


def test_a_condition_sees_the_time_of_entry_as_its_now() -> None:
    fresh = "timestamp(predicate.metadata.scanFinishedOn) > now - duration('2h')"
    policy = shop({"pipeline.stages.2.requires.1.attestation.where": fresh})

    assert judged(policy, EVIDENCE).answer is Answer.ADMITTED
    assert judged(policy, EVIDENCE, now=NOW + 2 * HOUR).answer is Answer.DENIED
    stays = judged(policy, [*EVIDENCE, receipt()], now=SATURDAY)
    assert (stays.answer, stays.valid_until) == (Answer.ADMITTED, None)


def test_a_date_in_the_future_is_judged_at_the_real_now() -> None:
    """`entered` in the future would else reach evidence that is not yet true."""
    ahead = NOW + timedelta(minutes=4)
    dated = [*full_evidence(NOW)[:-1], scan(at=NOW + timedelta(minutes=6))]

    assert codes(judged(SHOP, [*dated, receipt(entered=ahead)])) == ["FUTURE"]


@pytest.mark.parametrize("made", [NOW + HOUR, SATURDAY, SATURDAY + timedelta(minutes=5)])
def test_evidence_that_was_signed_anew_after_the_entry_counts_for_what_stays(
    made: datetime,
) -> None:
    """How a rotation or a clean-up ends: the same claims, by keys that are younger than the entry."""
    young = {"validFrom": format_time(NOW + SECOND)}
    policy = shop(
        {f"attestors.{by}.keys": [key(by, **young)] for by in ("scanner", "test-cluster")}
    )

    bundles = [*full_evidence(made), receipt()]
    assert judged(policy, bundles, now=SATURDAY).answer is Answer.ADMITTED


def test_a_receipt_ahead_of_our_clock_is_of_now() -> None:
    """Within the five minutes that a signer's clock may be ahead: it never opens a window early."""
    monday = datetime(2026, 11, 30, 6, 58, tzinfo=NOW.tzinfo)
    soon = receipt(entered=monday + timedelta(minutes=4))

    assert codes(judged(SHOP, [*full_evidence(monday), soon], now=monday)) == ["WINDOW_CLOSED"]
    opened = monday + timedelta(minutes=2)
    assert judged(SHOP, [*full_evidence(monday), soon], now=opened).answer is Answer.ADMITTED
