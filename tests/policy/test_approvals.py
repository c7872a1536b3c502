"""Approvals: predicates.md, approval/v1, row by row; counted by distinct owner."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.policy.evaluate import wanted
from stagepass.stage import Place
from tests.policy.signed import approval, full_evidence, key, policy, shop
from tests.world import DAY, DROP, HOUR, IMAGE, NOW, OTHER_DIGEST, PROD_US, SECOND, codes, judged

SHOP = shop()
ONE = "pipeline.stages.2.requires.0.approval.threshold"
NEEDS_ONE = shop({ONE: 1})
FIVE_MINUTES = timedelta(minutes=5)


def unapproved() -> list[bytes]:
    """Everything production asks for but approvals: ECDSA signs anew each time, so take by place."""
    evidence = full_evidence()
    return [*evidence[:3], evidence[-1]]


REST = unapproved()


def by(*names: str) -> list[str]:
    """The codes of production when these approved."""
    return codes(judged(SHOP, [*REST, *map(approval, names)]))


@pytest.mark.parametrize(
    ("names", "enough"),
    [
        (("alice", "bob"), True),
        (("bob", "alice-laptop"), True),
        (("alice", "bob", "alice-laptop"), True),
        ((), False),
        (("alice",), False),
        (("alice", "alice"), False),
        (("alice", "alice-laptop"), False),
        (("alice", "carol"), False),
        (("alice", "ci"), False),
        (("alice", "stranger"), False),
        (("carol", "dave", "security"), False),
    ],
)
def test_distinct_owners_are_counted_and_never_signatures_or_keys(
    names: tuple[str, ...], enough: bool
) -> None:
    answer = judged(SHOP, [*REST, *map(approval, names)]).answer

    assert answer is (Answer.ADMITTED if enough else Answer.DENIED)


def test_one_owner_with_two_statements_of_two_scopes_is_still_one() -> None:
    narrow = approval("alice", changes={"scope.clusters": ["prod-eu"]})

    assert by("alice") == codes(judged(SHOP, [*REST, approval("alice"), narrow]))


def test_of_more_owners_than_are_asked_for_as_many_as_are_asked_for_are_named() -> None:
    everybody = {"pipeline.stages.2.requires.0.approval.from": ["release-managers", "security"]}
    names = ("security", "bob", "alice")
    decision = judged(shop(everybody), [*REST, *map(approval, names)])

    assert decision.answer is Answer.ADMITTED
    assert [m.signer for m in decision.met if "approved" in m.requirement] == ["alice", "bob"]


def test_the_denial_counts_who_approved_and_gives_the_command() -> None:
    decision = judged(SHOP, [*REST, approval("bob")])
    (violation,) = decision.violations

    assert violation.message == "1 of 2 approvals by release-managers"
    assert violation.requirement == "approved by 2 of release-managers"
    command = f"stagepass approve {IMAGE} --key KEY --stage production --pipeline shop"
    assert violation.fix == command


def test_an_owner_of_the_barred_attestor_does_not_count_with_any_key() -> None:
    """Who built it does not wave it through, not even with a key that release managers have."""
    barred = {
        "attestors.ci.keys.1": key("security", "bob"),
        "attestors.security": {"keys": [key("security", "bob")]},
    }

    decision = judged(shop(barred), [*REST, approval("alice"), approval("bob")])
    assert codes(decision) == ["APPROVALS_MISSING", "SIGNER_UNKNOWN"]
    open_to_all = shop({**barred, "pipeline.stages.2.requires.0.approval.notBy": DROP})
    assert judged(open_to_all, [*REST, approval("alice"), approval("bob")]).answer is (
        Answer.ADMITTED
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"decision": "REJECTED"}, None),
        ({"decision": "approved"}, None),
        ({"decision": DROP}, "STATEMENT_INVALID"),
        ({"scope": DROP}, "STATEMENT_INVALID"),
        ({"scope.pipeline": "other"}, None),
        ({"scope.pipeline": DROP}, "STATEMENT_INVALID"),
        ({"scope.stage": "staging"}, None),
        ({"scope.stage": DROP}, "STATEMENT_INVALID"),
        ({"scope.clusters": ["prod-us"]}, None),
        ({"scope.clusters": []}, None),
        ({"scope.clusters": "prod-eu"}, "STATEMENT_INVALID"),
        ({"scope.clusters": None}, "STATEMENT_INVALID"),
        ({"scope.namespaces": ["shop-blue"]}, None),
        ({"scope.namespaces": ["shop-*"]}, None),
        ({"scope.namespaces": ["*"]}, None),
        ({"scope.namespaces": [7]}, "STATEMENT_INVALID"),
        ({"timeApproved": DROP}, "STATEMENT_INVALID"),
        ({"timeApproved": "yesterday"}, "STATEMENT_INVALID"),
        ({"expires": DROP}, "STATEMENT_INVALID"),
        ({"expires": format_time(NOW)}, "EXPIRED"),
        ({"timeApproved": format_time(NOW + FIVE_MINUTES + SECOND)}, "FUTURE"),
        ({"timeApproved": format_time(NOW - 30 * DAY)}, "STALE"),
        ({"critical": ["unheard"]}, "STATEMENT_INVALID"),
        ({"critical": "reason"}, "STATEMENT_INVALID"),
    ],
)
def test_a_checked_field_that_is_wrong_makes_the_approval_not_count(
    changes: dict[str, Any], code: str | None
) -> None:
    decision = judged(NEEDS_ONE, [*REST, approval("alice", changes=changes)])
    nearly = code in ("EXPIRED", "FUTURE", "STALE")
    missing = ["APPROVALS_MISSING", *([code] if code else [])]

    assert decision.answer is Answer.DENIED
    assert codes(decision) == ([code] if nearly else missing)


@pytest.mark.parametrize(
    "changes",
    [
        {"scope.clusters": ["prod-us", "prod-eu"]},
        {"scope.namespaces": ["shop"]},
        {"timeApproved": format_time(NOW + FIVE_MINUTES)},
        {"timeApproved": format_time(NOW - 30 * DAY + SECOND)},
        {"expires": format_time(NOW + SECOND)},
        {"reviewed": [{"uri": "x", "digest": {"sha256": "0"}}], "request": {"uri": 1}, "nonce": 1},
        {"release": {"digest": {"sha256": "0" * 64}}},
        {"reason": 7},
        {"approver": "mallory", "signer": "bob"},
        {"critical": ["scope", "nonce", "reviewed", "request", "release"]},
    ],
)
def test_what_is_only_recorded_never_keeps_an_approval_from_counting(
    changes: dict[str, Any],
) -> None:
    decision = judged(NEEDS_ONE, [*REST, approval("alice", changes=changes)])

    assert decision.answer is Answer.ADMITTED
    assert "alice" in {met.signer for met in decision.met}


@pytest.mark.parametrize(
    ("scope", "place", "counts"),
    [
        ({"clusters": ["prod-eu"]}, PROD_US, False),
        ({"clusters": ["prod-us"]}, PROD_US, True),
        ({"namespaces": ["shop"]}, Place("prod-us", "shop-blue"), False),
        ({"namespaces": ["shop-blue"]}, Place("prod-us", "shop-blue"), True),
        ({"clusters": ["prod-us"], "namespaces": ["shop"]}, PROD_US, True),
        ({"clusters": ["prod-us"], "namespaces": ["shop-blue"]}, PROD_US, False),
        ({}, Place("prod-us", "shop-blue"), True),
    ],
)
def test_a_scope_narrows_the_places_and_an_absent_one_means_all(
    scope: dict[str, Any], place: Place, counts: bool
) -> None:
    changes = {f"scope.{name}": value for name, value in scope.items()}
    decision = judged(NEEDS_ONE, [*REST, approval("bob", changes=changes)], place)

    assert (decision.answer is Answer.ADMITTED) is counts


def test_an_approval_of_another_digest_is_none_of_this() -> None:
    other = approval("bob", digest=OTHER_DIGEST)

    assert codes(judged(NEEDS_ONE, [*REST, other])) == ["APPROVALS_MISSING", "SUBJECT_MISMATCH"]


@pytest.mark.parametrize(("age", "code"), [(3 * DAY - SECOND, None), (3 * DAY, "STALE")])
def test_the_age_of_an_approval_is_the_policys_beside_its_own_end(
    age: timedelta, code: str | None
) -> None:
    three_days = shop({ONE: 1, "pipeline.stages.2.requires.0.approval.maxAge": "3d"})
    approved = approval("bob", at=NOW - age, valid_for=90 * DAY)

    assert codes(judged(three_days, [*REST, approved])) == ([code] if code else [])


@pytest.mark.parametrize(
    ("first", "second", "until"),
    [
        ({"valid_for": 2 * HOUR}, {}, NOW + HOUR),
        ({}, {"at": NOW - 29 * DAY, "valid_for": 90 * DAY}, NOW + DAY),
        ({}, {}, NOW - HOUR + 2 * DAY),
    ],
)
def test_the_first_approval_to_end_ends_the_admission(
    first: dict[str, Any], second: dict[str, Any], until: datetime
) -> None:
    always_open = shop({"pipeline.stages.2.windows": DROP})
    people = [approval("alice", **first), approval("bob", **second)]

    assert judged(always_open, [*REST, *people]).valid_until == until


@pytest.mark.parametrize(
    ("window", "counts"),
    [
        ({"validUntil": format_time(NOW + SECOND)}, True),
        ({"validUntil": format_time(NOW)}, False),
        ({"validFrom": format_time(NOW + SECOND)}, False),
    ],
)
def test_a_persons_key_counts_within_its_window(window: dict[str, str], counts: bool) -> None:
    entry = {"attestors.release-managers": {"keys": [key("bob", **window)]}}
    decision = judged(shop({ONE: 1, **entry}), [*REST, approval("bob")])

    assert codes(decision) == ([] if counts else ["APPROVALS_MISSING", "SIGNER_UNKNOWN"])


def test_every_approval_requirement_is_met_by_itself() -> None:
    security = {"approval": {"from": ["security"]}}
    both = shop({"pipeline.stages.2.requires.2": security})

    assert by("alice", "bob") == []
    decision = judged(both, [*REST, approval("alice"), approval("bob")])
    assert {v.requirement for v in decision.violations} == {"approved by 1 of security"}
    three = [approval(name) for name in ("alice", "bob", "security")]
    assert judged(both, [*REST, *three]).answer is Answer.ADMITTED


def test_more_owners_than_there_are_can_never_approve() -> None:
    assert codes(judged(shop({ONE: 3}), full_evidence())) == ["APPROVALS_MISSING"]


def test_a_stage_without_approvals_asks_for_none() -> None:
    evidence = full_evidence()
    approvals = "https://stagepass.dev/attestation/approval/v1"

    assert approvals in wanted(SHOP, IMAGE, PROD_US)
    assert approvals not in wanted(policy(), IMAGE, PROD_US)

    assert judged(policy(), evidence).answer is Answer.ADMITTED
    assert judged(policy(), [*evidence[:3], evidence[-1]]).answer is Answer.ADMITTED
