"""`verify` and `explain`: exit codes, and the JSON that scripts rely on, member by member."""

from __future__ import annotations

import json

import pytest

from stagepass.bundle import Bundle
from stagepass.digest import Digest
from stagepass.policy.store import load_directory
from stagepass.predicates.members import STAGE_PASSED
from tests.cli.conftest import Shop
from tests.world import (
    DIGEST,
    HOUR,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    OTHER_IMAGE,
    signed_pass,
    stored,
    write_policy,
)

MEMBERS = {
    *("input", "object", "places", "decision", "enforcement", "allowed", "violations"),
    *("warnings", "policyRevision", "evidence"),
}
BOTH = pytest.mark.parametrize("command", ["verify", "explain"])


@BOTH
@pytest.mark.parametrize(
    ("stage", "arguments", "code"),
    [
        ("test", [], 0),
        ("staging", [], 0),
        ("production", [], 0),
        ("production", ["--cluster", "prod-eu"], 0),
        ("production", ["--namespace", "shop-blue"], 0),
        ("production", ["--pipeline", "shop"], 0),
        ("production", ["--cluster", "staging"], 64),
        ("production", ["--namespace", "cart"], 64),
        ("production", ["--pipeline", "none"], 64),
        ("prod", [], 64),
    ],
)
def test_an_image_with_its_evidence_is_admitted_to_every_stage_that_there_is(
    shop: Shop, command: str, stage: str, arguments: list[str], code: int
) -> None:
    shop.prove()

    assert shop.decide(command, str(IMAGE), "--stage", stage, *arguments).code == code


@BOTH
def test_an_image_without_evidence_is_denied(shop: Shop, command: str) -> None:
    shop.prove()
    result = shop.decide(command, str(OTHER_IMAGE), "--stage", "staging")

    assert (result.code, result.line["decision"]) == (1, "denied")


@BOTH
def test_evidence_that_cannot_be_read_is_undetermined(shop: Shop, command: str) -> None:
    shop.evidence.mkdir()
    (shop.evidence / f"sha256-{DIGEST.hex}").write_text("no folder")
    result = shop.decide(command, str(IMAGE), "--stage", "staging")

    assert (result.code, result.line["decision"]) == (2, "undetermined")
    assert {v["code"] for v in result.line["violations"]} == {
        *("PASS_MISSING", "REGISTRY_UNAVAILABLE")
    }


@BOTH
@pytest.mark.parametrize("image", ["", "shop/UPPER", f"{IMAGE}x", "a b"])
def test_what_is_no_image_is_usage(shop: Shop, command: str, image: str) -> None:
    assert shop.decide(command, image, "--stage", "test").code == 64


@BOTH
def test_a_tag_is_denied_as_the_gate_would(shop: Shop, command: str) -> None:
    result = shop.decide(command, "registry.example.com/shop/checkout:1", "--stage", "test")

    assert result.code == 1
    assert [v["code"] for v in result.line["violations"]] == ["DIGEST_REQUIRED"]


@BOTH
def test_a_policy_that_does_not_load_is_64_with_every_error(shop: Shop, command: str) -> None:
    (shop.policy / "more.yaml").write_text("kind: Nonsense\n---\nkind: Pipelin\n")
    result = shop.decide(command, str(IMAGE), "--stage", "test")

    assert (result.code, result.out) == (64, "")
    assert "Nonsense" in result.err
    assert "Pipelin" in result.err


def test_an_admission_is_one_line_of_exactly_the_promised_members(shop: Shop) -> None:
    bundle = signed_pass("test")
    stored(shop.evidence, [bundle])
    line = shop.verify("staging").line
    payload = Bundle.parse(bundle).envelope.payload

    assert line.keys() >= MEMBERS
    assert {name: line[name] for name in MEMBERS} == {
        "input": str(IMAGE),
        "object": {"group": "", "kind": "Image", "namespace": "shop", "name": str(IMAGE)},
        "places": [{"pipeline": "shop", "stage": "staging"}],
        "decision": "admitted",
        "enforcement": "enforce",
        "allowed": True,
        "violations": [],
        "warnings": [],
        "policyRevision": load_directory(shop.policy).revision,
        "evidence": [
            {
                "predicateType": STAGE_PASSED,
                "signer": "test-cluster",
                "payloadDigest": str(Digest.of(payload)),
            }
        ],
    }


def test_a_denial_names_each_violation_with_exactly_the_promised_members(shop: Shop) -> None:
    line = shop.verify("staging").line

    assert (line["decision"], line["allowed"], line["evidence"]) == ("denied", False, [])
    assert line["violations"] == [
        {
            "code": "PASS_MISSING",
            "path": "",
            "image": str(IMAGE),
            "pipeline": "shop",
            "stage": "staging",
            "requirement": "passed test@test",
            "message": "no pass of stage 'test' in cluster 'test', signed by test-cluster",
            "fix": (
                f"stagepass attest {IMAGE} --key KEY --stage test --pipeline shop --cluster test"
            ),
        }
    ]


@pytest.mark.parametrize(
    ("enforcement", "allowed", "warnings"),
    [("enforce", False, 0), ("warn", True, 1), ("audit", True, 0)],
)
def test_exit_codes_follow_the_decision_before_enforcement(
    shop: Shop, enforcement: str, allowed: bool, warnings: int
) -> None:
    write_policy(shop.policy, {"pipeline.stages.1.enforcement": enforcement})
    result = shop.verify("staging")

    assert result.code == 1
    assert (result.line["decision"], result.line["allowed"]) == ("denied", allowed)
    assert result.line["enforcement"] == enforcement
    assert len(result.line["warnings"]) == warnings


@BOTH
@pytest.mark.parametrize(
    ("now", "code"),
    [
        ("2026-11-26T12:00:00Z", 0),
        ("2026-12-26T10:59:59Z", 0),
        ("2026-12-26T11:00:00Z", 1),
        ("2026-11-26T10:54:59Z", 1),
    ],
)
def test_now_asks_whether_it_would_pass_on_monday(
    shop: Shop, command: str, now: str, code: int
) -> None:
    shop.prove()

    assert shop.decide(command, str(IMAGE), "--stage", "staging", now=now).code == code


@pytest.mark.parametrize("now", ["2026-11-26", "2026-11-26T12:00:00+01:00", "monday", ""])
def test_now_is_a_time_in_utc(shop: Shop, now: str) -> None:
    assert shop.decide("verify", str(IMAGE), "--stage", "staging", now=now).code == 64


def test_a_stage_of_several_pipelines_must_be_admitted_by_each_and_is_counted_once(
    shop: Shop,
) -> None:
    second = """\
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: second}
images: ["registry.example.com/**"]
stages: [{name: staging, clusters: [staging], namespaces: [shop]}]
"""
    write_policy(shop.policy, extra={"second.yaml": second})
    shop.prove()
    line = shop.verify("staging").line

    assert line["places"] == [
        {"pipeline": "second", "stage": "staging"},
        {"pipeline": "shop", "stage": "staging"},
    ]
    assert (line["required"], len(line["evidence"])) == (1, 1)


def test_sources_are_asked_in_the_order_that_is_given_and_add_up(shop: Shop) -> None:
    second = stored(shop.root / "second", [signed_pass("test")])

    assert shop.verify("staging", "--evidence", f"dir:{second}").code == 0
    assert shop.verify("staging", "--evidence", "somewhere").code == 64


def test_the_text_says_how_many_requirements_are_met(shop: Shop) -> None:
    shop.prove()
    options = ["--policy", str(shop.policy), "--evidence", f"dir:{shop.evidence}"]
    result = shop.run(
        *("verify", str(IMAGE), "--stage", "staging", *options, "--now", "2026-11-26T12:00:00Z")
    )

    assert result.out.splitlines() == [
        f"admitted  {IMAGE}  [shop/staging]",
        "  1 of 1 requirements met",
    ]


def test_the_text_of_a_denial_names_what_is_missing_and_the_command(shop: Shop) -> None:
    options = ["--policy", str(shop.policy), "--evidence", f"dir:{shop.evidence}"]
    result = shop.run("verify", str(IMAGE), "--stage", "staging", *options)

    assert result.code == 1
    assert result.out.splitlines() == [
        f"denied  {IMAGE}  [shop/staging]",
        "  PASS_MISSING no pass of stage 'test' in cluster 'test', signed by test-cluster",
        f"  fix: stagepass attest {IMAGE} --key KEY --stage test --pipeline shop --cluster test",
    ]


def test_explain_adds_who_met_each_requirement_and_when(shop: Shop) -> None:
    shop.prove()
    verified, explained = (
        shop.decide(command, str(IMAGE), "--stage", "staging").line
        for command in ("verify", "explain")
    )
    (met,) = explained.pop("requirementsMet")

    assert explained.pop("missing") == []
    assert explained == verified
    assert {name: met[name] for name in ("requirement", "signer", "time")} == {
        "requirement": "passed test@test",
        "signer": "test-cluster",
        "time": "2026-11-26T11:00:00Z",
    }
    assert json.dumps(met)


@BOTH
def test_what_the_clock_will_do_is_told(shop: Shop, command: str) -> None:
    """The pass of test ends after 30 days; one dated ahead counts from five minutes before."""
    shop.prove()
    admitted = shop.decide(command, str(IMAGE), "--stage", "staging").line
    ahead = signed_pass("test", digest=OTHER_DIGEST, at=NOW + HOUR)
    stored(shop.evidence, [ahead], OTHER_DIGEST)
    denied = shop.decide(command, str(OTHER_IMAGE), "--stage", "staging").line
    nothing = shop.decide(command, str(OTHER_IMAGE), "--stage", "test").line

    assert (admitted["until"], admitted["admittedUntil"]) == (None, "2026-12-26T11:00:00Z")
    assert (denied["until"], denied["admittedUntil"]) == ("2026-11-26T12:55:00Z", None)
    assert (nothing["until"], nothing["admittedUntil"]) == (None, None)
