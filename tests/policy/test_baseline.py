"""Baseline: a floor under listed and unlisted images alike, which never admits."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer, Enforcement
from stagepass.digest import ImageRef
from stagepass.policy.evaluate import wanted
from stagepass.stage import Place
from tests.policy.signed import claim, full_evidence, key, shop
from tests.world import (
    DAY,
    DIGEST,
    DROP,
    IMAGE,
    NOW,
    PROD_EU,
    PROD_US,
    SECOND,
    STAGING,
    TEST,
    changed,
    codes,
    judged,
    signed_pass,
)

KIND = "https://example.com/sbom"
SBOM = claim(KIND, {"at": format_time(NOW)}, "scanner")
NEED: dict[str, Any] = {"name": "sbom", "from": ["scanner"], "predicateType": KIND}
EVERYWHERE: dict[str, Any] = {
    "kind": "Baseline",
    "metadata": {"name": "inventory"},
    "images": ["**"],
    "namespaces": ["*"],
    "requires": [{"attestation": NEED}],
}
FOREIGN = ImageRef.parse(f"docker.io/library/nginx@{DIGEST}")


def test_it_adds_to_what_a_pipeline_asks_for() -> None:
    policy = shop({}, EVERYWHERE)
    without, with_it = (judged(policy, [*full_evidence(), *more]) for more in ([], [SBOM]))

    assert codes(without) == ["REQUIREMENT_MISSING"]
    (violation,) = without.violations
    assert (violation.requirement, violation.pipeline, violation.stage) == (
        *("inventory: sbom", "", ""),
    )
    command = f"stagepass attest {IMAGE} --key KEY --type {KIND} --predicate FILE"
    assert violation.fix == command
    assert with_it.answer is Answer.ADMITTED
    assert len(with_it.met) == with_it.required == 6


def test_it_admits_nothing_by_itself() -> None:
    policy = shop({}, EVERYWHERE)
    elsewhere = Place("test", "other")

    assert codes(judged(policy, [SBOM])) == [
        *("APPROVALS_MISSING", "PASS_MISSING", "REQUIREMENT_MISSING")
    ]
    assert codes(judged(policy, [SBOM], elsewhere)) == ["UNLISTED"]
    assert codes(judged(policy, [SBOM], TEST, image=FOREIGN)) == ["UNLISTED"]
    assert codes(judged(policy, [], elsewhere)) == ["REQUIREMENT_MISSING", "UNLISTED"]


@pytest.mark.parametrize("lax", ["audit", "warn"])
def test_it_is_always_enforced(lax: str) -> None:
    everywhere_lax = {
        "defaults.unlisted": lax,
        "pipeline.stages.1.enforcement": lax,
    }
    policy = shop(everywhere_lax, EVERYWHERE)

    for place in (STAGING, Place("test", "other")):
        refused = judged(policy, [], place)
        assert (refused.allowed, refused.enforcement) == (False, Enforcement.ENFORCE)
        passed = judged(policy, [SBOM], place)
        assert (passed.answer, passed.allowed) == (Answer.DENIED, True)


@pytest.mark.parametrize(
    ("changes", "place", "image", "lies_below"),
    [
        ({}, PROD_EU, IMAGE, True),
        ({}, Place("prod-eu", "kube-system"), FOREIGN, True),
        ({}, Place("unknown", "x"), FOREIGN, True),
        ({"images": ["registry.example.com/shop/*"]}, PROD_EU, IMAGE, True),
        ({"images": ["docker.io/**", "registry.example.com/**"]}, PROD_EU, IMAGE, True),
        ({"images": ["docker.io/**"]}, PROD_EU, IMAGE, False),
        ({"images": ["registry.example.com/*"]}, PROD_EU, IMAGE, False),
        ({"namespaces": ["shop"]}, PROD_EU, IMAGE, True),
        ({"namespaces": ["other", "sh*"]}, PROD_EU, IMAGE, True),
        ({"namespaces": ["other"]}, PROD_EU, IMAGE, False),
        ({"clusters": ["prod-eu"]}, PROD_EU, IMAGE, True),
        ({"clusters": ["prod-eu"]}, PROD_US, IMAGE, False),
        ({"clusters": ["prod-eu"], "namespaces": ["other"]}, PROD_EU, IMAGE, False),
    ],
)
def test_it_lies_below_the_images_namespaces_and_clusters_that_it_names(
    changes: dict[str, Any], place: Place, image: ImageRef, lies_below: bool
) -> None:
    policy = shop({}, {**EVERYWHERE, **changes})
    decision = judged(policy, [], place, image=image)

    below = any(v.requirement.startswith("inventory: ") for v in decision.violations)
    assert below is lies_below
    assert (KIND in wanted(policy, image, place)) is lies_below


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"where": "predicate.at == '2026-11-26T12:00:00Z'"}, None),
        ({"where": "predicate.at == 'never'"}, "CONDITION_FALSE"),
        ({"where": "predicate.none == 1"}, "CONDITION_ERROR"),
        ({"time": "predicate.at", "maxAge": "1s"}, None),
        ({"time": "predicate.at", "maxAge": "0s"}, "STALE"),
        ({"time": "predicate.none"}, "STATEMENT_INVALID"),
        ({"from": ["ci"]}, "SIGNER_UNKNOWN"),
    ],
)
def test_its_requirements_are_judged_like_a_stages(
    changes: dict[str, Any], code: str | None
) -> None:
    floor = changed(EVERYWHERE, {"requires.0.attestation": {**NEED, **changes}})
    decision = judged(shop({}, floor), [*full_evidence(), SBOM])

    assert (code in codes(decision)) if code else (decision.answer is Answer.ADMITTED)


def test_a_tag_is_below_no_floor() -> None:
    tagged = ImageRef.parse("registry.example.com/shop/checkout:1.2")
    nginx = ImageRef.parse("docker.io/library/nginx:1")
    policy = shop({"defaults.unlisted": "audit"}, EVERYWHERE)

    assert codes(judged(policy, [SBOM], image=tagged)) == ["DIGEST_REQUIRED"]
    elsewhere = judged(policy, [SBOM], Place("test", "other"), image=nginx)
    assert codes(elsewhere) == ["DIGEST_REQUIRED", "UNLISTED"]
    assert not elsewhere.allowed


def test_several_floors_are_all_asked_for_each_under_its_name() -> None:
    other = {**EVERYWHERE, "metadata": {"name": "again"}}
    decision = judged(shop({}, EVERYWHERE, other), full_evidence())

    assert [v.requirement for v in decision.violations] == ["again: sbom", "inventory: sbom"]
    both = judged(shop({}, EVERYWHERE, other), [*full_evidence(), SBOM])
    assert (both.answer, both.required) == (Answer.ADMITTED, 7)


def test_the_first_of_its_edges_bounds_the_admission() -> None:
    aged = changed(
        EVERYWHERE, {"requires.0.attestation": {**NEED, "time": "predicate.at", "maxAge": "2h"}}
    )
    ends = {"attestors.scanner.keys": [key("scanner", validUntil=format_time(NOW + SECOND))]}
    evidence = [*full_evidence(), SBOM]

    assert judged(shop({}, aged), evidence).valid_until == NOW + DAY / 12
    assert judged(shop(ends, EVERYWHERE), evidence).valid_until == NOW + SECOND


def test_what_is_listed_is_below_the_floor_in_a_stage_without_requirements() -> None:
    policy = shop({"pipeline.stages.0.requires": DROP}, EVERYWHERE)

    assert codes(judged(policy, [], TEST)) == ["REQUIREMENT_MISSING"]
    assert judged(policy, [SBOM], TEST).answer is Answer.ADMITTED
    assert codes(judged(policy, [signed_pass("test")], STAGING)) == ["REQUIREMENT_MISSING"]
