"""Break-glass: predicates.md row by row, what it excuses, and that every use of it is told (B63)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer, Code
from stagepass.policy.model import PolicySet
from stagepass.stage import Place
from tests.policy.signed import (
    GLASS,
    emergency,
    full_evidence,
    key,
    receipt,
    shop,
)
from tests.world import (
    DAY,
    DROP,
    HOUR,
    NOW,
    OTHER_DIGEST,
    PROD_EU,
    PROD_US,
    SECOND,
    STAGING,
    codes,
    judged,
)

SHOP = shop()
TWO = shop({"pipeline.stages.2.breakGlass.threshold": 2})


def excuses(bundle: bytes, policy: PolicySet = SHOP, place: Place = PROD_EU) -> bool:
    """Whether this alone admits what has no evidence at all."""
    decision = judged(policy, [bundle], place)
    assert (decision.answer is Answer.ADMITTED) is (Code.BREAK_GLASS in decision.notes)
    return decision.answer is Answer.ADMITTED


def test_it_excuses_passes_approvals_attestations_and_windows_of_its_stage() -> None:
    saturday = NOW + 2 * DAY
    before = judged(SHOP, [], now=saturday)
    after = judged(SHOP, [emergency(issued=saturday)], now=saturday)

    assert codes(before) == [
        *("APPROVALS_MISSING", "PASS_MISSING", "REQUIREMENT_MISSING", "WINDOW_CLOSED")
    ]
    assert (after.answer, after.allowed, after.places) == (
        *(Answer.ADMITTED, True),
        (("shop", "production"),),
    )
    assert [(m.requirement, m.signer) for m in after.met] == [("break-glass", "carol")]


def test_its_use_is_told_whoever_asks_with_who_where_until_when_and_why() -> None:
    decision = judged(SHOP, [emergency()])

    text = "break-glass by carol for shop/production until 2026-11-26T13:00:00Z: checkout is down"
    assert decision.notes == (Code.BREAK_GLASS,)
    assert decision.warnings == decision.notices == (text,)


def test_where_it_is_not_needed_it_is_not_used_and_not_told() -> None:
    with_it, without = (judged(SHOP, [*full_evidence(), *glass]) for glass in ([emergency()], []))

    assert with_it == without
    assert (with_it.notes, with_it.warnings) == ((), ())


def test_a_receipt_is_used_before_it() -> None:
    saturday = NOW + 2 * DAY
    bundles = [*full_evidence(), receipt(), emergency(issued=saturday)]

    assert judged(SHOP, bundles, now=saturday).notes == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"scope.pipeline": "other"},
        {"scope.pipeline": DROP},
        {"scope.stage": "staging"},
        {"scope.stage": DROP},
        {"scope.clusters": ["prod-us"]},
        {"scope.clusters": []},
        {"scope.clusters": None},
        {"scope.namespaces": ["shop-blue"]},
        {"scope.namespaces": ["*"]},
        {"scope": DROP},
        {"reason": ""},
        {"reason": DROP},
        {"reason": 7},
        {"issued": DROP},
        {"issued": "now"},
        {"issued": format_time(NOW + timedelta(seconds=301))},
        {"issued": format_time(NOW - 3 * HOUR - SECOND)},
        {"expires": DROP},
        {"expires": format_time(NOW)},
        {"expires": format_time(NOW + 4 * HOUR + SECOND)},
        {"expires": "9999-12-31T23:59:59Z"},
        {"issued": "0001-01-01T00:00:00Z"},
        {"critical": ["unheard"]},
    ],
)
def test_a_checked_field_that_is_wrong_makes_it_not_count(changes: dict[str, Any]) -> None:
    assert not excuses(emergency(changes=changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"scope.clusters": ["prod-eu"], "scope.namespaces": ["shop", "other"]},
        {"issued": format_time(NOW + timedelta(minutes=5))},
        {"issued": format_time(NOW - 3 * HOUR)},
        {"expires": format_time(NOW + SECOND)},
        {"expires": format_time(NOW + 4 * HOUR)},
        {"incident": "https://example.com/incidents/7"},
        {"incident": 7},
        {"approver": "mallory"},
        {"critical": ["incident"]},
    ],
)
def test_what_is_only_recorded_never_keeps_it_from_counting(changes: dict[str, Any]) -> None:
    if "issued" in changes and changes["issued"] < format_time(NOW):
        changes = {**changes, "expires": format_time(NOW + HOUR)}

    assert excuses(emergency(changes=changes))


@pytest.mark.parametrize(
    "by", ["alice", "ci", "prod-eu", "staging-cluster", "security", "stranger"]
)
def test_nobody_else_can_break_the_glass(by: str) -> None:
    assert not excuses(emergency(by))


def test_another_digest_stage_or_place_is_not_excused() -> None:
    narrow = emergency(changes={"scope.clusters": ["prod-eu"], "scope.namespaces": ["shop"]})

    assert not excuses(emergency(digest=OTHER_DIGEST))
    assert not excuses(narrow, place=PROD_US)
    assert not excuses(narrow, place=Place("prod-eu", "shop-blue"))
    assert codes(judged(SHOP, [emergency()], STAGING)) == ["PASS_MISSING"]


def test_a_stage_that_has_no_rule_for_it_cannot_be_broken() -> None:
    assert not excuses(emergency(), shop({"pipeline.stages.2.breakGlass": DROP}))


@pytest.mark.parametrize(
    ("names", "enough"),
    [
        (("carol", "dave"), True),
        (("carol",), False),
        (("carol", "carol"), False),
        (("carol", "alice"), False),
    ],
)
def test_a_threshold_counts_distinct_owners(names: tuple[str, ...], enough: bool) -> None:
    decision = judged(TWO, [emergency(name) for name in names])

    assert (decision.answer is Answer.ADMITTED) is enough
    if enough:
        assert decision.notices[0].startswith("break-glass by carol, dave for shop/production")


def test_two_keys_of_one_owner_are_one() -> None:
    one_person = {"keys": [key("carol"), key("dave", "carol")]}
    policy = shop(
        {
            "attestors.incident-commanders": one_person,
            "pipeline.stages.2.breakGlass": {**GLASS, "threshold": 2},
        }
    )

    assert judged(policy, [emergency("carol"), emergency("dave")]).answer is Answer.DENIED


def test_of_two_it_lasts_as_long_as_the_first_to_end() -> None:
    both = [emergency("carol", valid_for=HOUR), emergency("dave", valid_for=2 * HOUR)]

    assert judged(TWO, both, now=NOW + HOUR - SECOND).answer is Answer.ADMITTED
    assert judged(TWO, both, now=NOW + HOUR).answer is Answer.DENIED
    assert "until 2026-11-26T13:00:00Z" in judged(TWO, both).notices[0]


def test_it_is_judged_at_the_real_now_whatever_a_receipt_says() -> None:
    over = emergency(issued=NOW - 2 * HOUR)

    assert codes(judged(SHOP, [over, receipt(entered=NOW - 2 * HOUR)])) != []
    ended = {"keys": [key("carol", validUntil=format_time(NOW))]}
    policy = shop({"attestors.incident-commanders": ended})
    assert not excuses(emergency(issued=NOW - HOUR, valid_for=2 * HOUR), policy)
    judged_then = judged(policy, [emergency(issued=NOW - HOUR), receipt(entered=NOW - HOUR)])
    assert judged_then.answer is Answer.DENIED
