"""Cases where manifests are required: a described release is compared with as a signed one is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.policy.cases import CasesError, PolicyCase, codes_of, read_cases
from tests.core.gated import OBJECTS, a_pod, gated
from tests.release.samples import CONFIG, DEPLOYMENT, SECRET, altered
from tests.world import DROP, NOW, VULNERABILITIES

ALLOW = [{"kinds": ["apps/Deployment"], "pointer": "/spec/replicas", "reason": "autoscaled"}]
OPEN = gated({"pipeline.stages.2.release": {"from": ["ci"], "allow": ALLOW, "secrets": "salted"}})
RELEASE: dict[str, Any] = {"stage": "production", "by": "ci", "objects": list(OBJECTS)}
EVIDENCE = [
    {"pass": {"stage": "test", "cluster": "test", "by": "test-cluster"}},
    {
        "pass": {
            "stage": "staging",
            "cluster": "staging",
            "by": "staging-cluster",
            "observed": "24h",
        }
    },
    {"attestation": {"type": VULNERABILITIES, "by": "scanner", "predicate": {}}},
]
GLASS = {"breakGlass": {"stage": "production", "by": "carol"}}


def case(
    document: Any, release: Any = RELEASE, evidence: Sequence[Any] = EVIDENCE
) -> dict[str, Any]:
    return {
        "name": "one",
        "now": format_time(NOW),
        "cluster": "prod-eu",
        "namespace": "shop",
        "object": document,
        **({"release": release} if release else {}),
        "evidence": list(evidence),
        "expect": {"decision": "admitted"},
    }


def read(raw: dict[str, Any]) -> PolicyCase:
    (found,) = read_cases(json.dumps({"cases": [raw]}), "cases.yaml", OPEN)
    return found


def judged(raw: dict[str, Any]) -> tuple[Answer, set[str]]:
    decision = read(raw).judge(OPEN)
    return decision.answer, {str(code) for code in codes_of(decision)}


@pytest.mark.parametrize("document", [*OBJECTS, a_pod()], ids=lambda d: d["kind"])
def test_what_is_described_is_admitted(document: dict[str, Any]) -> None:
    assert judged(case(document)) == (Answer.ADMITTED, set())


def test_the_allow_list_is_tried_out() -> None:
    """What a case is for: that an autoscaler may, and others may not."""
    assert judged(case(altered(DEPLOYMENT, spec__replicas=9)))[0] is Answer.ADMITTED
    other = judged(case(altered(DEPLOYMENT, spec__minReadySeconds=9)))
    assert other == (Answer.DENIED, {"MANIFEST_DIFFERS"})


def test_without_a_release_nothing_is() -> None:
    assert judged(case(CONFIG, None)) == (Answer.DENIED, {"MANIFEST_UNATTESTED"})


def test_whose_word_counts_is_the_policy_s() -> None:
    answer, codes = judged(case(CONFIG, {**RELEASE, "by": "scanner"}))
    assert (answer, codes) == (Answer.DENIED, {"MANIFEST_UNATTESTED"})


def test_a_release_of_another_stage_is_none() -> None:
    assert judged(case(CONFIG, {**RELEASE, "stage": "staging"}))[0] is Answer.DENIED


def test_its_images_need_their_evidence() -> None:
    assert judged(case(CONFIG, evidence=EVIDENCE[1:])) == (Answer.DENIED, {"PASS_MISSING"})


def test_break_glass_is_described_as_well() -> None:
    evil = altered(DEPLOYMENT, spec__minReadySeconds=9)
    found = judged(case(evil, evidence=[*EVIDENCE, GLASS]))
    assert found == (Answer.ADMITTED, {"BREAK_GLASS"})


def test_an_object_is_written_as_people_write_it() -> None:
    secret = altered(SECRET, metadata__namespace=DROP)
    release = {**RELEASE, "objects": [*OBJECTS, SECRET]}
    assert judged(case(secret, release))[0] is Answer.ADMITTED


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"by": "nobody"}, ".by", "no attestor and no owner is called 'nobody'"),
        ({"stage": "prod"}, ".stage", "no stage is called 'prod'"),
        ({"objects": []}, ".objects", "the list is empty"),
        ({"objects": [{"kind": "x"}]}, ".objects", "[0]: not a Kubernetes object"),
        ({"objects": [CONFIG, CONFIG]}, ".objects", "stands in [0] already"),
    ],
)
def test_a_mistake_is_named(changes: dict[str, Any], where: str, message: str) -> None:
    with pytest.raises(CasesError) as caught:
        read(case(CONFIG, {**RELEASE, **changes}))
    assert any(
        (error.where or "").endswith(f"cases[0].release{where}") and message in error.message
        for error in caught.value.errors
    ), caught.value
