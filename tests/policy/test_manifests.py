"""Where manifests are required: which evidence counts for an object of a release, and for one of none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from stagepass.decision import Answer, Code, Decision, combine
from stagepass.digest import Digest
from stagepass.policy.evaluate import evaluate, wanted
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import Attested, Claim, Unattested
from stagepass.stage import Place
from tests.policy.signed import (
    approval,
    emergency,
    full_evidence,
    receipt,
    scan,
    shop,
)
from tests.world import (
    DAY,
    IMAGE,
    NOW,
    PROD_EU,
    PROVENANCE,
    codes,
    signed_claim,
    signed_pass,
    verified,
)

SATURDAY = NOW + timedelta(days=2, hours=11)
"""Within the window of production; NOW is a Thursday noon."""
RELEASE, IMAGES = Digest.of(b"release of production"), Digest.of(b"images")
OTHER = Digest.of(b"another")
ATTESTED = Attested(RELEASE, IMAGES)
UNATTESTED = Unattested(
    Code.MANIFEST_DIFFERS, "got 'sh', attested 'serve'", "spec.containers[0].command[0]", "ask ci"
)
REQUIRED = {
    "pipeline.stages.2.manifests": "required",
    "pipeline.stages.2.release": {"from": ["ci"]},
}
SHOP = shop(REQUIRED)


def named(digest: Digest = RELEASE, images: Digest | None = IMAGES) -> dict[str, Any]:
    """Changes that make a statement name this release."""
    more = {"imageSet": {"sha256": images.hex}} if images else {}
    return {"release": {"digest": {"sha256": digest.hex}, **more}}


# A pass names the release of its own stage; the image set is what the stages share.
PASSED = named(OTHER, IMAGES)
OF_RELEASE = named(RELEASE, None)
OF_OTHER = named(OTHER, None)


def full(
    test: Mapping[str, Any] = PASSED,
    staging: Mapping[str, Any] = PASSED,
    approved: Mapping[str, Any] = OF_RELEASE,
) -> list[bytes]:
    """What production asks for, its statements with these changes."""
    passes = [signed_pass("test", changes=test), signed_pass("staging", changes=staging)]
    people = [approval(name, changes=approved) for name in ("alice", "bob")]
    return [signed_claim(PROVENANCE, "ci"), *passes, *people, scan()]


def decide(
    bundles: list[bytes],
    claim: Claim | None = ATTESTED,
    *,
    policy: PolicySet = SHOP,
    place: Place = PROD_EU,
    now: Any = NOW,
) -> Decision:
    claims = {"shop": claim} if claim else {}
    return evaluate(policy, IMAGE, place, verified(policy, bundles), now=now, claims=claims)


def test_an_object_of_a_release_is_admitted_by_evidence_of_that_release() -> None:
    assert decide(full()).answer is Answer.ADMITTED


@pytest.mark.parametrize(
    ("bundles", "code", "message"),
    [
        (full(test={}), Code.PASS_MISSING, "the pass of 'test' in 'test' is of no image set (1)"),
        (
            full(staging=named(RELEASE, OTHER)),
            Code.PASS_MISSING,
            "the pass of 'staging' in 'staging' is of another image set (1)",
        ),
        (full(approved={}), Code.APPROVALS_MISSING, "the approval by alice is of no release (1)"),
        (
            full(approved=OF_OTHER),
            Code.APPROVALS_MISSING,
            "the approval by bob is of another release (1)",
        ),
    ],
)
def test_evidence_of_another_combination_does_not_count_and_says_so(
    bundles: list[bytes], code: Code, message: str
) -> None:
    decision = decide(bundles)

    assert decision.answer is Answer.DENIED
    assert codes(decision) == sorted([code, Code.SUBJECT_MISMATCH])
    (first,) = decision.unmet
    assert f"SUBJECT_MISMATCH {message}" in first.message
    assert first.fix.endswith(" --release release.json")


def test_beside_evidence_of_another_release_that_of_this_one_still_counts() -> None:
    others = full(named(RELEASE, OTHER), named(RELEASE, OTHER), OF_OTHER)

    assert decide([*others, *full()]).answer is Answer.ADMITTED
    assert decide([*full(), *others]).answer is Answer.ADMITTED


def test_a_receipt_lets_stay_only_objects_of_the_release_it_names() -> None:
    for changes, answer in (
        (OF_RELEASE, Answer.ADMITTED),
        (OF_OTHER, Answer.DENIED),
        ({}, Answer.DENIED),
        ({"release": None}, Answer.DENIED),
    ):
        decision = decide([*full(), receipt(changes=changes)], now=SATURDAY)
        assert decision.answer is answer, changes


@pytest.mark.parametrize(
    "value", [None, "x", {}, {"digest": "x"}, {"digest": {"sha256": "AB" * 32}}]
)
def test_a_release_that_cannot_be_read_makes_an_approval_useless(value: Any) -> None:
    decision = decide(full(approved={"release": value}))

    assert decision.answer is Answer.DENIED
    assert "STATEMENT_INVALID" in codes(decision)


def test_an_object_that_no_release_names_is_refused_beside_whatever_else_is_missing() -> None:
    alone = decide(full(), UNATTESTED)
    (violation,) = alone.violations

    assert alone.answer is Answer.DENIED
    assert violation.code is Code.MANIFEST_DIFFERS
    assert (violation.path, violation.requirement) == (UNATTESTED.path, "manifest")
    assert (violation.message, violation.fix) == (UNATTESTED.message, UNATTESTED.fix)
    assert set(codes(decide([], UNATTESTED))) == {
        *("APPROVALS_MISSING", "MANIFEST_DIFFERS", "PASS_MISSING", "REQUIREMENT_MISSING")
    }


def test_of_an_unattested_object_any_release_of_the_passes_will_do() -> None:
    """Which would be the right one is not known; the object itself is what is refused."""
    assert codes(decide(full_evidence(), UNATTESTED)) == ["MANIFEST_DIFFERS"]


def test_several_images_of_one_object_say_it_once_and_keep_the_field() -> None:
    both = combine([decide(full(), UNATTESTED).at(f"spec.containers[{n}].image") for n in (0, 1)])

    assert [v.path for v in both.violations] == [UNATTESTED.path]


def test_break_glass_excuses_an_unattested_manifest_and_nothing_else_does() -> None:
    broken = decide([emergency()], UNATTESTED)
    stayed = [*full(), receipt(changes=OF_RELEASE), receipt()]

    assert (broken.answer, broken.notes) == (Answer.ADMITTED, (Code.BREAK_GLASS,))
    assert decide([*full(), emergency("alice")], UNATTESTED).answer is Answer.DENIED
    for now in (NOW, SATURDAY):
        assert decide(stayed, UNATTESTED, now=now).answer is Answer.DENIED


@pytest.mark.parametrize(
    ("enforcement", "allowed"), [("enforce", False), ("warn", True), ("audit", True)]
)
def test_enforcement_applies_to_an_unattested_manifest_as_to_everything(
    enforcement: str, allowed: bool
) -> None:
    policy = shop({**REQUIRED, "pipeline.stages.2.enforcement": enforcement})
    decision = decide(full(), UNATTESTED, policy=policy)

    assert (decision.answer, decision.allowed) == (Answer.DENIED, allowed)


@pytest.mark.parametrize("mode", ["off", "warn"])
@pytest.mark.parametrize("claim", [ATTESTED, UNATTESTED, None])
def test_where_manifests_are_not_required_a_claim_changes_nothing(mode: Any, claim: Any) -> None:
    policy = shop({**REQUIRED, "pipeline.stages.2.manifests": mode})

    assert decide(full_evidence(), claim, policy=policy).answer is Answer.ADMITTED


def test_without_a_claim_the_image_alone_is_judged() -> None:
    assert decide(full_evidence(), None).answer is Answer.ADMITTED


def test_a_claim_is_of_its_own_pipeline() -> None:
    evidence = verified(SHOP, full_evidence())
    claims = {"cart": UNATTESTED}
    decision = evaluate(SHOP, IMAGE, PROD_EU, evidence, now=NOW, claims=claims)

    assert decision.answer is Answer.ADMITTED


def test_an_exemption_never_excuses_a_manifest() -> None:
    exempt = {
        "namespaces": ["shop"],
        "images": ["registry.example.com/**"],
        "reason": "x",
        "expires": "2027-01-01T00:00:00Z",
    }
    policy = shop({**REQUIRED, "defaults.exempt": [exempt]})

    assert codes(decide(full(), UNATTESTED, policy=policy)) == ["MANIFEST_DIFFERS"]


def test_the_same_types_are_looked_for_as_without_manifests() -> None:
    assert wanted(SHOP, IMAGE, PROD_EU) == wanted(shop(), IMAGE, PROD_EU)


def test_the_edge_of_an_admission_is_that_of_the_evidence_that_counts() -> None:
    """A pass of another image set that ends earlier, or later, moves nothing."""
    sooner = signed_pass("staging", valid_for=DAY, changes=named(RELEASE, OTHER))

    assert decide([*full(), sooner]).valid_until == decide(full()).valid_until
