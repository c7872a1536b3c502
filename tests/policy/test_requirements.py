"""A stage's `attestation` requirements: signer, exact type, condition, date and age."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.policy.model import PolicySet
from stagepass.predicates.members import STAGE_PASSED
from tests.policy.signed import CLEAN_SCAN, approval, claim, full_evidence, policy, scan, shop
from tests.world import (
    DAY,
    DROP,
    HOUR,
    NOW,
    PROVENANCE,
    SECOND,
    TEST,
    VULNERABILITIES,
    changed,
    codes,
    judged,
    signed_pass,
)

SHOP = shop()
EVIDENCE = full_evidence()
WITHOUT_SCAN = EVIDENCE[:-1]
REPORT = {
    "scanner": {"result": {"critical": []}},
    "metadata": {"scanFinishedOn": format_time(NOW - HOUR)},
}


def provenance(where: str, **more: Any) -> PolicySet:
    """Test asks for provenance of which `where` holds."""
    return policy({"pipeline.stages.0.requires.0.attestation.where": where, **more})


def test_the_shop_in_full_admits_what_has_everything() -> None:
    decision = judged(SHOP, EVIDENCE)

    assert (decision.answer, codes(decision)) == (Answer.ADMITTED, [])
    assert len(decision.met) == decision.required == 5
    assert [m.signer for m in decision.met if "approved" in m.requirement] == ["alice", "bob"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"scanner.result.critical": ["CVE-1"]}, "CONDITION_FALSE"),
        ({"scanner.result.critical": DROP}, "CONDITION_ERROR"),
        ({"scanner.result.critical": None}, "CONDITION_ERROR"),
        ({"scanner.result.critical": 0}, "CONDITION_ERROR"),
        ({"scanner": DROP}, "CONDITION_ERROR"),
        ({"metadata.scanFinishedOn": DROP}, "STATEMENT_INVALID"),
        ({"metadata": DROP}, "STATEMENT_INVALID"),
        ({"metadata": "2026-11-26T11:00:00Z"}, "STATEMENT_INVALID"),
        ({"metadata.scanFinishedOn": "2026-11-26T11:00:00"}, "STATEMENT_INVALID"),
        ({"metadata.scanFinishedOn": "2026-11-26T12:00:00+01:00"}, "STATEMENT_INVALID"),
        ({"metadata.scanFinishedOn": 1795690800}, "STATEMENT_INVALID"),
        ({"metadata.scanFinishedOn": format_time(NOW - 7 * DAY)}, "STALE"),
        ({"metadata.scanFinishedOn": format_time(NOW - 7 * DAY + SECOND)}, None),
        ({"metadata.scanFinishedOn": "0001-01-01T00:00:00Z"}, "STALE"),
        ({"metadata.scanFinishedOn": format_time(NOW + timedelta(minutes=5))}, None),
        ({"metadata.scanFinishedOn": format_time(NOW + timedelta(seconds=301))}, "FUTURE"),
        ({"metadata.scanFinishedOn": "9999-12-31T23:59:59Z"}, "FUTURE"),
        ({"unknown": 1}, None),
    ],
)
def test_every_condition_on_a_statement_has_its_code(
    changes: dict[str, Any], code: str | None
) -> None:
    decision = judged(
        SHOP, [*WITHOUT_SCAN, claim(VULNERABILITIES, changed(REPORT, changes), "scanner")]
    )
    # What a statement nearly was, it is called by; a broken one stands beside the missing requirement.
    expected = ["REQUIREMENT_MISSING", code] if code == "STATEMENT_INVALID" else [code]

    assert codes(decision) == (expected if code else [])
    assert (decision.answer is Answer.ADMITTED) is (code is None)


def test_the_reason_says_what_was_wanted_and_an_error_what_the_engine_said() -> None:
    false = judged(SHOP, [*WITHOUT_SCAN, scan(critical=("CVE-1",))])
    broken = judged(
        SHOP, [*WITHOUT_SCAN, claim(VULNERABILITIES, REPORT | {"scanner": {}}, "scanner")]
    )

    where = "size(predicate.scanner.result.critical) == 0"
    assert false.violations[0].message == f"vulnerabilities does not say {where}"
    assert broken.violations[0].message.endswith(f'{where}: Key not found in map : "result"')


@pytest.mark.parametrize("by", ["ci", "test-cluster", "alice", "stranger"])
def test_a_perfect_statement_by_another_signer_does_not_count(by: str) -> None:
    assert codes(judged(SHOP, [*WITHOUT_SCAN, scan(by)])) == [
        *("REQUIREMENT_MISSING", "SIGNER_UNKNOWN")
    ]


def test_one_bad_statement_never_hides_a_good_one() -> None:
    bad = [
        scan(critical=("CVE-1",)),
        scan(at=NOW - 8 * DAY),
        scan(at=datetime.max.replace(tzinfo=NOW.tzinfo, microsecond=0)),
        claim(VULNERABILITIES, {}, "scanner"),
        claim(VULNERABILITIES, {"metadata": {"scanFinishedOn": "9" * 1000}}, "scanner"),
    ]

    assert judged(SHOP, bad).answer is Answer.DENIED
    assert judged(SHOP, bad + EVIDENCE).answer is Answer.ADMITTED


def test_what_a_signer_wrote_into_a_date_is_quoted_no_longer_than_a_line() -> None:
    long = claim(VULNERABILITIES, {"metadata": {"scanFinishedOn": "9" * 100_000}}, "scanner")
    decision = judged(SHOP, [*WITHOUT_SCAN, long])

    assert codes(decision) == ["REQUIREMENT_MISSING", "STATEMENT_INVALID"]
    assert all(len(v.message) < 1000 for v in decision.violations)


def test_a_scan_ends_when_it_is_as_old_as_it_may_be() -> None:
    decision = judged(SHOP, [*WITHOUT_SCAN, scan(at=NOW - 6 * DAY - 23 * HOUR)])

    assert decision.valid_until == NOW + HOUR


@pytest.mark.parametrize(
    ("where", "admits"),
    [
        ("predicate.builder == 'ci'", True),
        ("predicate.builder == 'CI'", False),
        ("subject.name == 'registry.example.com/shop/checkout'", True),
        ("subject.name == 'registry.example.com/shop/other'", False),
        ("subject.digest.startsWith('sha256:')", True),
        ("now == timestamp('2026-11-26T12:00:00Z')", True),
        ("predicate.none == 1", False),
        ("predicate.builder", False),
        ("false", False),
    ],
)
def test_a_condition_knows_the_predicate_the_subject_and_the_time(where: str, admits: bool) -> None:
    decision = judged(provenance(where), [claim(PROVENANCE, {"builder": "ci"}, "ci")], TEST)

    assert (decision.answer is Answer.ADMITTED) is admits


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("timestamp(predicate.at) > now - duration('24h')", False),
        ("timestamp(predicate.at) < now", False),
        (".now > timestamp(predicate.at)", False),
        ("predicate.now == 1", False),
        ("predicate.known == 1", True),
    ],
)
def test_an_answer_that_hangs_on_a_condition_on_the_clock_is_never_kept(
    where: str, kept: bool
) -> None:
    """When such a condition turns is not known; that it only might name the clock costs a look."""
    predicate = {"at": format_time(NOW - HOUR), "now": 1, "known": 1}
    decision = judged(provenance(where), [claim(PROVENANCE, predicate, "ci")], TEST)

    assert decision.answer is Answer.ADMITTED
    assert decision.valid_until == (None if kept else NOW)


@pytest.mark.parametrize(
    ("age", "code"), [(2 * DAY - SECOND, None), (2 * DAY, "STALE"), (-DAY, "FUTURE")]
)
def test_our_own_types_are_dated_by_their_own_member(age: timedelta, code: str | None) -> None:
    """DESIGN, *Time*: `maxAge` counts from the signer's `timeVerified`, or `timeApproved`."""
    dated = {
        "pipeline.stages.0.requires.0.attestation.maxAge": "2d",
        "pipeline.stages.0.requires.0.attestation.from": ["ci", "release-managers"],
    }
    path = "pipeline.stages.0.requires.0.attestation.predicateType"
    passed = policy({**dated, path: STAGE_PASSED})
    approved = policy({**dated, path: "https://stagepass.dev/attestation/approval/v1"})
    expected = [code] if code else []

    assert codes(judged(passed, [signed_pass(by="ci", at=NOW - age)], TEST)) == expected
    assert codes(judged(approved, [approval("bob", at=NOW - age)], TEST)) == expected


def test_a_date_without_an_age_is_still_refused_from_the_future() -> None:
    undated = shop({"pipeline.stages.2.requires.1.attestation.maxAge": DROP})

    assert codes(judged(undated, [*WITHOUT_SCAN, scan(at=NOW - 900 * DAY)])) == []
    assert codes(judged(undated, [*WITHOUT_SCAN, scan(at=NOW + DAY)])) == ["FUTURE"]


def test_each_requirement_is_met_by_a_statement_of_its_own_signer_and_type() -> None:
    second = changed(CLEAN_SCAN, {"attestation.name": "second", "attestation.from": ["ci"]})
    both = shop({"pipeline.stages.2.requires.2": second})

    assert [v.requirement for v in judged(both, EVIDENCE).violations] == ["second", "second"]
    assert judged(both, [*EVIDENCE, scan("ci")]).answer is Answer.ADMITTED


@pytest.mark.parametrize("ends", [NOW + SECOND, NOW, None])
def test_of_two_entries_for_one_key_the_one_that_lasts_longer_counts(ends: datetime | None) -> None:
    """A key may stand in two attestors; in which order they are named never shows."""
    key = {"file": "keys/ci.pub", "owner": "ci"}
    until = {"validUntil": format_time(ends)} if ends else {}
    entries = {
        "attestors.ci.keys.0": {**key, "validUntil": format_time(NOW + HOUR)},
        "attestors.more": {"keys": [{**key, **until}]},
    }
    path = "pipeline.stages.0.requires.0.attestation.from"
    bundle = [claim(PROVENANCE, {}, "ci")]
    one, other = (
        judged(policy({**entries, path: names}), bundle, TEST)
        for names in (["ci", "more"], ["more", "ci"])
    )

    assert one == other
    assert (one.answer, one.valid_until) == (Answer.ADMITTED, None if ends is None else NOW + HOUR)
