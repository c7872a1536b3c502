"""Several pipelines over one place, enforcement after the answer, and decisions put together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stagepass.decision import Answer, Code, Decision, Enforcement, Violation, combine
from stagepass.digest import ImageRef
from stagepass.evidence import Evidence
from stagepass.policy.evaluate import evaluate, wanted
from stagepass.policy.refusals import enforcement_at
from stagepass.predicates.members import STAGE_ENTERED, STAGE_PASSED
from stagepass.stage import Place
from tests.world import (
    DIGEST,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    PROVENANCE,
    STAGING,
    TEST,
    VULNERABILITIES,
    codes,
    good_evidence,
    judged,
    policy_set,
    signed_pass,
)

SECURITY = """\
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: security}
images: ["registry.example.com/**"]
stages:
  - name: prod
    clusters: [prod-eu]
    namespaces: [shop]
    enforcement: ENFORCEMENT
    requires:
      - attestation: {name: approved, from: [ci], predicateType: TYPE}
"""
FOREIGN = ImageRef.parse(f"docker.io/library/nginx@{DIGEST}")
OTHER_TYPE = "https://example.com/approved/v1"


def both(predicate_type: str, enforcement: str = "enforce", **changes: Any) -> Decision:
    """The decision where a second pipeline covers the place and the image."""
    text = SECURITY.replace("TYPE", predicate_type).replace("ENFORCEMENT", enforcement)
    policy = policy_set(changes, extra={"security.yaml": text})
    return judged(policy, good_evidence())


def test_every_pipeline_over_a_place_must_admit_each_on_its_own_evidence() -> None:
    admitted = both(PROVENANCE)
    assert admitted.answer is Answer.ADMITTED
    assert admitted.places == (("security", "prod"), ("shop", "production"))
    assert (admitted.required, len(admitted.met)) == (4, 4)

    denied = both(OTHER_TYPE)
    assert denied.answer is Answer.DENIED
    assert [(v.pipeline, v.requirement) for v in denied.violations] == [("security", "approved")]


def test_a_pass_of_another_pipeline_is_no_pass() -> None:
    stranger = signed_pass("test", changes={"pipeline": "security"})

    assert codes(judged(policy_set(), [stranger], STAGING)) == ["PASS_MISSING"]


def test_a_pipeline_that_does_not_match_the_image_requires_nothing_of_it() -> None:
    text = SECURITY.replace("registry.example.com/**", "registry.example.com/cart/**")
    policy = policy_set(extra={"security.yaml": text.replace("ENFORCEMENT", "enforce")})

    assert judged(policy, good_evidence()).places == (("shop", "production"),)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("audit", "audit", "audit"),
        ("audit", "warn", "warn"),
        ("warn", "audit", "warn"),
        ("enforce", "audit", "enforce"),
    ],
)
def test_the_strictest_place_that_did_not_admit_is_enforced(
    first: str, second: str, expected: str
) -> None:
    text = SECURITY.replace("TYPE", OTHER_TYPE).replace("ENFORCEMENT", second)
    policy = policy_set({"pipeline.stages.2.enforcement": first}, extra={"security.yaml": text})

    assert str(judged(policy, []).enforcement) == expected


def test_a_place_that_admits_lends_its_enforcement_to_no_other() -> None:
    decision = both(OTHER_TYPE, "audit")

    assert decision.answer is Answer.DENIED
    assert (decision.enforcement, decision.allowed) == (Enforcement.AUDIT, True)


def test_where_all_admit_the_strictest_of_all_is_shown() -> None:
    assert both(PROVENANCE, "audit").enforcement is Enforcement.ENFORCE


@pytest.mark.parametrize(
    ("enforcement", "allowed", "warnings"),
    [("enforce", False, 0), ("warn", True, 1), ("audit", True, 0)],
)
def test_enforcement_changes_what_is_allowed_and_never_the_answer(
    enforcement: str, allowed: bool, warnings: int
) -> None:
    policy = policy_set({"pipeline.stages.1.enforcement": enforcement})
    denied, admitted = judged(policy, [], STAGING), judged(policy, good_evidence(), STAGING)

    assert (denied.answer, denied.allowed) == (Answer.DENIED, allowed)
    assert len(denied.warnings) == warnings
    assert (admitted.answer, admitted.allowed, admitted.warnings) == (Answer.ADMITTED, True, ())


def test_a_warning_is_one_line_for_each_unmet_requirement() -> None:
    policy = policy_set({"pipeline.stages.2.enforcement": "warn"})
    decision = judged(policy, [signed_pass("test", by="ci"), signed_pass("staging", by="ci")])

    assert [w.split(": ")[1] for w in decision.warnings] == [
        *("PASS_MISSING", "PASS_MISSING", "REQUIREMENT_MISSING")
    ]
    assert all("\n" not in warning for warning in decision.warnings)
    assert all(warning.startswith(f"{IMAGE}: ") for warning in decision.warnings)
    assert "SIGNER_UNKNOWN" in codes(decision)


@pytest.mark.parametrize(
    ("enforcement", "expected"), [("enforce", "enforce"), ("warn", "warn"), ("audit", "audit")]
)
def test_an_uncovered_image_in_a_listed_place_meets_the_strictest_stage_there(
    enforcement: str, expected: str
) -> None:
    """`unlisted: audit` is for places that no stage names, never for these."""
    changes = {"pipeline.stages.2.enforcement": enforcement, "defaults.unlisted": "audit"}
    policy = policy_set(changes)

    decision = judged(policy, [], PROD_EU, image=FOREIGN)
    assert (codes(decision), str(decision.enforcement)) == (["UNLISTED"], expected)


def test_a_tag_in_an_auditing_stage_is_denied_and_allowed() -> None:
    policy = policy_set({"pipeline.stages.1.enforcement": "audit"})
    decision = judged(policy, [], STAGING, image=ImageRef.parse("registry.example.com/shop/a:1"))

    assert (codes(decision), decision.answer) == (["DIGEST_REQUIRED"], Answer.DENIED)
    assert decision.allowed


def test_enforcement_before_an_image_is_known_is_the_strictest_of_the_place() -> None:
    policy = policy_set(
        {"pipeline.stages.1.enforcement": "warn", "defaults.unlisted": "audit"},
        extra={"s.yaml": SECURITY.replace("ENFORCEMENT", "audit")},
    )

    assert enforcement_at(policy, STAGING) is Enforcement.WARN
    assert enforcement_at(policy, PROD_EU) is Enforcement.ENFORCE
    assert enforcement_at(policy, Place("test", "other")) is Enforcement.AUDIT
    assert enforcement_at(policy, Place("unknown", "shop")) is Enforcement.ENFORCE


@pytest.mark.parametrize(
    ("place", "image", "types"),
    [
        (TEST, IMAGE, {PROVENANCE, STAGE_ENTERED}),
        (STAGING, IMAGE, {STAGE_PASSED, STAGE_ENTERED}),
        (PROD_EU, IMAGE, {STAGE_PASSED, STAGE_ENTERED, VULNERABILITIES}),
        (PROD_EU, FOREIGN, set()),
        (Place("unknown", "shop"), IMAGE, set()),
    ],
)
def test_what_is_wanted_are_the_types_that_could_matter(
    place: Place, image: ImageRef, types: set[str]
) -> None:
    assert wanted(policy_set(), image, place) == types


DENIED = judged(policy_set(), [], STAGING)
ADMITTED = judged(policy_set(), good_evidence(), STAGING)
UNDETERMINED = replace(DENIED, answer=Answer.UNDETERMINED)


@pytest.mark.parametrize(
    ("parts", "worst"),
    [
        ([ADMITTED, ADMITTED], Answer.ADMITTED),
        ([ADMITTED, UNDETERMINED], Answer.UNDETERMINED),
        ([UNDETERMINED, DENIED], Answer.DENIED),
        ([DENIED, ADMITTED], Answer.DENIED),
    ],
)
def test_of_several_decisions_the_worst_is_the_answer(parts: list[Decision], worst: Answer) -> None:
    for order in (parts, parts[::-1]):
        assert combine(order).answer is worst


def test_nothing_judged_is_never_admitted() -> None:
    with pytest.raises(ValueError, match="no decisions to combine"):
        combine([])


def test_what_is_put_together_counts_every_requirement_and_ends_with_the_first_edge() -> None:
    sooner = replace(ADMITTED, valid_until=NOW + HOUR)
    whole = combine([ADMITTED, sooner, replace(ADMITTED, valid_until=None)])

    assert (whole.required, len(whole.met)) == (3, 3)
    assert whole.valid_until == NOW + HOUR
    assert combine([ADMITTED]).valid_until == NOW - HOUR + timedelta(days=30)


def test_a_decision_cannot_be_admitted_by_default() -> None:
    """Success is an explicit value, n of n met, never the absence of an error."""
    violation = Violation("", "", "", "", "", Code.UNLISTED, "")
    for parts in (
        {"answer": Answer.ADMITTED, "violations": (violation,)},
        {"answer": Answer.DENIED},
        {"answer": Answer.UNDETERMINED},
        {"answer": Answer.ADMITTED, "required": 1},
        {"answer": Answer.ADMITTED, "met": ADMITTED.met},
    ):
        with pytest.raises(ValueError, match="admitted"):
            Decision(enforcement=Enforcement.AUDIT, **parts)


def test_a_violation_carries_the_field_it_is_about() -> None:
    assert {v.path for v in DENIED.at("spec.containers[0].image").violations} == {
        "spec.containers[0].image"
    }


def test_the_same_arguments_give_the_same_decision() -> None:
    policy = policy_set()
    evidence = Evidence()

    first = evaluate(policy, IMAGE, PROD_EU, evidence, now=NOW)
    assert evaluate(policy, IMAGE, PROD_EU, evidence, now=NOW) == first
