"""What an API server, and the person behind it, is told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stagepass.bundle import Bundle
from stagepass.digest import Digest
from tests.webhook.reviews import create, pod_spec, review, workload
from tests.webhook.server import Server
from tests.webhook.shop import HOST, digest_of

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # all but the line feed between lines
_MISSING = "PASS_MISSING: no pass of stage 'test' in cluster 'test', signed by test-cluster"
_HOSTILE = "registry.example.com/shop/\x1b[2Jweb\r\n\x07\x85fix: stagepass admits this"


def codes(response: dict[str, Any]) -> list[str]:
    """The reason codes of an answer, from where a machine reads them."""
    return response["auditAnnotations"].get("codes", "").split(",")


def test_an_admission_is_allowed_and_audited_and_says_nothing_else(shared: Server) -> None:
    image = shared.shop.passed()
    (file,) = (shared.shop.evidence / f"sha256-{digest_of(image).hex}").iterdir()
    payload = Bundle.parse(file.read_bytes()).envelope.payload
    revision = shared.get("/readyz").json["policyRevision"]

    answer = shared.review(create(image, uid="u-1"))

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "u-1",
            "allowed": True,
            "auditAnnotations": {
                "decision": "admitted",
                "decision-id": "u-1",
                "enforcement": "enforce",
                "requirements": "1 of 1 met",
                "policy-revision": revision,
                "evidence": str(Digest.of(payload)),
            },
        },
    }


def test_a_denial_is_403_forbidden_with_every_cause(shared: Server) -> None:
    image = shared.shop.image()

    answer = shared.review(create(image, namespace="canary", uid="u-2"))

    response = answer.json["response"]
    assert answer.status == 200
    assert response.keys() == {"uid", "allowed", "status", "auditAnnotations"}
    assert (response["uid"], response["allowed"]) == ("u-2", False)
    assert response["auditAnnotations"]["decision"] == "denied"
    assert response["auditAnnotations"]["requirements"] == "0 of 2 met"
    assert codes(response) == ["PASS_MISSING", "REQUIREMENT_MISSING"]
    status = response["status"]
    assert status.keys() == {"status", "code", "reason", "message", "details"}
    assert (status["status"], status["code"], status["reason"]) == ("Failure", 403, "Forbidden")
    assert status["details"] == {
        "causes": [
            {
                "reason": "PASS_MISSING",
                "message": "no pass of stage 'test' in cluster 'test', signed by test-cluster",
                "field": "spec.containers[0].image",
            },
            {
                "reason": "REQUIREMENT_MISSING",
                "message": "no attestation 'scan', signed by scanner",
                "field": "spec.containers[0].image",
            },
        ]
    }


def test_a_denial_names_image_stage_missing_pass_and_fix_in_four_lines(shared: Server) -> None:
    image = shared.shop.image()

    one = shared.judge(create(image))["status"]["message"]
    two = shared.judge(create(image, namespace="canary"))["status"]["message"]

    attest = f"stagepass attest {image} --key KEY --stage test --pipeline shop --cluster test"
    assert one.splitlines() == [
        f"shop/staging does not admit {image} (spec.containers[0].image)",
        _MISSING,
        f"fix: {attest}",
    ]
    assert two.splitlines() == [
        f"shop/canary does not admit {image} (spec.containers[0].image)",
        f"{_MISSING}; REQUIREMENT_MISSING: no attestation 'scan', signed by scanner",
        f"fix: {attest} (and 1 more)",
        f"all: stagepass explain {image} --stage canary --pipeline shop --policy DIR",
    ]


def test_of_many_images_the_first_three_are_told_and_how_many_more(shared: Server) -> None:
    images = [shared.shop.image(f"part{index}") for index in range(5)]

    status = shared.judge(create(*images))["status"]

    assert [image in status["message"] for image in images] == [True] * 3 + [False] * 2
    assert status["message"].splitlines()[-1] == "and 2 more images"
    assert [cause["field"] for cause in status["details"]["causes"]] == [
        f"spec.containers[{index}].image" for index in range(5)
    ]


def test_undetermined_is_503_and_nobody_is_told_to_come_back(shared: Server) -> None:
    """Neither Retry-After nor retryAfterSeconds: a client would ask again in silence."""
    answer = shared.review(review(workload({"containers": []}), uid="u-3"))

    response = answer.json["response"]
    assert (answer.status, response["uid"], response["allowed"]) == (200, "u-3", False)
    assert "retry-after" not in answer.headers
    assert response["auditAnnotations"]["decision"] == "undetermined"
    assert response["status"] == {
        "status": "Failure",
        "code": 503,
        "reason": "ServiceUnavailable",
        "message": "shop/staging could not find out about this object\n"
        "OBJECT_INVALID: Pod has no spec.containers",
        "details": {
            "causes": [
                {
                    "reason": "OBJECT_INVALID",
                    "message": "Pod has no spec.containers",
                    "field": "",
                }
            ]
        },
    }


def test_a_warn_stage_allows_and_warns(shared: Server) -> None:
    response = shared.judge(create(shared.shop.image(), namespace="preview"))

    assert response.keys() == {"uid", "allowed", "warnings", "auditAnnotations"}
    assert response["allowed"] is True
    assert response["warnings"] == [f"stagepass: spec.containers[0].image: {_MISSING}"]
    assert response["auditAnnotations"]["decision"] == "denied"
    assert response["auditAnnotations"]["enforcement"] == "warn"


def test_a_warning_is_one_line_of_at_most_256_characters(shared: Server) -> None:
    """An API server drops one with a control character without a trace, and cuts a long one."""
    images = [_HOSTILE, f"{HOST}/shop/{'A' * 400}", f"{HOST}/shop/web:{'t' * 4000}"]

    warnings = shared.judge(create(*images, namespace="preview"))["warnings"]

    assert len(warnings) == len(images)
    assert [len(warning) <= 256 for warning in warnings] == [True] * len(images)
    assert [_CONTROL.search(w) or "\n" in w for w in warnings] == [False] * len(images)


def test_an_audit_stage_allows_in_silence_and_leaves_the_reason_in_the_audit_log(
    shared: Server,
) -> None:
    response = shared.judge(create(shared.shop.image(), namespace="watched"))

    assert response.keys() == {"uid", "allowed", "auditAnnotations"}
    assert response["allowed"] is True
    assert response["auditAnnotations"]["decision"] == "denied"
    assert codes(response) == ["PASS_MISSING"]


@pytest.mark.parametrize("namespace", ["shop", "nowhere"])
def test_text_from_an_object_forges_no_line_on_a_terminal(shared: Server, namespace: str) -> None:
    response = shared.judge(create(_HOSTILE, namespace=namespace))

    message = response["status"]["message"]
    assert not _CONTROL.search(message)
    assert len(message.splitlines()) <= 4
    assert [line for line in message.splitlines() if line.startswith("fix: stagepass admits")] == []
    assert not any(_CONTROL.search(value) for value in response["auditAnnotations"].values())


def test_a_megabyte_of_image_is_answered_in_a_few_lines(shared: Server) -> None:
    response = shared.judge(create(f"{HOST}/shop/{'a' * (1 << 20)}"))

    assert codes(response) == ["IMAGE_INVALID"]
    assert len(response["status"]["message"]) < 4096


@pytest.mark.parametrize(
    ("image", "namespace", "code"),
    [
        (f"{HOST}/shop/web:v1", "shop", "DIGEST_REQUIRED"),
        (f"{HOST}/shop/web", "shop", "DIGEST_REQUIRED"),
        (f"{HOST}/shop/web@sha256:abc", "shop", "IMAGE_INVALID"),
        (f"{HOST}/shop/web@sha512:{'0' * 128}", "shop", "IMAGE_INVALID"),
        ("", "shop", "IMAGE_INVALID"),
        (f"{HOST}/other/web@sha256:{'0' * 64}", "shop", "UNLISTED"),
        (f"nginx@sha256:{'0' * 64}", "shop", "UNLISTED"),
        (f"{HOST}/shop/web@sha256:{'0' * 64}", "default", "UNLISTED"),
        (f"{HOST}/shop/web@sha256:{'0' * 64}", "", "UNLISTED"),
    ],
)
def test_what_no_evidence_could_admit_is_denied(
    shared: Server, image: str, namespace: str, code: str
) -> None:
    response = shared.judge(create(image, namespace=namespace))

    assert (response["allowed"], response["status"]["code"]) == (False, 403)
    assert codes(response) == [code]


def test_every_requirement_met_is_admitted(shared: Server) -> None:
    image = shared.shop.scanned(shared.shop.passed())

    response = shared.judge(create(image, namespace="canary"))

    assert response["allowed"] is True
    assert response["auditAnnotations"]["requirements"] == "2 of 2 met"
    assert len(response["auditAnnotations"]["evidence"].split(",")) == 2


def test_the_namespace_that_counts_is_the_requests_own(shared: Server) -> None:
    """The object's own metadata is what a user wrote."""
    inside = workload(pod_spec(shared.shop.image()))
    inside["metadata"]["namespace"] = "watched"

    assert shared.judge(review(inside, namespace="shop"))["allowed"] is False


def test_what_an_api_server_may_leave_out_is_not_missed(shared: Server) -> None:
    bare = create(shared.shop.passed())
    for member in ("userInfo", "options", "dryRun", "oldObject", "resource", "name"):
        del bare["request"][member]
    null = create(shared.shop.passed(), options=None, userInfo={"username": "alice"})

    assert shared.judge(bare)["allowed"] is True
    assert shared.judge(null)["allowed"] is True
