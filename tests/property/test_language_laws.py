"""The laws of DESIGN section 2 over the whole policy language, each named by its test."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stagepass.decision import Answer, Code, Decision
from stagepass.policy.evaluate import evaluate
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import NO_CLAIMS, Attested, Claim
from stagepass.predicates.members import BREAK_GLASS, STAGE_ENTERED
from stagepass.stage import Place
from tests.policy.signed import APPROVED_BY_TWO, receipt
from tests.property.language import (
    ARCHIVE,
    FOREIGN,
    bundles,
    changes,
    evidence,
    moments,
    places,
    world,
)
from tests.property.releases import claims, named
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
    {"pipeline.stages.1.manifests": "required"},
    {"pipeline.stages.2.manifests": "required"},
    {"pipeline.stages.3.after": [{"stage": "production", "soak": "48h"}]},
]


def decide(
    policy: PolicySet,
    some: list[str],
    place: Place,
    now: datetime = NOW,
    *more: bytes,
    claims: Mapping[str, Claim] = NO_CLAIMS,
) -> Decision:
    return evaluate(policy, IMAGE, place, evidence(some, *more), now=now, claims=claims)


@LAW
@given(changes, bundles, bundles, places, moments, claims)
def test_more_evidence_never_turns_admitted_into_denied(
    altered: dict[str, Any],
    some: list[str],
    more: list[str],
    place: Place,
    now: datetime,
    claims: dict[str, Claim],
) -> None:
    policy = world(altered)
    if decide(policy, some, place, now, claims=claims).answer is Answer.ADMITTED:
        assert decide(policy, some + more, place, now, claims=claims).answer is Answer.ADMITTED


@LAW
@given(changes, bundles, places, moments, SHUFFLE, claims)
def test_the_order_of_evidence_never_matters_to_any_field(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    shuffle: random.Random,
    claims: dict[str, Claim],
) -> None:
    policy, mixed = world(altered), list(some)
    shuffle.shuffle(mixed)

    decision = decide(policy, some, place, now, claims=claims)
    assert decide(policy, mixed, place, now, claims=claims) == decision
    assert decide(policy, some + mixed, place, now, claims=claims).answer is decision.answer
    assert repr(decide(policy, some, place, now, claims=claims)) == repr(decision)


@LAW
@given(changes, bundles, places, moments, SHUFFLE, claims)
def test_the_order_of_lists_in_the_policy_never_matters_to_any_field(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    shuffle: random.Random,
    claims: dict[str, Claim],
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
    assert decide(one, some, place, now, claims=claims) == decide(
        other, some, place, now, claims=claims
    )


@LAW
@given(
    changes, bundles, places, moments, st.lists(st.sampled_from(list(FOREIGN)), min_size=1), claims
)
def test_a_key_that_may_not_sign_something_never_changes_the_outcome(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    foreign: list[str],
    claims: dict[str, Claim],
) -> None:
    """No jump: a stolen key opens its own step, in its own cluster, and nothing else."""
    policy = world(altered)
    before, after = (
        decide(policy, names, place, now, claims=claims) for names in (some, some + foreign)
    )

    assert (after.answer, after.met, after.allowed) == (before.answer, before.met, before.allowed)
    assert (after.notes, after.notices) == (before.notes, before.notices)
    assert after.valid_until == before.valid_until
    assert {v.requirement for v in after.violations} == {v.requirement for v in before.violations}


@LAW
@given(changes, bundles, places, moments, st.sampled_from(STRICTER), claims)
def test_a_requirement_a_window_a_baseline_or_a_pipeline_more_never_admits_more(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    stricter: dict[str, Any],
    claims: dict[str, Claim],
) -> None:
    """A place and image that only the further pipeline covers become listed by it; that may admit."""
    (path,) = stricter
    altered = {name: value for name, value in altered.items() if name != path}
    policy = world(altered)
    listed = any(pipeline.covers(IMAGE) for pipeline, _ in policy.at(place))

    if (
        decide(world({**altered, **stricter}), some, place, now, claims=claims).answer
        is Answer.ADMITTED
    ):
        assert (
            not listed or decide(policy, some, place, now, claims=claims).answer is Answer.ADMITTED
        )


@LAW
@given(changes, bundles, places, moments, claims)
def test_a_receipt_or_a_break_glass_never_makes_a_pass(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    claims: dict[str, Claim],
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
    without = evaluate(
        policy, IMAGE, place, replace(found, attestations=kept), now=now, claims=claims
    )

    decision = decide(policy, some, place, now, claims=claims)
    assert decision == without
    if decision.answer is Answer.ADMITTED and Code.BREAK_GLASS not in decision.notes:
        assert not {m.predicate_type for m in decision.met} & {STAGE_ENTERED, BREAK_GLASS}


@LAW
@given(changes, bundles, places, moments, st.floats(0, 1), st.integers(1, 10**9), claims)
def test_an_admission_holds_at_every_moment_before_the_edge_it_names(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    share: float,
    microseconds: int,
    claims: dict[str, Claim],
) -> None:
    """What a cache relies on, which also keeps an answer for an hour where there is no edge."""
    policy = world(altered)
    decision = decide(policy, some, place, now, claims=claims)
    if decision.answer is not Answer.ADMITTED:
        return
    edge = decision.valid_until or now + 100 * DAY
    if edge <= now:
        return
    for later in (now + (edge - now) * share, edge - timedelta(microseconds=microseconds)):
        if now <= later < edge:
            assert decide(policy, some, place, later, claims=claims).answer is Answer.ADMITTED


@LAW
@given(changes, bundles, PLACES_OF_STAGES, moments, moments, bundles, claims)
def test_a_running_version_can_always_restart_in_its_place(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    entered: datetime,
    later: datetime,
    more: list[str],
    claims: dict[str, Claim],
) -> None:
    """Under an unchanged policy, while its signatures stand and nothing is revoked."""
    lasting = {n: v for n, v in altered.items() if n not in ("floor", "list", "second")}
    policy = world(lasting)
    entry = decide(policy, some, place, entered, claims=claims)
    if entry.answer is not Answer.ADMITTED or entry.notes:
        return
    stage, signer = SIGNERS[place]
    here = {"stage": stage, "environment.clusterName": place.cluster}
    if isinstance(claim := claims.get("shop"), Attested):
        here |= named(claim)
    stays = receipt(signer, entered=entered.replace(microsecond=0), changes=here)
    if signer == "staging-cluster" and later.year > 2026:  # its key has ended, and its receipts
        return

    restarted = decide(policy, some + more, place, max(entered, later), stays, claims=claims)
    assert restarted.answer is Answer.ADMITTED
    assert restarted.notes == ()
