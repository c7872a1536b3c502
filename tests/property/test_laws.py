"""The laws of DESIGN section 2, each named by its test."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from stagepass.cli.report import exit_code, judged_image, to_json
from stagepass.decision import Answer, Decision
from stagepass.policy.evaluate import evaluate, wanted
from stagepass.policy.load import load
from stagepass.policy.model import PolicySet
from stagepass.stage import Place
from tests.property import worlds
from tests.property.worlds import ARCHIVE, LAW, bundles, changes, places, world
from tests.world import IMAGE, NOW, policy_files, variant

SHUFFLE = st.randoms(use_true_random=False)
MORE_REQUIRED = {
    "attestation": {
        "name": "signed off",
        "from": ["scanner"],
        "predicateType": "https://example.com/signed-off/v1",
    }
}
COVERING = """\
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: NAME}
images: ["registry.example.com/**"]
stages:
  - {name: s1, clusters: [test, staging, prod-eu], namespaces: [shop], signedBy: [ci]}
  - {name: s2, clusters: [prod-us, archive], namespaces: ["*"], after: [s1]}
"""


def decide(policy: PolicySet, some: list[str], place: Place, now: datetime = NOW) -> Decision:
    return evaluate(policy, IMAGE, place, worlds.evidence(some), now=now)


def admitted(policy: PolicySet, some: list[str], place: Place) -> bool:
    return decide(policy, some, place).answer is Answer.ADMITTED


@LAW
@given(changes, bundles, bundles, places)
def test_more_evidence_never_turns_admitted_into_denied(
    altered: dict[str, Any], some: list[str], more: list[str], place: Place
) -> None:
    """Monotone: so nobody gains by hiding evidence, and junk hides nothing."""
    policy = world(altered)
    if admitted(policy, some, place):
        assert admitted(policy, some + more, place)
        assert admitted(policy, more + some, place)


@LAW
@given(changes, bundles, places, SHUFFLE)
def test_the_order_of_evidence_never_matters(
    altered: dict[str, Any], some: list[str], place: Place, shuffle: random.Random
) -> None:
    policy, mixed = world(altered), list(some)
    shuffle.shuffle(mixed)

    assert decide(policy, mixed, place) == decide(policy, some, place)


@LAW
@given(changes, bundles, places, SHUFFLE)
def test_the_order_of_files_documents_and_stages_never_matters(
    altered: dict[str, Any], some: list[str], place: Place, shuffle: random.Random
) -> None:
    text = variant({**worlds.BASE, **altered})
    documents = [json.loads(document) for document in text.split("---")]
    shuffle.shuffle(documents[1]["stages"])
    for stage in documents[1]["stages"]:
        for listed in ("clusters", "namespaces", "signedBy", "requires"):
            shuffle.shuffle(stage.get(listed, []))
    names = ["a.yaml", "m.yml", "z.yaml"]
    shuffle.shuffle(names)
    files = {n: json.dumps(d).encode() for n, d in zip(names, documents, strict=True)}
    files |= {n: data for n, data in policy_files().items() if n != "policy.yaml"}

    assert decide(load(files, ""), some, place) == decide(world(altered), some, place)


@LAW
@given(changes, bundles, places, worlds.foreign)
def test_a_key_that_may_not_sign_for_a_stage_never_changes_its_outcome(
    altered: dict[str, Any], some: list[str], place: Place, foreign: list[str]
) -> None:
    """No jump: one stolen key opens its own step, in its own cluster, and nothing else."""
    policy = world(altered)
    before, after = decide(policy, some, place), decide(policy, some + foreign, place)

    assert (after.answer, after.met, after.allowed) == (before.answer, before.met, before.allowed)
    assert {v.requirement for v in after.violations} == {v.requirement for v in before.violations}


@LAW
@given(changes, bundles, places, st.integers(0, 3))
def test_another_requirement_never_admits_more(
    altered: dict[str, Any], some: list[str], place: Place, stage: int
) -> None:
    requires = {0: 1, 1: 0, 2: 1, 3: 0}[stage]
    path = f"pipeline.stages.{stage}.requires" + (f".{requires}" if requires else "")
    stricter = world({**altered, path: MORE_REQUIRED if requires else [MORE_REQUIRED]})

    if admitted(stricter, some, place):
        assert admitted(world(altered), some, place)


@LAW
@given(changes, bundles, places, st.sampled_from(["aaa", "zzz"]))
def test_another_pipeline_over_a_place_never_admits_more_of_what_was_listed(
    altered: dict[str, Any], some: list[str], place: Place, name: str
) -> None:
    """A place and image that no pipeline covered become listed by it; that alone may admit."""
    policy = world(altered)
    wider = world(altered, COVERING.replace("NAME", name))
    listed = any(pipeline.covers(IMAGE) for pipeline, _ in policy.at(place))

    if listed and admitted(wider, some, place):
        assert admitted(policy, some, place)


@LAW
@given(changes, bundles, places)
def test_a_decision_is_deterministic(
    altered: dict[str, Any], some: list[str], place: Place
) -> None:
    assert decide(world(altered), some, place) == decide(world(altered), list(some), place)


@LAW
@given(changes, bundles, places)
def test_exit_code_zero_names_the_evidence_of_everything_that_was_required(
    altered: dict[str, Any], some: list[str], place: Place
) -> None:
    policy = world(altered)
    decision = decide(policy, some, place)
    line = to_json(judged_image(IMAGE, place.namespace, decision), policy.revision)

    if exit_code([decision]) == 0:
        assert line["violations"] == []
        assert len(line["evidence"]) == line["required"]
        assert bool(line["evidence"]) == bool(wanted(policy, IMAGE, place))
    else:
        assert line["violations"]


@LAW
@given(changes, bundles, places, st.integers(1, 10**13))
def test_an_admission_holds_up_to_the_edge_it_names(
    altered: dict[str, Any], some: list[str], place: Place, microseconds: int
) -> None:
    """What a cache relies on."""
    policy = world(altered)
    decision = decide(policy, some, place)
    if decision.answer is Answer.ADMITTED and decision.valid_until is not None:
        later = max(NOW, decision.valid_until - timedelta(microseconds=microseconds))
        assert decide(policy, some, place, later).answer is Answer.ADMITTED


@pytest.mark.parametrize("answer", [Answer.ADMITTED, Answer.DENIED])
@pytest.mark.parametrize("place", worlds.PLACES[:5])
def test_the_laws_are_tried_on_admitted_and_on_denied(answer: Answer, place: Place) -> None:
    policy = world({})

    found = find(
        bundles,
        lambda some: decide(policy, some, place).answer is answer,
        settings=settings(LAW, phases=[Phase.generate]),
    )
    assert decide(policy, found, place).answer is answer


def test_the_whole_chain_admits_to_the_end_and_without_any_link_does_not() -> None:
    policy = world({})
    needed = [name for name in worlds.GOOD if "@" in name]

    assert len(needed) == 4
    assert admitted(policy, needed, ARCHIVE)
    for missing in needed:
        assert not admitted(policy, [name for name in needed if name != missing], ARCHIVE)
