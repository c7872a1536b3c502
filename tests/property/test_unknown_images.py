"""Wherever below a pod spec a field looks like an image: one answer, and it is no."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stagepass.manifest import image_fields
from stagepass.unknown_images import unknown_fields
from tests.core.objects import WORKLOADS, containers, workload
from tests.property.worlds import LAW

SPEC: dict[str, Any] = {
    "containers": [
        {
            **containers("r.io/a")[0],
            "imagePullPolicy": "Always",
            "env": [{"name": "image", "value": 'image":'}, {"name": "X", "valueFrom": {"a": {}}}],
            "resources": {"claims": [{"name": "gpu"}]},
            "ports": [{"containerPort": 80}],
        }
    ],
    "initContainers": containers("r.io/b", "r.io/c"),
    "ephemeralContainers": containers("r.io/d"),
    "volumes": [
        {"name": "i", "image": {"reference": "r.io/e"}},
        {"name": "c", "csi": {"driver": "d", "volumeAttributes": {"a": "b"}}},
        {"name": "p", "projected": {"sources": [{"configMap": {"name": "x"}}]}},
    ],
    "securityContext": {},
}
places = st.sampled_from(sorted(WORKLOADS))
beginnings = st.text("abzXY019", max_size=4)
endings = st.sampled_from(
    [
        *("image", "Image", "IMAGE", "imageRef", "imageReference", "image_name", "image-id"),
        *("image.url", "imageURI", "ImageTag"),
    ]
)
names = st.one_of(
    st.builds(lambda a, b: f"{a}{b}", beginnings, endings).filter(lambda name: name != "image"),
    st.builds(lambda a: f"{a}.x/reference", beginnings),
    st.sampled_from(["reference", "restoreFrom"]),
)
texts = st.text(min_size=1, max_size=9)
values = st.one_of(
    texts,
    st.dictionaries(texts, texts, min_size=1, max_size=2),
    st.lists(texts, min_size=1, max_size=2),
)
below = st.lists(st.sampled_from(["a", "spec", "volumes", "containers", 0]), max_size=6)


@LAW
@given(st.data(), places, names, values, below)
def test_one_more_field_that_looks_like_an_image_is_always_found(
    data: st.DataObject, place: tuple[str, str], name: str, value: Any, steps: list[Any]
) -> None:
    api_version, kind = place
    spec = copy.deepcopy(SPEC)
    parent = data.draw(st.sampled_from(_mappings(spec)))
    if name in parent:  # the reference of the image volume
        name = "baseImage"
    added: Any = {name: value}
    for step in steps:
        added = [added] if step == 0 else {step: added}
    parent.update(added if isinstance(added, dict) and steps == [] else {"x": added})

    found = _found(api_version, kind, spec)
    assert name in found[0]
    assert len(found) == 1


@LAW
@given(places, st.recursive(st.none() | texts, lambda v: st.lists(v) | st.dictionaries(texts, v)))
def test_values_alone_never_look_like_an_image(place: tuple[str, str], value: Any) -> None:
    said = json.dumps({"image": value, "b": [{"image": value}]})
    spec = {**SPEC, "args": [said, 'image":', '"restoreFrom":'], "hostname": said}

    assert _found(*place, spec) == []


def _found(api_version: str, kind: str, spec: dict[str, Any]) -> list[str]:
    group, document = api_version.rpartition("/")[0], workload(api_version, kind, spec)
    assert len(image_fields(group, kind, document)) == 5
    return [field.path for field in unknown_fields(group, kind, document)]


def _mappings(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in _mappings(item)]
    if isinstance(node, dict):
        return [node, *(found for item in node.values() for found in _mappings(item))]
    return []
