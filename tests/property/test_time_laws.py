"""The laws hold where times are proven: more proof is never worse, and no authority's word is a signature."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from stagepass.clock import format_time
from stagepass.decision import Answer, Decision
from stagepass.evidence import Attestation, Candidate, Evidence, Rejection
from stagepass.policy.evaluate import evaluate
from stagepass.policy.model import PolicySet
from stagepass.policy.outlook import Question, admitted_from, admitted_until
from stagepass.predicates.revocation import Entry
from tests.keyless.keyed import proven, trusting
from tests.policy.signed import key, revocation_list
from tests.property.worlds import LAW
from tests.simulators.sigstore import Lies
from tests.world import DAY, DIGEST, DROP, HOUR, IMAGE, NOW, PROD_EU, SECOND, signed_pass, signer

MINUTE = timedelta(minutes=1)
SIGNERS = {"test": "test-cluster", "staging": "staging-cluster"}
MOMENTS = [NOW + n * HOUR for n in (-48, -24, -2, 0, 1, 24)]
_MIGHT = [NOW + n * HOUR for n in (-49, -25, -24, -3, -1)] + [NOW + 5 * MINUTE, NOW + 30 * MINUTE]
_STRANGERS = ("ci", "prod-eu", "stranger")


def _passes(note: str, **proof: Any) -> dict[str, bytes]:
    return {
        f"{stage}, {note}": proven(signed_pass(stage, at=NOW - 50 * HOUR), by, **proof)
        for stage, by in SIGNERS.items()
    }


BARE = {f"{stage}, bare": signed_pass(stage, at=NOW - 50 * HOUR) for stage in SIGNERS}
PROVEN = {
    name: bundle
    for at in _MIGHT
    for log in (None, "v1")
    for name, bundle in _passes(f"{log or 'tsa'} {format_time(at)}", at=at, log=log).items()
}
TWICE = {
    f"{name} and {format_time(at)}": proven(bundle, SIGNERS[name.partition(",")[0]], at)
    for name, bundle in list(PROVEN.items())[:8]
    for at in (NOW - 25 * HOUR, NOW + 30 * MINUTE)
}
LIES = {
    **_passes("forged", at=NOW - DAY, log="v1", lies=Lies(forged_promise=True)),
    **_passes("of other bytes", at=NOW - DAY, lies=Lies(foreign_stamp=True)),
    **_passes("of nobody", at=NOW - DAY, instance="stranger"),
}
FOREIGN = {
    f"{stage}, by {by}": proven(signed_pass(stage, by=by, at=NOW - 50 * HOUR), by, NOW - DAY)
    for stage in SIGNERS
    for by in _STRANGERS
}
ALL = {**BARE, **PROVEN, **TWICE, **LIES, **FOREIGN}

edges = st.sampled_from([None, *MOMENTS])
bundles = st.lists(st.sampled_from(list(ALL)), max_size=6)
likely = st.builds(
    lambda first, second, more: [f"test, {first}", f"staging, {second}", *more],
    *[st.sampled_from([name.partition(", ")[2] for name in (*BARE, *PROVEN)])] * 2,
    bundles,
)
windows = st.fixed_dictionaries(
    {f"{by} {end}": edges for by in SIGNERS.values() for end in ("validFrom", "validUntil")}
)
lists = st.dictionaries(st.sampled_from([*SIGNERS.values()]), edges, max_size=1)


@cache
def _world(ends: tuple[tuple[str, datetime | None], ...], stolen: Any) -> PolicySet:
    changes: dict[str, Any] = {}
    for by in SIGNERS.values():
        given_ends = {
            name.partition(" ")[2]: format_time(at)
            for name, at in ends
            if name.startswith(f"{by} ") and at is not None
        }
        changes[f"attestors.{by}.keys"] = [key(by, **given_ends)]
    entries = [
        Entry("key", signer(by).private.public.id, "stolen", compromised_since=since)
        for by, since in stolen
    ]
    changes["pipeline.stages.2.requires"] = DROP
    return trusting(changes, revoked=revocation_list(*entries, expires=NOW + 99 * DAY))


worlds = st.builds(
    lambda ends, stolen: _world(tuple(sorted(ends.items())), tuple(stolen.items())), windows, lists
)


@cache
def _verified(name: str) -> Attestation | Rejection:
    return trusting().keys.verify(Candidate(ALL[name], name), DIGEST)


def evidence(names: list[str]) -> Evidence:
    """What a key ring with times makes of these, in this order."""
    found = [_verified(name) for name in names]
    return Evidence(
        tuple(item for item in found if isinstance(item, Attestation)),
        tuple(item for item in found if isinstance(item, Rejection)),
    )


def decide(policy: PolicySet, names: list[str], now: datetime = NOW) -> Decision:
    return evaluate(policy, IMAGE, PROD_EU, evidence(names), now=now)


def admitted(policy: PolicySet, names: list[str], now: datetime = NOW) -> bool:
    return decide(policy, names, now).answer is Answer.ADMITTED


@LAW
@given(worlds, likely | bundles, bundles)
def test_more_proof_never_turns_a_yes_into_a_no(
    policy: PolicySet, some: list[str], more: list[str]
) -> None:
    """Two copies of one statement are two candidates: the worse hides nothing."""
    if admitted(policy, some):
        assert admitted(policy, some + more)
        assert admitted(policy, more + some)


@LAW
@given(worlds, likely | bundles)
def test_the_order_of_arrival_never_shows(policy: PolicySet, some: list[str]) -> None:
    assert decide(policy, some) == decide(policy, some[::-1])


@LAW
@given(
    worlds, st.lists(st.sampled_from([*FOREIGN, *LIES]), max_size=12), st.sampled_from([*SIGNERS])
)
def test_the_word_of_an_authority_replaces_no_signer(
    policy: PolicySet, some: list[str], stage: str
) -> None:
    """No jump: without a pass by the stage's own signer nothing that strangers prove opens it."""
    others = [name for name in (*BARE, *PROVEN) if not name.startswith(f"{stage},")]
    useless = [name for name in some if "of nobody" not in name]

    assert not admitted(policy, [*others, *useless])


@LAW
@given(worlds, likely, st.integers(1, 10**13))
def test_an_admission_holds_up_to_the_edge_it_names(
    policy: PolicySet, some: list[str], microseconds: int
) -> None:
    decision = decide(policy, some)
    if decision.answer is Answer.ADMITTED:
        assert decision.valid_until is not None
        later = max(NOW, decision.valid_until - timedelta(microseconds=microseconds))
        assert admitted(policy, some, later)


@settings(LAW, max_examples=100)
@given(worlds, likely | bundles, st.sampled_from([n / 100 for n in range(100)]))
def test_what_the_clock_will_do_is_foreseen(
    policy: PolicySet, some: list[str], share: float
) -> None:
    asked = Question(policy, IMAGE, PROD_EU, evidence(some))
    for found, wanted in (
        (admitted_from([asked], NOW), True),
        (admitted_until([asked], NOW), False),
    ):
        last = found or NOW + 99 * DAY
        if found is not None:
            assert admitted(policy, some, found) is wanted
        if last != NOW:
            assert admitted(policy, some, NOW + share * (last - NOW)) is not wanted
            assert admitted(policy, some, last - SECOND) is not wanted


@pytest.mark.parametrize("answer", [Answer.ADMITTED, Answer.DENIED])
@pytest.mark.parametrize("code", ["", "REVOKED", "FUTURE"])
def test_the_laws_are_tried_on_both_answers_and_on_all_that_times_can_refuse(
    answer: Answer, code: str
) -> None:
    def is_one(world: tuple[PolicySet, list[str]]) -> bool:
        decision = decide(*world)
        codes = {"", *(str(v.code) for v in decision.violations)}
        return decision.answer is answer and (answer is Answer.ADMITTED or code in codes)

    found = find(st.tuples(worlds, likely), is_one, settings=settings(LAW, phases=[Phase.generate]))
    assert is_one(found)
