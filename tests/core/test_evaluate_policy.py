"""Which stages judge an image, what they require, and what their enforcement makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.decision import Answer, Code, Decision
from stagepass.digest import ImageRef
from stagepass.evidence import Evidence
from stagepass.policy.evaluate import evaluate
from stagepass.stage import Place
from tests.world import (
    DIGEST,
    DROP,
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
    signed,
    signed_claim,
    signed_pass,
    statement,
)

POLICY = policy_set()
TAGGED = ImageRef.parse("registry.example.com/shop/checkout:1.2")
FOREIGN = ImageRef.parse(f"docker.io/library/nginx@{DIGEST}")


def nothing(
    place: Place, image: ImageRef = IMAGE, changes: dict[str, Any] | None = None
) -> Decision:
    """The decision without any evidence."""
    policy = policy_set(changes) if changes else POLICY
    return evaluate(policy, image, place, Evidence(), now=NOW)


def test_good_evidence_admits_to_every_stage() -> None:
    for place, required in ((TEST, 1), (STAGING, 1), (PROD_EU, 3)):
        decision = judged(POLICY, good_evidence(), place)
        assert decision.answer is Answer.ADMITTED
        assert len(decision.met) == decision.required == required
        assert (decision.allowed, decision.violations, decision.warnings) == (True, (), ())


def test_all_that_is_missing_is_named_at_once_with_who_could_sign_it_and_the_command() -> None:
    decision = nothing(PROD_EU)

    assert [(v.code, v.requirement) for v in decision.violations] == [
        (Code.PASS_MISSING, "passed staging@staging"),
        (Code.PASS_MISSING, "passed test@test"),
        (Code.REQUIREMENT_MISSING, "vulnerabilities"),
    ]
    first, _, last = decision.violations
    assert first.message == (
        "no pass of stage 'staging' in cluster 'staging', signed by staging-cluster"
    )
    assert first.fix == (
        f"stagepass attest {IMAGE} --key KEY --stage staging --pipeline shop --cluster staging"
    )
    assert last.fix == (
        f"stagepass attest {IMAGE} --key KEY --type {VULNERABILITIES} --predicate FILE"
    )
    assert {(v.pipeline, v.stage, v.image) for v in decision.violations} == {
        ("shop", "production", str(IMAGE))
    }


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        (signed_claim(PROVENANCE, "ci"), []),
        (signed_claim(PROVENANCE, "scanner"), ["REQUIREMENT_MISSING", "SIGNER_UNKNOWN"]),
        (signed_claim(PROVENANCE, "test-cluster"), ["REQUIREMENT_MISSING", "SIGNER_UNKNOWN"]),
        (signed_claim(PROVENANCE, "stranger"), ["REQUIREMENT_MISSING", "SIGNER_UNKNOWN"]),
        (signed_claim(f"{PROVENANCE}/", "ci"), ["REQUIREMENT_MISSING"]),
        (signed_claim(PROVENANCE.upper(), "ci"), ["REQUIREMENT_MISSING"]),
        (signed_claim("https://slsa.dev/provenance/v0.2", "ci"), ["REQUIREMENT_MISSING"]),
        (signed_claim(VULNERABILITIES, "ci"), ["REQUIREMENT_MISSING"]),
        (signed(statement(PROVENANCE, changes={"predicate": DROP}), "ci"), []),
        (
            signed(statement(PROVENANCE, changes={"predicate": "text"}), "ci"),
            ["REQUIREMENT_MISSING", "STATEMENT_INVALID"],
        ),
        (b"junk", ["REQUIREMENT_MISSING", "STATEMENT_INVALID"]),
    ],
)
def test_an_attestation_counts_by_its_exact_type_and_its_signer(
    bundle: bytes, expected: list[str]
) -> None:
    """CVE-2022-35930: another type that was signed is no evidence of this one."""
    assert codes(judged(POLICY, [bundle], TEST)) == expected


@pytest.mark.parametrize(
    ("window", "counts"),
    [
        ({"validUntil": "2026-11-26T12:00:01Z"}, True),
        ({"validUntil": "2026-11-26T12:00:00Z"}, False),
        ({"validFrom": "2026-11-26T12:00:01Z"}, False),
    ],
)
def test_the_window_of_a_key_holds_for_requirements_too(
    window: dict[str, str], counts: bool
) -> None:
    policy = policy_set({"attestors.ci.keys": [{"file": "keys/ci.pub", "owner": "ci", **window}]})

    answer = judged(policy, [signed_claim(PROVENANCE, "ci")], TEST).answer
    assert answer is (Answer.ADMITTED if counts else Answer.DENIED)


def test_any_of_several_attestors_may_sign_a_requirement() -> None:
    both = policy_set({"pipeline.stages.0.requires.0.attestation.from": ["ci", "scanner"]})

    for by in ("ci", "scanner"):
        assert judged(both, [signed_claim(PROVENANCE, by)], TEST).answer is Answer.ADMITTED


def test_junk_beside_good_evidence_changes_nothing() -> None:
    junk = [
        b"junk",
        b'{"mediaType":[]}',
        signed_claim(PROVENANCE, "stranger"),
        signed_pass("test", by="stranger"),
        signed_pass("test", changes={"critical": ["unheard"]}),
        signed_pass("staging", by="ci"),
    ]
    clean, dirty = (
        judged(POLICY, bundles) for bundles in (good_evidence(), junk + good_evidence())
    )

    assert dirty == clean


def test_a_stage_without_requirements_admits_what_it_names() -> None:
    decision = nothing(TEST, changes={"pipeline.stages.0.requires": DROP})

    assert (decision.answer, decision.required, decision.met) == (Answer.ADMITTED, 0, ())
    assert decision.places == (("shop", "test"),)
    assert decision.valid_until is None


@pytest.mark.parametrize("place", [TEST, STAGING, PROD_EU])
def test_a_tag_is_denied_in_every_stage_whatever_is_signed(place: Place) -> None:
    decision = judged(POLICY, good_evidence(), place, image=TAGGED)

    (violation,) = decision.violations
    assert (decision.answer, violation.code) == (Answer.DENIED, Code.DIGEST_REQUIRED)
    assert decision.places == ((violation.pipeline, violation.stage),)
    assert violation.pipeline == "shop"


def test_the_tag_beside_a_digest_decides_nothing() -> None:
    for text, answer in (
        (f"registry.example.com/shop/checkout:good@{DIGEST}", Answer.ADMITTED),
        (f"registry.example.com/shop/checkout:bad@{DIGEST}", Answer.ADMITTED),
    ):
        image = ImageRef.parse(text)
        assert judged(POLICY, good_evidence(), image=image).answer is answer


@pytest.mark.parametrize(
    "place",
    [Place("prod-eu", "shop-eu"), Place("prod-us", "shop-"), Place("prod-us", "shop")],
)
def test_a_stage_is_found_by_cluster_and_namespace_name(place: Place) -> None:
    assert judged(POLICY, good_evidence(), place).places == (("shop", "production"),)


@pytest.mark.parametrize(
    ("place", "image", "message", "places"),
    [
        (Place("unknown", "shop"), IMAGE, "no stage names the cluster 'unknown'", ()),
        (Place("", "shop"), IMAGE, "no stage names the cluster ''", ()),
        (
            Place("test", "other"),
            IMAGE,
            "no stage names the namespace 'other' of cluster 'test'",
            (),
        ),
        (Place("prod-eu", "shopping"), IMAGE, "no stage names the namespace 'shopping'", ()),
        (Place("test", ""), IMAGE, "no stage names the namespace ''", ()),
        (TEST, FOREIGN, "no pipeline of test/shop covers this image", (("shop", "test"),)),
    ],
)
def test_what_no_pipeline_covers_is_unlisted(
    place: Place, image: ImageRef, message: str, places: tuple[tuple[str, str], ...]
) -> None:
    decision = judged(POLICY, good_evidence(), place, image=image)

    assert decision.answer is Answer.DENIED
    assert codes(decision) == ["UNLISTED"]
    assert decision.violations[0].message.startswith(message)
    assert decision.places == places
    assert not decision.allowed


@pytest.mark.parametrize(
    "text",
    [
        f"registry.example.com.evil.io/shop/checkout@{DIGEST}",
        f"evil.io/registry.example.com/shop/checkout@{DIGEST}",
        f"registry.example.com:443/shop/checkout@{DIGEST}",
        f"Registry.example.com/shop/checkout@{DIGEST}",
        f"registry.example.com/shopping/checkout@{DIGEST}",
        f"registry.example.com/shop@{DIGEST}",
        f"shop/checkout@{DIGEST}",
    ],
)
def test_a_look_alike_of_the_registry_is_unlisted(text: str) -> None:
    decision = judged(POLICY, good_evidence(), image=ImageRef.parse(text))

    assert codes(decision) == ["UNLISTED"]


@pytest.mark.parametrize(
    ("unlisted", "enforcement", "allowed", "warns"),
    [
        ("deny", "enforce", False, False),
        ("warn", "warn", True, True),
        ("audit", "audit", True, False),
    ],
)
def test_unlisted_governs_places_that_no_stage_names_and_only_those(
    unlisted: str, enforcement: str, allowed: bool, warns: bool
) -> None:
    policy = policy_set({"defaults.unlisted": unlisted})
    elsewhere = judged(policy, [], Place("test", "other"))

    assert elsewhere.answer is Answer.DENIED
    assert (str(elsewhere.enforcement), elsewhere.allowed) == (enforcement, allowed)
    assert bool(elsewhere.warnings) is warns
    assert not judged(policy, [], Place("unknown", "shop")).allowed
    assert not judged(policy, [], TEST, image=FOREIGN).allowed
