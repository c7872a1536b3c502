"""Deny windows as the gate sees them: nothing new enters, and both days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stagepass.decision import Answer, Decision
from stagepass.policy.model import PolicySet
from tests.policy.signed import WEEKEND, emergency, full_evidence, receipt, shop
from tests.world import DROP, HOUR, NOW, SECOND, STAGING, codes, judged, signed_pass

MINUTE = timedelta(minutes=1)
FRIDAY = datetime(2026, 11, 27, 15, tzinfo=UTC)
"""16:00 in Berlin."""
MONDAY = datetime(2026, 11, 30, 7, tzinfo=UTC)
"""08:00 in Berlin."""
SHOP = shop()


def nightly(deny: str, zone: str = "Europe/Berlin") -> PolicySet:
    """Staging, which asks for the pass of test alone, closed at these times."""
    return shop({"pipeline.stages.1.windows": [{"deny": deny, "timezone": zone}]})


def entering(policy: PolicySet, moment: datetime) -> Decision:
    """The decision on a good image into staging."""
    return judged(policy, [signed_pass("test", at=moment - HOUR)], STAGING, now=moment)


@pytest.mark.parametrize(
    ("moment", "closed"),
    [
        (FRIDAY - SECOND, False),
        (FRIDAY, True),
        (FRIDAY + 30 * HOUR, True),
        (MONDAY - SECOND, True),
        (MONDAY, False),
    ],
)
def test_a_window_denies_from_its_first_second_up_to_its_last(
    moment: datetime, closed: bool
) -> None:
    decision = judged(SHOP, full_evidence(moment - HOUR), now=moment)

    assert codes(decision) == (["WINDOW_CLOSED"] if closed else [])


def test_the_denial_names_the_window_with_its_zone() -> None:
    (violation,) = judged(SHOP, full_evidence(FRIDAY), now=FRIDAY).violations

    assert violation.message == (
        "nothing enters 'production' during Fri 16:00 - Mon 08:00 Europe/Berlin"
    )
    assert (violation.requirement, violation.stage) == ("window", "production")


def test_a_closed_window_stands_beside_everything_else_that_is_missing() -> None:
    assert codes(judged(SHOP, [], now=FRIDAY)) == [
        *("APPROVALS_MISSING", "PASS_MISSING", "REQUIREMENT_MISSING", "WINDOW_CLOSED")
    ]


def test_an_admission_is_kept_no_longer_than_to_the_next_window() -> None:
    decision = judged(SHOP, full_evidence(FRIDAY - 2 * HOUR), now=FRIDAY - HOUR)

    assert (decision.answer, decision.valid_until) == (Answer.ADMITTED, FRIDAY)


@pytest.mark.parametrize(
    ("second", "moment", "closed"),
    [
        ({"deny": "12:00 - 13:00", "timezone": "UTC"}, NOW, True),
        ({"deny": "12:00 - 13:00", "timezone": "UTC"}, NOW + HOUR, False),
        ({"deny": "12:00 - 13:00", "timezone": "America/New_York"}, NOW, False),
        ({"deny": "12:00 - 13:00", "timezone": "America/New_York"}, NOW + 5 * HOUR, True),
    ],
)
def test_of_several_windows_any_closed_one_denies(
    second: dict[str, str], moment: datetime, closed: bool
) -> None:
    policy = shop({"pipeline.stages.2.windows": [WEEKEND, second]})

    decision = judged(policy, full_evidence(moment - HOUR), now=moment)
    assert codes(decision) == (["WINDOW_CLOSED"] if closed else [])


@pytest.mark.parametrize(
    ("moment", "closed"),
    [
        # Clocks go from 02:00 to 03:00 at 01:00 UTC: 02:30 does not occur, the window is half as long.
        (datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 1, 29, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), False),
        # Clocks go from 03:00 back to 02:00 at 01:00 UTC: 02:30 occurs twice, and counts both times.
        (datetime(2026, 10, 25, 0, 29, 59, tzinfo=UTC), False),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 1, 0, tzinfo=UTC), False),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 2, 29, 59, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 2, 30, tzinfo=UTC), False),
    ],
)
def test_on_the_days_on_which_clocks_change_the_clock_on_the_wall_rules(
    moment: datetime, closed: bool
) -> None:
    policy = nightly("02:30 - 03:30")

    assert codes(entering(policy, moment)) == (["WINDOW_CLOSED"] if closed else [])


@pytest.mark.parametrize(
    "first", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)]
)
def test_an_admission_holds_to_its_edge_through_the_night_on_which_clocks_change(
    first: datetime,
) -> None:
    policy = nightly("02:30 - 03:30")
    for minutes in range(0, 10 * 60, 7):
        moment = first + minutes * MINUTE
        decision = entering(policy, moment)
        if decision.answer is Answer.ADMITTED:
            assert decision.valid_until is not None
            assert decision.valid_until > moment
            edge = judged(
                policy,
                [signed_pass("test", at=moment - HOUR)],
                STAGING,
                now=decision.valid_until - SECOND,
            )
            assert edge.answer is Answer.ADMITTED


@pytest.mark.parametrize(
    ("entered", "stays"), [(FRIDAY - SECOND, True), (FRIDAY, False), (MONDAY - SECOND, False)]
)
def test_what_entered_while_it_was_open_restarts_while_it_is_closed(
    entered: datetime, stays: bool
) -> None:
    evidence = [*full_evidence(FRIDAY - HOUR), receipt(entered=entered)]
    decision = judged(SHOP, evidence, now=MONDAY - SECOND)

    assert (decision.answer is Answer.ADMITTED) is stays
    assert ("WINDOW_CLOSED" in codes(decision)) is not stays


@pytest.mark.parametrize("hours", [1, 30, 60])
def test_break_glass_opens_a_closed_window(hours: int) -> None:
    moment = FRIDAY + hours * HOUR
    evidence = [*full_evidence(FRIDAY - HOUR), emergency(issued=moment)]

    assert judged(SHOP, evidence, now=moment).answer is Answer.ADMITTED


def test_a_stage_without_windows_is_always_open() -> None:
    policy = shop({"pipeline.stages.2.windows": DROP})

    assert judged(policy, full_evidence(FRIDAY), now=FRIDAY).answer is Answer.ADMITTED
