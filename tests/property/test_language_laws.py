"""The laws of DESIGN section 2 over the whole policy language, each named by its test."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from stagepass.decision import Answer, Code, Decision
from stagepass.policy.evaluate import evaluate, wanted
from stagepass.policy.model import PolicySet
from stagepass.predicates.members import BREAK_GLASS, STAGE_ENTERED
from stagepass.stage import Place
from tests.policy.signed import APPROVED_BY_TWO, receipt
from tests.property.language import (
    ARCHIVE,
    FOREIGN,
    GOOD,
    bundles,
    changes,
    evidence,
    moments,
    places,
    world,
)
from tests.property.worlds import LAW
from tests.world import DAY, IMAGE, NOW, PROD_EU, PROD_US, STAGING, TEST

SHUFFLE = st.randoms(use_true_random=False)
PLACES_OF_STAGES = st.sampled_from([TEST, STAGING, PROD_EU, PROD_US, ARCHIVE])
SIGNERS = {
    TEST: ("test", "test-cluster"),
    STAGING: ("staging", "staging-cluster"),
    PROD_EU: ("production", "prod-eu"),
    PROD_US: ("production", "prod-us"),
    ARCHIVE: ("archive", "security"),
}
STRICTER = [
    {"floor": True},
    {"second": True},
    {"pipeline.stages.2.requires.2": {"approval": {"from": ["security"]}}},
    {"pipeline.stages.2.requires.2": APPROVED_BY_TWO},
    {"pipeline.stages.2.windows": [{"deny": "00:00 - 23:59", "timezone": "UTC"}]},
    {"pipeline.stages.2.requires.0.approval.threshold": 3},
    {"pipeline.stages.2.requires.0.approval.maxAge": "1s"},
    {"pipeline.stages.2.requires.1.attestation.where": "false"},
    {"pipeline.stages.2.requires.1.attestation.maxAge": "1s"},
    {"pipeline.stages.2.after.0.soak": "25h"},
    {"pipeline.stages.2.breakGlass.threshold": 3},
    {"pipeline.stages.2.breakGlass.maxDuration": "1s"},
    {"pipeline.stages.1.requires": [APPROVED_BY_TWO]},
    {"pipeline.stages.3.after": [{"stage": "production", "soak": "48h"}]},
]


def decide(
    policy: PolicySet, some: list[str], place: Place, now: datetime = NOW, *more: bytes
) -> Decision:
    return evaluate(policy, IMAGE, place, evidence(some, *more), now=now)


@LAW
@given(changes, bundles, bundles, places, moments)
def test_more_evidence_never_turns_admitted_into_denied(
    altered: dict[str, Any], some: list[str], more: list[str], place: Place, now: datetime
) -> None:
    policy = world(altered)
    if decide(policy, some, place, now).answer is Answer.ADMITTED:
        assert decide(policy, some + more, place, now).answer is Answer.ADMITTED


@LAW
@given(changes, bundles, places, moments, SHUFFLE)
def test_the_order_of_evidence_never_matters_to_any_field(
    altered: dict[str, Any], some: list[str], place: Place, now: datetime, shuffle: random.Random
) -> None:
    policy, mixed = world(altered), list(some)
    shuffle.shuffle(mixed)

    decision = decide(policy, some, place, now)
    assert decide(policy, mixed, place, now) == decision
    assert decide(policy, some + mixed, place, now).answer is decision.answer
    assert repr(decide(policy, some, place, now)) == repr(decision)


@LAW
@given(changes, bundles, places, moments, SHUFFLE)
def test_the_order_of_lists_in_the_policy_never_matters_to_any_field(
    altered: dict[str, Any], some: list[str], place: Place, now: datetime, shuffle: random.Random
) -> None:
    lists = {
        "pipeline.stages.2.signedBy": ["prod-clusters", "incident-commanders"],
        "pipeline.stages.2.clusters": ["prod-eu", "prod-us"],
        "pipeline.stages.2.namespaces": ["shop", "shop-*"],
        "pipeline.stages.2.breakGlass.from": ["incident-commanders", "security"],
        "pipeline.stages.2.requires.0.approval.from": ["release-managers", "security"],
        **({"defaults.exempt": altered["defaults.exempt"]} if "defaults.exempt" in altered else {}),
    }
    mixed = {path: shuffle.sample(items, len(items)) for path, items in lists.items()}

    one, other = (world({**altered, **each}) for each in (lists, mixed))
    assert decide(one, some, place, now) == decide(other, some, place, now)


@LAW
@given(changes, bundles, places, moments, st.lists(st.sampled_from(list(FOREIGN)), min_size=1))
def test_a_key_that_may_not_sign_something_never_changes_the_outcome(
    altered: dict[str, Any], some: list[str], place: Place, now: datetime, foreign: list[str]
) -> None:
    """No jump: a stolen key opens its own step, in its own cluster, and nothing else."""
    policy = world(altered)
    before, after = (decide(policy, names, place, now) for names in (some, some + foreign))

    assert (after.answer, after.met, after.allowed) == (before.answer, before.met, before.allowed)
    assert (after.notes, after.notices) == (before.notes, before.notices)
    assert after.valid_until == before.valid_until
    assert {v.requirement for v in after.violations} == {v.requirement for v in before.violations}


@LAW
@given(changes, bundles, places, moments, st.sampled_from(STRICTER))
def test_a_requirement_a_window_a_baseline_or_a_pipeline_more_never_admits_more(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    stricter: dict[str, Any],
) -> None:
    """A place and image that only the further pipeline covers become listed by it; that may admit."""
    (path,) = stricter
    altered = {name: value for name, value in altered.items() if name != path}
    policy = world(altered)
    listed = any(pipeline.covers(IMAGE) for pipeline, _ in policy.at(place))

    if decide(world({**altered, **stricter}), some, place, now).answer is Answer.ADMITTED:
        assert not listed or decide(policy, some, place, now).answer is Answer.ADMITTED


@LAW
@given(changes, bundles, places, moments)
def test_a_receipt_or_a_break_glass_never_makes_a_pass(
    altered: dict[str, Any], some: list[str], place: Place, now: datetime
) -> None:
    """What other stages let in or excused changes nothing about this one."""
    policy = world(altered)
    found = evidence(some)
    stages = {stage.name for _, stage in policy.at(place)}
    kept = tuple(
        a
        for a in found.attestations
        if a.statement.predicate_type not in (STAGE_ENTERED, BREAK_GLASS)
        or a.statement.predicate.get("stage", "") in stages
        or a.statement.predicate.get("scope", {}).get("stage", "") in stages
    )
    without = evaluate(policy, IMAGE, place, replace(found, attestations=kept), now=now)

    decision = decide(policy, some, place, now)
    assert decision == without
    if decision.answer is Answer.ADMITTED and Code.BREAK_GLASS not in decision.notes:
        assert not {m.predicate_type for m in decision.met} & {STAGE_ENTERED, BREAK_GLASS}


@LAW
@given(changes, bundles, places, moments)
def test_what_is_excused_is_told_and_never_kept(
    altered: dict[str, Any], some: list[str], place: Place, now: datetime
) -> None:
    decision = decide(world(altered), some, place, now)
    excused = {Code.BREAK_GLASS, Code.EXEMPT} & set(decision.notes)

    if excused:
        assert decision.notices
        assert decision.warnings[: len(decision.notices)] == decision.notices
        assert decision.valid_until is not None
        assert decision.valid_until <= now
    if Code.BREAK_GLASS in excused:
        ordinary = [name for name in some if "glass" not in name]
        assert decide(world(altered), ordinary, place, now).answer is not Answer.ADMITTED


@LAW
@given(changes, bundles, places, moments, st.floats(0, 1), st.integers(1, 10**9))
def test_an_admission_holds_at_every_moment_before_the_edge_it_names(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    share: float,
    microseconds: int,
) -> None:
    """What a cache relies on, which also keeps an answer for an hour where there is no edge."""
    policy = world(altered)
    decision = decide(policy, some, place, now)
    if decision.answer is not Answer.ADMITTED:
        return
    edge = decision.valid_until or now + 100 * DAY
    if edge <= now:
        return
    for later in (now + (edge - now) * share, edge - timedelta(microseconds=microseconds)):
        if now <= later < edge:
            assert decide(policy, some, place, later).answer is Answer.ADMITTED


@LAW
@given(changes, bundles, PLACES_OF_STAGES, moments, moments, bundles)
def test_a_running_version_can_always_restart_in_its_place(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    entered: datetime,
    later: datetime,
    more: list[str],
) -> None:
    """Under an unchanged policy, while its signatures stand and nothing is revoked."""
    lasting = {n: v for n, v in altered.items() if n not in ("floor", "list", "second")}
    policy = world(lasting)
    entry = decide(policy, some, place, entered)
    if entry.answer is not Answer.ADMITTED or entry.notes:
        return
    stage, signer = SIGNERS[place]
    here = {"stage": stage, "environment.clusterName": place.cluster}
    stays = receipt(signer, entered=entered.replace(microsecond=0), changes=here)
    if signer == "staging-cluster" and later.year > 2026:  # its key has ended, and its receipts
        return

    restarted = decide(policy, some + more, place, max(entered, later), stays)
    assert restarted.answer is Answer.ADMITTED
    assert restarted.notes == ()


@LAW
@given(changes, bundles, places, moments)
def test_an_answer_says_why(
    altered: dict[str, Any], some: list[str], place: Place, now: datetime
) -> None:
    policy = world(altered)
    decision = decide(policy, some, place, now)

    assert decision.violations == tuple(sorted(set(decision.violations)))
    if decision.answer is Answer.ADMITTED:
        assert len(decision.met) == decision.required
        assert {m.predicate_type for m in decision.met} <= wanted(policy, IMAGE, place)
    else:
        assert decision.unmet


@pytest.mark.parametrize("place", [TEST, STAGING, PROD_EU, PROD_US, ARCHIVE])
@pytest.mark.parametrize("answer", [Answer.ADMITTED, Answer.DENIED])
def test_the_laws_are_tried_on_admitted_and_on_denied(place: Place, answer: Answer) -> None:
    found = find(
        bundles, lambda some: decide(world({}), some, place).answer is answer, settings=LAW
    )

    assert decide(world({}), found, place).answer is answer


@pytest.mark.parametrize("note", [Code.EXEMPT, Code.BREAK_GLASS])
def test_the_laws_are_tried_on_what_is_excused(note: Code) -> None:
    def excused(tried: tuple[dict[str, Any], list[str]]) -> bool:
        altered, some = tried
        return note in decide(world(altered), some, PROD_EU).notes

    altered, some = find(st.tuples(changes, bundles), excused, settings=LAW)
    assert excused((altered, some))


def test_the_laws_are_tried_on_what_only_a_receipt_lets_stay() -> None:
    saturday = NOW + 2 * DAY
    names = [*GOOD, "entered prod-eu"]

    assert decide(world({}), names, PROD_EU, saturday).answer is Answer.ADMITTED
    assert decide(world({}), list(GOOD), PROD_EU, saturday).answer is Answer.DENIED
