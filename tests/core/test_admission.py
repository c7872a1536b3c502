"""Kubernetes objects judged whole: security.md B01 to B34, as far as images and objects go."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.admission import judge_object
from stagepass.cache import DecisionCache
from stagepass.decision import Answer, Code, Decision, Enforcement
from stagepass.evidence import Deadline
from stagepass.policy.model import PolicySet
from stagepass.verifier import Verifier
from tests.core.objects import WORKLOADS, containers, pod, request, workload
from tests.core.sources import MemorySource
from tests.world import (
    DIGEST,
    DROP,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    OTHER_IMAGE,
    changed,
    codes,
    good_evidence,
    policy_set,
)

POLICY = policy_set()
GOOD, BAD = str(IMAGE), str(OTHER_IMAGE)
IMAGE_LISTS = ("containers", "initContainers", "ephemeralContainers")
POD = pod({"containers": containers(GOOD)})


def judge(
    new: Any,
    old: Any = None,
    *,
    cluster: str = "prod-eu",
    policy: PolicySet = POLICY,
    source: MemorySource | None = None,
    **members: Any,
) -> Decision:
    return judge_object(
        Verifier(policy, [source or MemorySource(good_evidence())]),
        cluster,
        request(new, old, **members),
        now=NOW,
        deadline=Deadline.after(60),
    )


def spec(name: str, image: str) -> dict[str, Any]:
    """A good container, and `image` in the list `name` besides."""
    if name == "volumes":
        return {
            "containers": containers(GOOD),
            "volumes": [{"name": "v", "image": {"reference": image}}],
        }
    extra = {"name": "x", "image": image, "restartPolicy": "Always"}
    if name == "containers":
        return {"containers": [*containers(GOOD), extra]}
    return {"containers": containers(GOOD), name: [extra]}


def test_objects_push_no_image_out_of_the_cache() -> None:
    """In one cache they did: an image's own entry, unread while its object's is, was the first to go."""
    source = MemorySource(good_evidence())
    verifier = Verifier(POLICY, [source], DecisionCache(3), objects=DecisionCache(3))
    deployment = workload("apps/v1", "Deployment", {"containers": containers(GOOD)})
    for new, cluster in ((deployment, "prod-eu"), (deployment, "staging"), (POD, "prod-eu")):
        decision = judge_object(
            verifier, cluster, request(new), now=NOW, deadline=Deadline.after(60)
        )
        assert decision.answer is Answer.ADMITTED
    assert source.calls == 2, "once for each place"


@pytest.mark.parametrize(("api_version", "kind"), WORKLOADS)
@pytest.mark.parametrize("name", [*IMAGE_LISTS, "volumes"])
def test_one_image_without_evidence_anywhere_denies_the_object(
    api_version: str, kind: str, name: str
) -> None:
    """B02 to B05, B21; init containers, ephemeral ones and image volumes were forgotten elsewhere."""
    good = judge(workload(api_version, kind, spec(name, GOOD)))
    bad = judge(workload(api_version, kind, spec(name, BAD)))

    assert (good.answer, good.notes) == (Answer.ADMITTED, ())
    assert good.required == len(good.met) == 6
    assert bad.answer is Answer.DENIED
    index = 1 if name == "containers" else 0
    field = "image.reference" if name == "volumes" else "image"
    assert {v.path for v in bad.violations} == {
        f"{WORKLOADS[api_version, kind]}.{name}[{index}].{field}"
    }


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ("registry.example.com/shop/checkout:1.2", "DIGEST_REQUIRED"),
        ("registry.example.com/shop/checkout", "DIGEST_REQUIRED"),
        (f"registry.example.com/shop/checkout:good@{OTHER_DIGEST}", "PASS_MISSING"),
        (f"registry.example.com/shop/checkout@sha512:{'0' * 128}", "IMAGE_INVALID"),
        (f"registry.example.com/shop/checkout@md5:{'0' * 32}", "IMAGE_INVALID"),
        (f"registry.example.com/shop/checkout@sha256:{DIGEST.hex.upper()}", "IMAGE_INVALID"),
        (f"registry.example.com/shop/checkout@sha256:{DIGEST.hex[1:]}", "IMAGE_INVALID"),
        ("registry.example.com/shop/checkout@sha256:", "IMAGE_INVALID"),
        (f"{GOOD}@sha256:{DIGEST.hex}", "IMAGE_INVALID"),
        (DIGEST.hex, "IMAGE_INVALID"),
        (str(DIGEST), "UNLISTED"),
        ("", "IMAGE_INVALID"),
        (f" {GOOD}", "IMAGE_INVALID"),
        (f"{GOOD}\n", "IMAGE_INVALID"),
        (f"{GOOD}\u200d", "IMAGE_INVALID"),
        (GOOD.replace("shop", "sh\u043ep"), "IMAGE_INVALID"),
        (GOOD.replace("/shop", "/../shop"), "IMAGE_INVALID"),
        (GOOD.replace("/shop", "//shop"), "IMAGE_INVALID"),
        (GOOD.replace("/shop", "%2fshop"), "IMAGE_INVALID"),
        (f"user@{GOOD}", "IMAGE_INVALID"),
        (GOOD.replace("registry", "Registry"), "UNLISTED"),
        (GOOD.replace(".com/", ".com:443/"), "UNLISTED"),
        (GOOD.replace(".com/", ".com./"), "IMAGE_INVALID"),
        (f"evil.io/{GOOD}", "UNLISTED"),
        (GOOD.replace(".com/", ".com.evil.io/"), "UNLISTED"),
        (f"nginx@{DIGEST}", "UNLISTED"),
        ("x" * 10_000, "IMAGE_INVALID"),
    ],
)
def test_an_image_that_is_not_the_attested_one_exactly_is_denied(image: str, code: str) -> None:
    """B01, B08 to B10, B14 to B16."""
    decision = judge(pod({"containers": containers(image)}))

    assert decision.answer is Answer.DENIED
    assert not decision.allowed
    assert code in codes(decision)
    assert {v.path for v in decision.violations} == {"spec.containers[0].image"}


def test_a_tag_beside_the_attested_digest_is_ignored_as_runtimes_do() -> None:
    image = GOOD.replace("@", ":anything@")

    assert judge(pod({"containers": containers(image)})).answer is Answer.ADMITTED


def test_an_unparseable_image_names_its_field_and_what_to_write() -> None:
    (violation,) = judge(pod({"containers": containers("UPPER/Case")})).violations

    assert violation.code is Code.IMAGE_INVALID
    assert violation.message == "'UPPER/Case': 'Case' is not a repository name"
    assert violation.fix == "write HOST/REPOSITORY@sha256:..."


def test_of_several_bad_images_each_is_named_at_its_own_path() -> None:
    images = containers(GOOD, "registry.example.com/shop/a:1", BAD, "", GOOD)
    decision = judge(pod({"containers": images}))

    assert {(v.path, v.code) for v in decision.unmet} == {
        ("spec.containers[1].image", Code.DIGEST_REQUIRED),
        *(("spec.containers[2].image", c) for c in (Code.PASS_MISSING, Code.REQUIREMENT_MISSING)),
        ("spec.containers[3].image", Code.IMAGE_INVALID),
    }


@pytest.mark.parametrize(
    ("new", "members"),
    [
        (None, {}),
        (None, {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}}),
        (pod(None), {}),
        (pod({}), {}),
        (pod({"containers": []}), {}),
        (pod({"containers": {}}), {}),
        (pod({"containers": [{"name": "a", "image": None}]}), {}),
        (pod({"containers": containers(GOOD), "volumes": [{"image": "x"}]}), {}),
        ({**POD, "kind": "Pod", "apiVersion": ""}, {"kind": {"group": "", "kind": "Pod"}}),
        (POD, {"kind": {"group": "", "kind": "ConfigMap"}}),
        (POD, {"kind": {"group": "apps", "kind": "Deployment"}}),
        (POD, {"kind": {"group": "other", "kind": "Pod"}}),
        ({**POD, "kind": "ConfigMap"}, {"kind": {"group": "", "kind": "Pod"}}),
    ],
)
def test_an_object_that_cannot_be_read_for_what_it_is_is_undetermined(
    new: Any, members: dict[str, Any]
) -> None:
    """B16, B25: nothing to judge must never read as nothing wrong."""
    decision = judge(new, **members)

    assert decision.answer is Answer.UNDETERMINED
    assert codes(decision) == ["OBJECT_INVALID"]
    assert not decision.allowed


def test_a_misshapen_object_meets_the_enforcement_of_its_place() -> None:
    policy = policy_set({"pipeline.stages.2.enforcement": "warn", "defaults.unlisted": "audit"})

    assert judge(pod({}), policy=policy).enforcement is Enforcement.WARN
    assert judge(pod({}), policy=policy, namespace="other").enforcement is Enforcement.AUDIT
    assert judge(pod({}), policy=policy, cluster="unknown").enforcement is Enforcement.ENFORCE


@pytest.mark.parametrize("cluster", ["prod-eu", "unknown"])
def test_a_kind_that_runs_no_image_is_admitted_with_the_reason(cluster: str) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"image": BAD}}
    decision = judge(config, cluster=cluster)

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.NO_IMAGES,))


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
@pytest.mark.parametrize("new", [None, pod({"containers": containers(BAD)}), pod({})])
def test_deleting_and_connecting_runs_no_image(operation: str, new: Any) -> None:
    decision = judge(new, POD, operation=operation)

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.NO_IMAGES,))


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata.namespace": "elsewhere"},
        {"metadata.namespace": DROP},
        {"metadata.name": DROP, "metadata.generateName": "cart-"},
        {"metadata.labels": {"gate/skip": "true", "app": "kube-system"}},
        {"metadata.annotations": {"stagepass.dev/break-glass": "please"}},
        {"metadata.deletionTimestamp": "2026-11-26T12:00:00Z", "metadata.finalizers": ["x"]},
        {"metadata.ownerReferences": [{"kind": "ReplicaSet", "name": "any", "uid": "any"}]},
        {"spec.serviceAccountName": "default"},
        {"spec.hostNetwork": True},
    ],
)
@pytest.mark.parametrize("image", [GOOD, BAD])
def test_nothing_about_the_object_but_its_images_decides(
    changes: dict[str, Any], image: str
) -> None:
    """B17, B24, B31, B32, B41, B63: each of these has let something past another gate."""
    expected = Answer.ADMITTED if image == GOOD else Answer.DENIED

    assert judge(changed(pod({"containers": containers(image)}), changes)).answer is expected


@pytest.mark.parametrize(
    "members",
    [
        {"userInfo": {"username": "kubernetes-admin", "groups": ["system:masters"]}},
        {"userInfo": {"username": "system:node:n1", "groups": ["system:nodes"]}},
        {"dryRun": True},
        {"subResource": "ephemeralcontainers", "operation": "UPDATE"},
        {"subResource": "resize", "operation": "UPDATE"},
        {"requestKind": {"group": "extensions", "version": "v1beta1", "kind": "Pod"}},
        {"options": {"kind": "CreateOptions", "dryRun": ["All"]}},
    ],
)
@pytest.mark.parametrize("image", [GOOD, BAD])
def test_nothing_about_the_request_but_its_place_and_operation_decides(
    members: dict[str, Any], image: str
) -> None:
    """B04, B25, B27, B30, B49."""
    expected = Answer.ADMITTED if image == GOOD else Answer.DENIED

    assert judge(pod({"containers": containers(image)}), **members).answer is expected


def test_the_namespace_is_the_requests_and_never_the_objects() -> None:
    """B31."""
    listed = judge(changed(POD, {"metadata.namespace": "shop"}), namespace="elsewhere")

    assert codes(listed) == ["UNLISTED"]


def test_two_hundred_containers_are_all_judged() -> None:
    """B33."""
    source = MemorySource(good_evidence())
    images = [f"registry.example.com/shop/c{i}@{DIGEST}" for i in range(200)]
    decision = judge(pod({"containers": containers(*images)}), source=source)

    assert decision.answer is Answer.ADMITTED
    assert (source.calls, decision.required) == (200, 600)


def test_when_the_evidence_of_one_image_is_not_known_the_object_is_undetermined() -> None:
    failing = MemorySource(failure=Code.REGISTRY_UNAVAILABLE)

    assert judge(POD, source=failing).answer is Answer.UNDETERMINED
    tagged = pod({"containers": containers(GOOD, "registry.example.com/shop/a:1")})
    assert judge(tagged, source=failing).answer is Answer.DENIED
