from __future__ import annotations

from typing import Any

import pytest

from stagepass.errors import InputError
from stagepass.manifest import ImageField, ImagePaths, ObjectId, image_fields, slots
from tests.core.objects import WORKLOADS, containers, pod, workload

EVERY_LIST = {
    "containers": containers("r.io/a", "r.io/b"),
    "initContainers": [{"name": "i", "image": "r.io/c", "restartPolicy": "Always"}],
    "ephemeralContainers": [{"name": "e", "image": "r.io/d", "targetContainerName": "c0"}],
    "volumes": [
        {"name": "v0", "emptyDir": {}},
        {"name": "v1", "image": {"reference": "r.io/e", "pullPolicy": "Always"}},
        {"name": "v2", "image": {"reference": "r.io/f:tag"}},
    ],
}


def fields(spec: Any) -> list[ImageField]:
    return image_fields("", "Pod", pod(spec))


@pytest.mark.parametrize(("api_version", "kind"), WORKLOADS)
def test_every_image_of_every_workload_kind_is_found(api_version: str, kind: str) -> None:
    group = api_version.rpartition("/")[0]
    path = WORKLOADS[api_version, kind]
    found = image_fields(group, kind, workload(api_version, kind, EVERY_LIST))

    assert [(f.path, f.image) for f in found] == [
        (f"{path}.containers[0].image", "r.io/a"),
        (f"{path}.containers[1].image", "r.io/b"),
        (f"{path}.initContainers[0].image", "r.io/c"),
        (f"{path}.ephemeralContainers[0].image", "r.io/d"),
        (f"{path}.volumes[1].image.reference", "r.io/e"),
        (f"{path}.volumes[2].image.reference", "r.io/f:tag"),
    ]


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("", "ConfigMap"),
        ("", "Service"),
        ("apps", "Pod"),
        ("", "Deployment"),
        ("example.com", "Pod"),
        ("rbac.authorization.k8s.io", "Role"),
        ("autoscaling", "Scale"),
    ],
)
def test_another_kind_has_no_image_fields(group: str, kind: str) -> None:
    assert image_fields(group, kind, pod(EVERY_LIST)) == []
    assert image_fields(group, kind, None) == []


@pytest.mark.parametrize(("api_version", "kind"), WORKLOADS)
@pytest.mark.parametrize(
    "spec", [None, {}, [], "text", {"containers": None}, {"containers": []}, {"initContainers": []}]
)
def test_a_workload_without_a_container_is_never_nothing_to_judge(
    api_version: str, kind: str, spec: Any
) -> None:
    group = api_version.rpartition("/")[0]
    with pytest.raises(InputError, match=f"{kind} has no "):
        image_fields(group, kind, workload(api_version, kind, spec))


@pytest.mark.parametrize("document", [None, {}, {"spec": None}, {"spec": {"template": []}}])
def test_a_workload_whose_object_is_empty_or_cut_short_is_refused(document: Any) -> None:
    with pytest.raises(InputError, match=r"Deployment has no spec\.template\.spec"):
        image_fields("apps", "Deployment", document)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"containers": {"name": "c"}}, "spec.containers is not a list"),
        ({"containers": "c"}, "spec.containers is not a list"),
        ({"containers": 1}, "spec.containers is not a list"),
        ({"containers": [None]}, "spec.containers[0] is not an object"),
        ({"containers": ["r.io/a"]}, "spec.containers[0] is not an object"),
        ({"containers": [{"name": "c", "image": None}]}, "spec.containers[0].image is not text"),
        ({"containers": [{"name": "c", "image": ["r.io/a"]}]}, "spec.containers[0].image is not"),
        ({"containers": [{"name": 1, "image": "r.io/a"}]}, "spec.containers[0].name is not text"),
        ({"initContainers": {}}, "spec.initContainers is not a list"),
        ({"initContainers": "x"}, "spec.initContainers is not a list"),
        ({"ephemeralContainers": [[]]}, "spec.ephemeralContainers[0] is not an object"),
        ({"volumes": {}}, "spec.volumes is not a list"),
        ({"volumes": [None]}, "spec.volumes[0] is not an object"),
        ({"volumes": [{"name": "v", "image": "r.io/a"}]}, "spec.volumes[0].image is not an object"),
        ({"volumes": [{"name": "v", "image": {"reference": 1}}]}, "image.reference is not text"),
    ],
)
def test_a_misshapen_list_is_refused_with_its_path(spec: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError) as caught:
        fields({"containers": containers("r.io/a"), **spec})
    assert error in str(caught.value)


def test_an_image_that_is_left_out_is_found_as_empty() -> None:
    spec = {"containers": [{"name": "c"}], "volumes": [{"name": "v", "image": {}}]}

    assert [f.image for f in fields(spec)] == ["", ""]


@pytest.mark.parametrize("empty", [None, []])
def test_other_lists_may_be_null_or_empty(empty: Any) -> None:
    lists = ("initContainers", "ephemeralContainers", "volumes")
    spec = {"containers": containers("r.io/a"), **dict.fromkeys(lists, empty)}

    assert len(fields(spec)) == 1


def test_a_slot_is_a_list_and_a_name_whatever_the_order() -> None:
    there = slots(fields(EVERY_LIST))
    back = slots(fields({name: items[::-1] for name, items in EVERY_LIST.items()}))

    assert there == back
    assert there is not None
    assert there["initContainers", "i"] == "r.io/c"


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "a", "image": "r.io/a"}, {"name": "a", "image": "r.io/a"}]},
        {"containers": [{"image": "r.io/a"}]},
        {"containers": [{"name": "", "image": "r.io/a"}]},
        {"containers": containers("r.io/a"), "volumes": [{"image": {"reference": "r.io/b"}}]},
    ],
)
def test_a_slot_that_two_share_or_that_has_no_name_is_no_slot(spec: dict[str, Any]) -> None:
    assert slots(fields(spec)) is None


def test_the_same_name_in_two_lists_is_two_slots() -> None:
    spec = {"containers": containers("r.io/a"), "initContainers": containers("r.io/b")}

    assert slots(fields(spec)) == {
        ("containers", "c0"): "r.io/a",
        ("initContainers", "c0"): "r.io/b",
    }


@pytest.mark.parametrize(
    ("document", "identity"),
    [
        (pod({}), ObjectId("", "Pod", "shop", "cart")),
        (workload("apps/v1", "Deployment", {}), ObjectId("apps", "Deployment", "shop", "cart")),
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "cart-"}},
            ObjectId("", "Pod", "", "cart-"),
        ),
        ({"apiVersion": "v1", "kind": "Pod"}, ObjectId("", "Pod", "", "")),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": None}, ObjectId("", "Pod", "", "")),
    ],
)
def test_an_object_is_identified_by_its_own_members(
    document: dict[str, Any], identity: ObjectId
) -> None:
    assert ObjectId.of(document) == identity


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "Pod"},
        {"apiVersion": "v1"},
        {"apiVersion": "", "kind": "Pod"},
        {"apiVersion": "v1", "kind": ""},
        {"apiVersion": 1, "kind": "Pod"},
        {"apiVersion": "v1", "kind": ["Pod"]},
    ],
)
def test_what_has_no_kind_or_version_is_no_object(document: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="apiVersion or kind is missing"):
        ObjectId.of(document)


TASK = ("tekton.dev", "Task")
CUSTOM = {
    TASK: ImagePaths((("spec", "template"),), (("spec", "steps", "*", "image"), ("spec", "image"))),
}


def custom_fields(spec: Any) -> list[ImageField]:
    return image_fields(*TASK, {"spec": spec}, CUSTOM)


def test_the_images_of_a_custom_resource_are_found_where_the_policy_says() -> None:
    spec = {
        "template": {"spec": {"containers": containers("r.io/a")}},
        "steps": [{"image": "r.io/b"}, {}, {"image": None}, {"image": "r.io/c"}],
        "image": "r.io/d",
        "other": {"image": "r.io/e"},
    }

    assert [(f.path, f.image) for f in custom_fields(spec)] == [
        ("spec.template.spec.containers[0].image", "r.io/a"),
        ("spec.steps[0].image", "r.io/b"),
        ("spec.steps[3].image", "r.io/c"),
        ("spec.image", "r.io/d"),
    ]
    assert slots(custom_fields(spec)) is not None


@pytest.mark.parametrize("spec", [None, {}, {"steps": []}, {"template": None, "steps": None}])
def test_a_custom_resource_that_leaves_them_out_has_none(spec: Any) -> None:
    assert custom_fields(spec) == []


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ([], "spec is not an object"),
        ({"steps": {}}, "spec.steps is not a list"),
        ({"steps": ["r.io/a"]}, "spec.steps[0] is not an object"),
        ({"steps": [{"image": {}}]}, "spec.steps[0].image is not text"),
        ({"template": {}}, "Task has no spec.template.spec"),
        ({"template": {"spec": {}}}, "Task has no spec.template.spec.containers"),
        ({"template": "x"}, "Task has no spec.template.spec"),
    ],
)
def test_a_custom_resource_of_another_shape_is_refused(spec: Any, error: str) -> None:
    with pytest.raises(InputError) as caught:
        custom_fields(spec)
    assert error in str(caught.value)


def test_the_same_container_in_two_templates_is_two_slots() -> None:
    paths = ImagePaths((("a",), ("b",)))
    template = {"spec": {"containers": containers("r.io/a")}}
    found = image_fields("x.io", "X", {"a": template, "b": template}, {("x.io", "X"): paths})

    assert slots(found) is not None
