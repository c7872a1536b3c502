"""From when the same evidence would admit, and until when it does: one case for each kind of edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stagepass.decision import Answer
from stagepass.policy.evaluate import evaluate
from stagepass.policy.model import PolicySet
from stagepass.policy.outlook import (
    Question,
    admitted_from,
    admitted_until,
    by_enforcement,
    by_evidence,
)
from stagepass.stage import Place
from tests.policy.signed import (
    approval,
    emergency,
    full_evidence,
    key,
    receipt,
    revocation_list,
    revoked,
    scan,
    shop,
)
from tests.world import (
    DAY,
    DROP,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    PROVENANCE,
    SECOND,
    STAGING,
    TEST,
    VULNERABILITIES,
    signed_claim,
    signed_pass,
    verified,
)

FRIDAY = datetime(2026, 11, 27, 15, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, 7, tzinfo=UTC)
SKEW = timedelta(minutes=5)
OPEN = shop({"pipeline.stages.2.windows": DROP})
SHOP = shop()


def asked(policy: PolicySet, bundles: list[bytes], place: Place = PROD_EU) -> Question:
    return Question(policy, IMAGE, place, verified(policy, bundles))


def opens(policy: PolicySet, bundles: list[bytes], now: datetime = NOW) -> datetime | None:
    return admitted_from([asked(policy, bundles)], now)


def ends(policy: PolicySet, bundles: list[bytes], now: datetime = NOW) -> datetime | None:
    return admitted_until([asked(policy, bundles)], now)


def lasting(
    at: datetime = NOW - HOUR,
    *,
    scanned: datetime | None = None,
    passed: datetime | None = None,
    bob: timedelta = 9 * DAY,
) -> list[bytes]:
    """All that production needs, dated `at`, with approvals that outlive a weekend."""
    return [
        *(signed_pass("test", at=at), signed_pass("staging", at=passed or at)),
        *(approval("alice", at=at, valid_for=9 * DAY), approval("bob", at=at, valid_for=bob)),
        *(scan(at=scanned or at), signed_claim(PROVENANCE, "ci")),
    ]


def night(*deny: str, zone: str = "UTC") -> PolicySet:
    return shop({"pipeline.stages.2.windows": [{"deny": d, "timezone": zone} for d in deny]})


def test_a_closed_window_opens_at_its_end() -> None:
    assert opens(SHOP, lasting(FRIDAY - HOUR), FRIDAY + HOUR) == MONDAY


def test_where_closed_windows_overlap_it_is_when_all_are_open() -> None:
    """The end of the last closed one may lie within one that is open now."""
    policy = night("11:00 - 13:00", "12:30 - 15:00", "14:59 - 16:30")

    assert opens(policy, full_evidence(), NOW) == NOW + 4.5 * HOUR


def test_windows_that_leave_no_moment_open_open_never() -> None:
    assert opens(night("00:00 - 12:00", "12:00 - 00:00"), full_evidence()) is None


def test_windows_of_two_zones_may_meet_only_after_clocks_were_changed() -> None:
    """Berlin's hour is 10:00 UTC in winter, when the other is closed again, and 09:00 in summer."""
    windows = [
        {"deny": "12:00 - 11:00", "timezone": "Europe/Berlin"},
        {"deny": "10:00 - 09:00", "timezone": "UTC"},
    ]
    policy = shop(
        {
            "pipeline.stages.2.windows": windows,
            "pipeline.stages.2.requires": DROP,
            "pipeline.stages.2.after": ["staging"],
            "attestors.staging-cluster.keys": [key("staging-cluster")],
        }
    )
    passes = [signed_pass(s, valid_for=300 * DAY) for s in ("test", "staging")]
    claims = [signed_claim(PROVENANCE, "ci"), signed_claim(VULNERABILITIES, "scanner")]

    assert opens(policy, [*passes, *claims]) == datetime(2027, 3, 28, 9, tzinfo=UTC)


@pytest.mark.parametrize("moment", [NOW + HOUR, NOW + 2 * DAY])
def test_what_is_dated_ahead_counts_once_our_clock_is_near(moment: datetime) -> None:
    assert opens(OPEN, lasting(scanned=moment)) == moment - SKEW


def test_a_key_that_is_not_valid_yet_counts_from_its_first_second() -> None:
    begins = {"attestors.scanner.keys": [key("scanner", validFrom="2026-11-27T08:00:00Z")]}
    policy = shop({"pipeline.stages.2.windows": DROP, **begins})

    assert opens(policy, full_evidence()) == datetime(2026, 11, 27, 8, tzinfo=UTC)


def test_what_begins_within_a_closed_window_waits_for_its_end() -> None:
    assert opens(SHOP, lasting(FRIDAY, passed=FRIDAY + DAY), FRIDAY) == MONDAY


def test_what_ends_before_the_window_opens_waits_for_evidence() -> None:
    assert opens(SHOP, lasting(FRIDAY, bob=2 * DAY), FRIDAY) is None


def test_missing_evidence_and_too_short_a_soak_wait_for_no_clock() -> None:
    watched = [signed_pass("test"), signed_pass("staging", watched=HOUR), *full_evidence()[3:]]
    assert opens(OPEN, watched) is None
    assert opens(OPEN, full_evidence()[:-1]) is None
    assert opens(SHOP, []) is None


def test_what_is_admitted_is_so_from_now() -> None:
    now = NOW + timedelta(microseconds=7)
    assert opens(OPEN, full_evidence(), now) == now


def test_an_admission_ends_with_the_first_thing_it_needs() -> None:
    """Approvals of two days, a scan of seven, passes of thirty."""
    assert ends(OPEN, full_evidence()) == NOW - HOUR + 2 * DAY
    assert ends(OPEN, lasting()) == NOW - HOUR + 7 * DAY


def test_an_admission_lasts_through_all_that_carries_it_in_turn() -> None:
    """A window closes, and the receipt carries it; the receipt ends while the window is closed."""
    evidence = [*full_evidence(NOW - HOUR), receipt(entered=NOW, expires=FRIDAY + DAY)]

    assert ends(SHOP, full_evidence()) == FRIDAY
    assert ends(SHOP, evidence) == FRIDAY + DAY


def test_break_glass_admits_until_it_expires() -> None:
    assert ends(SHOP, [emergency(valid_for=3 * HOUR)]) == NOW + 3 * HOUR
    assert ends(SHOP, [], NOW) == NOW


def test_an_emergency_that_is_dated_ahead_begins_when_our_clock_is_near() -> None:
    assert opens(SHOP, [emergency(issued=NOW + HOUR)]) == NOW + HOUR - SKEW


def test_an_approval_ends_with_its_age_if_that_comes_first() -> None:
    needs = {"approval": {"from": ["release-managers"], "maxAge": "1d"}}
    policy = shop({"pipeline.stages.2.windows": DROP, "pipeline.stages.2.requires": [needs]})

    assert ends(policy, lasting()) == NOW - HOUR + DAY


def test_the_set_the_revocation_list_and_an_exemption_end_what_they_carry() -> None:
    assert ends(replace(OPEN, expires=NOW + HOUR), full_evidence()) == NOW + HOUR
    denying = revoked(revocation_list(expires=NOW + 2 * HOUR))
    assert ends(denying, full_evidence()) == NOW + 2 * HOUR
    exempt = {
        "namespaces": ["kube-system"],
        "images": ["registry.example.com/**"],
        "reason": "control plane",
        "expires": "2026-12-01T00:00:00Z",
    }
    policy = shop({"defaults.exempt": [exempt]})
    question = asked(policy, [], Place("test", "kube-system"))
    assert admitted_until([question], NOW) == datetime(2026, 12, 1, tzinfo=UTC)


def test_a_fraction_of_a_second_is_rounded_up_to_what_can_be_written() -> None:
    """Rounded down, the moment that is told would still be denied."""
    dated = {"expires": "2026-11-26T13:00:00.25Z"}
    policy = replace(OPEN, expires=NOW + HOUR + timedelta(milliseconds=250))
    bundles = [signed_pass("test", changes=dated)]
    staging = admitted_until([asked(policy, bundles, STAGING)], NOW)

    assert staging == NOW + HOUR + SECOND
    assert ends(policy, full_evidence()) == NOW + HOUR + SECOND


def test_dates_at_the_ends_of_the_calendar_are_no_edges() -> None:
    far = signed_pass("test", changes={"timeVerified": "9999-12-31T23:59:59Z"})
    early = signed_pass("test", changes={"timeVerified": "0001-01-01T00:00:00Z"})

    assert admitted_from([asked(OPEN, [far], STAGING)], NOW) is None
    assert opens(OPEN, [far, early]) is None
    last = datetime(9999, 12, 31, tzinfo=UTC)
    assert opens(SHOP, full_evidence(), last) is None


def test_of_several_images_all_must_be_admitted_at_once() -> None:
    """The window of one is open while that of the other is not: the later of both would be wrong."""
    windows = {
        "pipeline.stages.0.windows": [{"deny": "11:00 - 13:00", "timezone": "UTC"}],
        "pipeline.stages.1.windows": [{"deny": "13:00 - 15:00", "timezone": "UTC"}],
    }
    policy = shop({**windows, "pipeline.stages.0.requires": DROP})
    first = asked(policy, [], TEST)
    second = asked(policy, [signed_pass("test")], STAGING)

    assert admitted_from([first], NOW) == NOW + HOUR
    assert admitted_from([second], NOW) == NOW
    assert admitted_from([first, second], NOW) == NOW + 3 * HOUR


def test_a_stage_that_only_warns_refuses_nothing() -> None:
    policy = shop({"pipeline.stages.2.enforcement": "warn"})
    question = asked(policy, lasting(FRIDAY))
    assert admitted_from([question], FRIDAY, by_evidence) == MONDAY
    assert admitted_from([question], FRIDAY, by_enforcement) == FRIDAY
    assert evaluate(policy, IMAGE, PROD_EU, question.evidence, now=FRIDAY).answer is Answer.DENIED
