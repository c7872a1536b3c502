"""Fields that look as if they named an image, and that nothing can judge, are denied (B06, B07)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stagepass.admission import judge_object
from stagepass.cache import DecisionCache
from stagepass.decision import Answer, Code, Decision, Enforcement
from stagepass.evidence import Deadline
from stagepass.manifest import ImagePaths
from stagepass.unknown_images import ANNOTATIONS, UnknownField, unknown_fields
from stagepass.verifier import Verifier
from tests.core.objects import WORKLOADS, containers, pod, request, workload
from tests.core.sources import MemorySource
from tests.world import IMAGE, NOW, OTHER_IMAGE, good_evidence, policy_set

SPEC = {"containers": containers(str(IMAGE))}
TAG = "r.io/a:1"
CSI = {"driver": "image.csi.example", "volumeAttributes": {"image": TAG}}


def unknown(spec: dict[str, Any], **more: Any) -> list[str]:
    return [field.path for field in unknown_fields("", "Pod", pod({**SPEC, **spec}), **more)]


def judge(new: Any, old: Any = None, **members: Any) -> Decision:
    """In staging, where the image of `SPEC` is admitted."""
    policy = replace(policy_set(), **members)
    verifier = Verifier(policy, [MemorySource(good_evidence())])
    asked = request(new, old, operation="UPDATE" if old else "CREATE")
    return judge_object(verifier, "staging", asked, now=NOW, deadline=Deadline.after(60))


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (volume(csi=CSI), "spec.volumes[0].csi.volumeAttributes.image"),
        (
            volume(csi={"driver": "d", "volumeAttributes": {"m.example/reference": "x"}}),
            "spec.volumes[0].csi.volumeAttributes.m.example/reference",
        ),
        (
            volume(flexVolume={"options": {"image": TAG}}),
            "spec.volumes[0].flexVolume.options.image",
        ),
        (volume(containerDisk={"image": TAG}), "spec.volumes[0].containerDisk.image"),
        (volume(image={"reference": TAG, "image": TAG}), "spec.volumes[0].image.image"),
        ({"restoreFrom": "checkpoint-1"}, "spec.restoreFrom"),
        ({"restoreFrom": {"name": "c"}}, "spec.restoreFrom"),
        ({"image": TAG}, "spec.image"),
        ({"rootImage": {"x": TAG}}, "spec.rootImage"),
        ({"images": [{"IMAGE": TAG}]}, "spec.images[0].IMAGE"),
        ({"containers": [{**SPEC["containers"][0], "Image": TAG}]}, "spec.containers[0].Image"),
        (
            {"containers": [{**SPEC["containers"][0], "debug": {"image": TAG}}]},
            "spec.containers[0].debug.image",
        ),
        (
            {"initContainers": [{"name": "i", "image": TAG, "imageRef": "x"}]},
            "spec.initContainers[0].imageRef",
        ),
        ({"a": {"reference": TAG}}, "spec.a.reference"),
        ({"a": {"base_image": TAG}}, "spec.a.base_image"),
        *(({f"x-image-{end}": TAG}, f"spec.x-image-{end}") for end in ("id", "name", "ref", "url")),
    ],
)
def test_a_field_that_looks_like_an_image_is_found(spec: dict[str, Any], path: str) -> None:
    assert unknown(spec) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"imagePullSecrets": [{"name": "image"}]},
        {"containers": [{**SPEC["containers"][0], "imagePullPolicy": "Always"}]},
        {"containers": [{**SPEC["containers"][0], "env": [{"name": "image", "value": TAG}]}]},
        {"containers": [{**SPEC["containers"][0], "args": ['image":', '{"image":"x"}']}]},
        {"initContainers": containers(TAG), "ephemeralContainers": containers(TAG)},
        volume(image={"reference": TAG, "pullPolicy": "Always"}),
        volume(rbd={"image": "disk", "monitors": ["m"]}),
        volume(csi={"driver": "d", "volumeAttributes": {"secretProviderClass": "image"}}),
        {"nodeSelector": {"worker.gardener.cloud/image-name": "gardenlinux", "image": "x"}},
        {"affinity": {"x": {"labelSelector": {"matchLabels": {"image": "x"}}}}},
        {
            "affinity": {
                "x": [{"weight": 1, "preference": {"matchExpressions": [{"key": "image"}]}}]
            }
        },
        {"containers": [{**SPEC["containers"][0], "resources": {"limits": {"x.io/image": "1"}}}]},
        {"image": None, "rootImage": "", "baseImage": {}, "isImage": True, "maxImage": 5},
        {"restoreFrom": None},
    ],
)
def test_what_is_no_image_or_is_judged_is_not_found(spec: dict[str, Any]) -> None:
    assert unknown(spec) == []


@pytest.mark.parametrize("name", sorted(ANNOTATIONS))
@pytest.mark.parametrize(("api_version", "kind"), WORKLOADS)
def test_an_annotation_that_a_runtime_takes_an_image_from_is_found(
    api_version: str, kind: str, name: str
) -> None:
    template = WORKLOADS[api_version, kind].rpartition("spec")[0]
    document = workload(api_version, kind, SPEC)
    node = document
    for step in template.split(".")[:-1]:
        node = node[step]
    node["metadata"] = {"annotations": {name: TAG, "example.com/image": TAG}}

    found = unknown_fields(api_version.rpartition("/")[0], kind, document)
    assert found == [UnknownField(f"{template}metadata.annotations[{name}]", TAG)]


def test_a_misshapen_annotation_list_holds_none() -> None:
    for metadata in (None, [], {"annotations": None}, {"annotations": [sorted(ANNOTATIONS)[0]]}):
        assert unknown_fields("", "Pod", {**pod(SPEC), "metadata": metadata}) == []


def test_a_driver_that_the_policy_names_may_have_what_attributes_it_likes() -> None:
    assert unknown(volume(csi=CSI), csi_drivers={"image.csi.example"}) == []
    assert len(unknown(volume(csi=CSI), csi_drivers={"csi.example", "image.csi.example.com"})) == 1
    assert len(unknown(volume(csi={**CSI, "driver": ["x"]}), csi_drivers={"x"})) == 1


def test_numbers_and_depths_that_json_cannot_write_hide_nothing() -> None:
    deep: dict[str, Any] = {"image": TAG}
    for _ in range(400):
        deep = {"a": deep}

    assert len(unknown({"deep": deep})) == 1
    assert len(unknown({"big": 1 << 70, "image": TAG})) == 1


def test_it_is_denied_with_its_path_and_remedy_beside_an_image_that_is_admitted() -> None:
    assert judge(pod(SPEC)).answer is Answer.ADMITTED

    decision = judge(pod({**SPEC, **volume(csi=CSI), "restoreFrom": {"name": "x"}}))
    assert decision.answer is Answer.DENIED
    assert decision.enforcement is Enforcement.ENFORCE
    assert [(v.code, v.path, v.image, v.fix) for v in decision.violations] == [
        (Code.IMAGE_INVALID, "spec.restoreFrom", "", "leave the field out"),
        (
            Code.IMAGE_INVALID,
            "spec.volumes[0].csi.volumeAttributes.image",
            TAG,
            "leave the field out, or name the driver in the policy's csiDrivers",
        ),
    ]


def test_an_admission_from_the_cache_does_not_cover_it() -> None:
    verifier = Verifier(policy_set(), [MemorySource(good_evidence())], DecisionCache())
    answers = [
        judge_object(verifier, "staging", request(pod(s)), now=NOW, deadline=Deadline.after(60))
        for s in (SPEC, {**SPEC, "restoreFrom": "c"}, SPEC)
    ]

    assert [decision.answer for decision in answers] == [
        Answer.ADMITTED,
        Answer.DENIED,
        Answer.ADMITTED,
    ]


def test_the_driver_is_one_that_the_policy_names() -> None:
    new = pod({**SPEC, **volume(csi=CSI)})

    assert judge(new, csi_drivers=frozenset({"image.csi.example"})).answer is Answer.ADMITTED
    assert judge(new, csi_drivers=frozenset({"other.csi.example"})).answer is Answer.DENIED


@pytest.mark.parametrize("spec", [{"restoreFrom": "c"}, volume(csi=CSI), {"rootImage": TAG}])
def test_an_update_that_adds_or_changes_one_is_judged_and_one_that_keeps_it_is_not(
    spec: dict[str, Any],
) -> None:
    """Every image is: what the old one got in with excuses nothing."""
    plain = {"containers": containers(str(OTHER_IMAGE))}
    with_it = {**plain, **spec}

    added = judge(pod(with_it), pod(plain))
    assert {v.code for v in added.violations} >= {Code.IMAGE_INVALID, Code.PASS_MISSING}
    changed = judge(pod({**with_it, "restoreFrom": "other"}), pod(with_it))
    assert changed.answer is Answer.DENIED
    assert judge(pod(with_it), pod(with_it)).notes == (Code.UNCHANGED,)
    assert judge(pod(plain), pod(with_it)).answer is Answer.DENIED


def test_an_annotation_that_an_update_adds_is_judged() -> None:
    new = pod(SPEC)
    new["metadata"] = {**new["metadata"], "annotations": {"io.kubernetes.cri.image-name": TAG}}

    assert judge(new, pod(SPEC)).answer is Answer.DENIED


def test_the_pod_template_of_a_custom_resource_has_the_same_rule() -> None:
    custom = {("example.com", "Job"): ImagePaths((("spec", "tasks", "*", "template"),))}
    template = {"spec": {**SPEC, "restoreFrom": "c"}}
    spec = {"tasks": [{}, {"template": template}]}
    new = {**pod(spec), "apiVersion": "example.com/v1", "kind": "Job"}

    (violation,) = judge(new, custom_resources=custom).violations
    assert violation.path == "spec.tasks[1].template.spec.restoreFrom"


def test_a_name_of_the_authors_choice_forges_no_line_and_is_cut() -> None:
    spec = volume(csi={"driver": "d", "volumeAttributes": {"\n\x1b[2J" + "x" * 999 + "image": TAG}})

    (violation,) = judge(pod({**SPEC, **spec})).violations
    assert violation.path.isprintable()
    assert len(violation.path) == 256


def test_more_of_them_than_are_judged_are_not_listed_one_by_one() -> None:
    spec = {"x": {f"{number}image": TAG for number in range(501)}}

    decision = judge(pod({**SPEC, **spec}))
    assert [v.code for v in decision.violations] == [Code.EVIDENCE_LIMIT]
