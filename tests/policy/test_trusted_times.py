"""A proven time decides whether a key was valid: it wins over now, over the entry, and over its absence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.policy.model import PolicySet
from stagepass.policy.outlook import Question, admitted_from, admitted_until
from tests.keyless.keyed import proven, trusting
from tests.policy.signed import FULL, approval, emergency, full_evidence, key, receipt, scan
from tests.simulators.sigstore import Lies
from tests.world import (
    DAY,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    SECOND,
    STAGING,
    codes,
    judged,
    signed_pass,
    verified,
)

PASS = signed_pass("test", at=NOW - 3 * DAY)
BY = "test-cluster"
MINUTE = timedelta(minutes=1)


def window(name: str, start: datetime | None, end: datetime | None) -> dict[str, Any]:
    """The entry of a key that is valid from `start` until `end`."""
    ends = {"validFrom": start, "validUntil": end}
    return key(name, **{word: format_time(at) for word, at in ends.items() if at is not None})


def shop(start: datetime | None = None, end: datetime | None = None) -> PolicySet:
    """With the key that signs passes of test valid then."""
    return trusting({"attestors.test-cluster.keys": [window(BY, start, end)]})


def answer(policy: PolicySet, *bundles: bytes, now: datetime = NOW) -> Answer:
    return judged(policy, list(bundles), STAGING, now=now).answer


@pytest.mark.parametrize("log", [None, "v1"])
@pytest.mark.parametrize(
    ("start", "end", "at", "counts"),
    [
        (None, NOW - DAY, NOW - 2 * DAY, True),
        (None, NOW - DAY, NOW - DAY - SECOND, True),
        (None, NOW - DAY, NOW - DAY, False),
        (None, NOW - DAY, NOW - DAY + SECOND, False),  # CVE-2026-54787
        (None, NOW + DAY, NOW - DAY, True),
        (NOW - DAY, None, NOW - DAY, True),
        (NOW - DAY, None, NOW - DAY - SECOND, False),
        (NOW - 2 * DAY, NOW - DAY, NOW - 36 * HOUR, True),
        (NOW + DAY, NOW + 2 * DAY, NOW - HOUR, False),
    ],
)
def test_a_key_counts_for_what_it_provably_signed_in_its_window(
    log: str | None, start: datetime | None, end: datetime | None, at: datetime, counts: bool
) -> None:
    decision = judged(shop(start, end), [proven(PASS, BY, at, log=log)], STAGING)

    assert (decision.answer is Answer.ADMITTED) is counts
    if not counts:
        assert codes(decision) == ["PASS_MISSING", "SIGNER_UNKNOWN"]
        assert f"not valid at {format_time(at)}, when it signed" in decision.violations[-1].message


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"log": "v2"},
        {"log": "v1", "lies": Lies(no_promise=True)},
        {"instance": "stranger"},
        {"lies": Lies(foreign_tsa=True)},
    ],
    ids=["none", "v2", "no SET", "their tsa", "foreign tsa"],
)
def test_without_a_proven_time_a_key_that_has_ended_counts_for_nothing(
    proof: dict[str, Any],
) -> None:
    bundle = proven(PASS, BY, NOW - 2 * DAY, **proof) if proof else PASS

    assert answer(shop(end=NOW + SECOND), bundle) is Answer.ADMITTED
    assert answer(shop(end=NOW), bundle) is Answer.DENIED


def test_every_proven_time_must_lie_in_the_window() -> None:
    """One backdated proof beside an honest one proves nothing (V13)."""
    inside = proven(PASS, BY, NOW - 2 * DAY)
    policy = shop(NOW - 3 * DAY, NOW - DAY)

    assert answer(policy, inside) is Answer.ADMITTED
    assert answer(policy, proven(inside, BY, NOW - 36 * HOUR)) is Answer.ADMITTED
    for outside in (NOW - 4 * DAY, NOW - HOUR):
        assert answer(policy, proven(inside, BY, outside)) is Answer.DENIED
        assert answer(policy, proven(inside, BY, outside, log="v1")) is Answer.DENIED


def test_a_proof_that_is_a_lie_takes_its_bundle_away_and_no_other() -> None:
    forged = proven(PASS, BY, NOW - HOUR, log="v1", lies=Lies(forged_promise=True))
    decision = judged(shop(), [forged], STAGING)

    assert codes(decision) == ["PASS_MISSING", "SIGNATURE_INVALID"]
    assert answer(shop(), forged, PASS) is Answer.ADMITTED


def test_the_end_of_the_key_does_not_bound_what_is_proven() -> None:
    policy = shop(end=NOW + HOUR)
    bare = judged(policy, [PASS], STAGING)
    stamped = judged(policy, [proven(PASS, BY, NOW - DAY)], STAGING)

    assert bare.valid_until == NOW + HOUR
    assert stamped.valid_until == NOW + 27 * DAY


def test_the_proven_copy_of_a_pass_is_the_one_that_counts_in_any_order() -> None:
    """A registry's writer may add the same statement without its proof: that must hide nothing."""
    proof = proven(PASS, BY, NOW - DAY)
    for end in (NOW - HOUR, NOW + HOUR):
        policy = shop(end=end)
        orders = [[PASS, proof], [proof, PASS]]
        found = [judged(policy, order, STAGING) for order in orders]

        assert found[0] == found[1]
        assert found[0].valid_until == NOW + 27 * DAY


@pytest.mark.parametrize(("ahead", "counts"), [(5 * MINUTE, True), (5 * MINUTE + SECOND, False)])
@pytest.mark.parametrize("log", [None, "v1"])
def test_what_was_signed_ahead_of_now_does_not_count(
    log: str | None, ahead: timedelta, counts: bool
) -> None:
    decision = judged(shop(), [proven(PASS, BY, NOW + ahead, log=log)], STAGING)

    assert (decision.answer is Answer.ADMITTED) is counts
    assert codes(decision) == ([] if counts else ["FUTURE"])


def test_when_it_begins_to_count_is_foreseen() -> None:
    policy, bundles = shop(), [proven(PASS, BY, NOW + HOUR)]
    asked = Question(policy, IMAGE, STAGING, verified(policy, bundles))

    assert admitted_from([asked], NOW) == NOW + 55 * MINUTE


def test_how_long_it_counts_is_foreseen_without_the_end_of_its_key() -> None:
    policy = shop(end=NOW + HOUR)
    ends = []
    for bundle in (PASS, proven(PASS, BY, NOW - DAY)):
        asked = Question(policy, IMAGE, STAGING, verified(policy, [bundle]))
        ends.append(admitted_until([asked], NOW))

    assert ends == [NOW + HOUR, NOW + 27 * DAY]


Made = Callable[[], bytes]
KINDS: dict[str, tuple[str, str, Made]] = {
    "approval": ("release-managers", "alice", lambda: approval("alice")),
    "attestation": ("scanner", "scanner", scan),
    "pass": ("staging-cluster", "staging-cluster", lambda: signed_pass("staging")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("at", "counts", "code"),
    [
        (NOW - 2 * HOUR, True, ""),
        (NOW - HOUR, False, "SIGNER_UNKNOWN"),
        (NOW + HOUR, False, "FUTURE"),
    ],
)
def test_it_is_so_for_each_kind_of_evidence(
    kind: str, at: datetime, counts: bool, code: str
) -> None:
    attestor, by, make = KINDS[kind]
    entries = [window(by, None, NOW - HOUR)]
    if kind == "approval":
        entries += [key("bob")]
    policy = trusting({**FULL, f"attestors.{attestor}.keys": entries})
    own = make()
    others = [b for b in full_evidence() if _claim(b) != _claim(own) or _hint(b) != _hint(own)]
    decision = judged(policy, [*others, proven(own, by, at)])

    assert judged(policy, [*others, own]).answer is Answer.DENIED
    assert (decision.answer is Answer.ADMITTED) is counts
    assert code in ["", *codes(decision)]


SATURDAY = NOW + 2 * DAY


@pytest.mark.parametrize(
    ("at", "counts"), [(SATURDAY - HOUR, True), (NOW - HOUR, False), (SATURDAY + HOUR, False)]
)
def test_a_receipt_and_an_emergency_by_a_key_that_has_ended_count_by_their_time(
    at: datetime, counts: bool
) -> None:
    """Both are judged at the real now, but for the proven time of their own signature."""
    entries = {
        "attestors.prod-clusters.keys": [window("prod-eu", NOW, SATURDAY - 30 * MINUTE)],
        "attestors.incident-commanders.keys": [
            window("carol", NOW, SATURDAY - 30 * MINUTE),
            key("dave"),
        ],
    }
    policy = trusting({**FULL, **entries})
    broken = emergency(issued=SATURDAY - HOUR, valid_for=2 * HOUR)
    for bundle, by in ((receipt(), "prod-eu"), (broken, "carol")):
        bundles = [*full_evidence(), proven(bundle, by, at)]
        decision = judged(policy, bundles, now=SATURDAY)

        assert judged(policy, [*full_evidence(), bundle], now=SATURDAY).answer is Answer.DENIED
        assert (decision.answer is Answer.ADMITTED) is counts


def test_a_receipt_of_a_proven_time_is_not_bounded_by_the_end_of_its_key() -> None:
    ends = {"attestors.prod-clusters.keys": [window("prod-eu", None, SATURDAY + HOUR)]}
    policy = trusting({**FULL, **ends})
    entered = receipt(expires=SATURDAY + 9 * DAY)
    bare = judged(policy, [*full_evidence(), entered], PROD_EU, now=SATURDAY)
    stamped = judged(
        policy, [*full_evidence(), proven(entered, "prod-eu", NOW)], PROD_EU, now=SATURDAY
    )

    assert bare.valid_until == SATURDAY + HOUR
    assert stamped.valid_until == SATURDAY + 9 * DAY


def _claim(bundle: bytes) -> str:
    """The type of what is signed."""
    (found,) = verified(trusting(FULL), [bundle]).attestations
    return found.statement.predicate_type


def _hint(bundle: bytes) -> str:
    (found,) = verified(trusting(FULL), [bundle]).attestations
    return found.key_id
