"""
Fields of a pod template that look as if they named an image, and that nothing here can judge.

A field of a later Kubernetes, an attribute for a CSI driver that pulls images, a checkpoint to start
from: what runs would be another image than those that were judged. The closed rule, below a pod spec
at any depth: a member that is not empty, false or a number, and whose name, in lower case, ends in
`image` or in `image` and id, name, ref, reference, tag, uri or url, is `restoreFrom` (KEP-5823), or has
`reference` as its last word. Not in it: the image fields that `manifest` reads, maps of the author's
own keys (`_FREE`), the block device of Ceph (`rbd.image`) and the attributes of CSI drivers that the
policy names. And of the template's annotations: those from which a runtime takes an image.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stagepass import strictjson
from stagepass.manifest import LISTS, Custom, paths_of, templates

_NAME = r"image(?:[-_.]?(?:id|name|ref|reference|tag|uri|url))?"
_LOOKS_LIKE = re.compile(rf"{_NAME}\Z|(?:\A|[./])reference\Z|\Arestorefrom\Z")
# The same at the end of a member name in compact JSON: inside a text no bare `"` stands before `:`.
_IN_JSON = re.compile(rf'{_NAME}":'.encode())
_REFERENCE_IN_JSON = re.compile(rb'["./]reference":')
# Kubernetes gives these keys no meaning of their own; `nodeSelector: {image: ...}` selects a node.
_FREE = frozenset(
    {"annotations", "labels", "limits", "matchLabels", "nodeSelector", "overhead", "requests"}
)
_IMAGE_VOLUME = ("volumes", "image")
# What `manifest` reads; and a block device of Ceph, which holds no program that is started.
_KNOWN = frozenset(
    {
        *((name, "image") for name in LISTS),
        (*_IMAGE_VOLUME, "reference"),
        ("volumes", "rbd", "image"),
    }
)
ANNOTATIONS = frozenset(
    {
        # What Kata's agent pulls in the guest, by the names that containerd and CRI-O hand it.
        "io.kubernetes.cri.image-name",
        "io.kubernetes.cri.image-ref",
        "io.kubernetes.cri-o.Image",
        "io.kubernetes.cri-o.ImageName",
        "io.kubernetes.cri-o.ImageRef",
        # What Kata boots as the guest, and the file that may name another.
        "io.katacontainers.config_path",
        "io.katacontainers.config.hypervisor.image",
        "io.katacontainers.config.hypervisor.initrd",
        # The marks of a checkpoint (KEP-2008).
        "io.kubernetes.cri-o.annotations.checkpoint.name",
        "org.criu.checkpoint.container.name",
    }
)


@dataclass(frozen=True, slots=True)
class UnknownField:
    """One such field: its `path` from the object's root, and what it holds."""

    path: str
    value: Any


def unknown_fields(
    group: str,
    kind: str,
    document: Mapping[str, Any] | None,
    csi_drivers: Collection[str] = (),
    custom: Custom | None = None,
) -> list[UnknownField]:
    """
    Every such field of an object that `image_fields` could read, annotations first.

    The attributes for one of `csi_drivers` name no image.
    """
    paths = paths_of(group, kind, custom)
    if paths is None:
        return []
    return [
        UnknownField(f"{at}.{path}" if at else path, value)
        for at, template in templates(paths, kind, document)
        for path, value in _of_template(template, csi_drivers)
    ]


def _of_template(
    template: Mapping[str, Any], csi_drivers: Collection[str]
) -> Iterator[tuple[str, Any]]:
    metadata = template.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict):
        for name in sorted(ANNOTATIONS & annotations.keys()):
            yield f"metadata.annotations[{name}]", annotations[name]
    if _may_hold_some(template["spec"]):
        yield from _search(template["spec"], "spec", (), csi_drivers)


def _may_hold_some(spec: Mapping[str, Any]) -> bool:
    """
    False where `_search` would find nothing, as in nearly all Pods, at a tenth of its price.

    The only names of the kind are then the `image` of its containers.
    """
    try:
        text = strictjson.dumps(dict(spec)).lower()
    except TypeError:  # deeper than orjson goes, or a number that it does not write
        return True
    known = sum("image" in container for name in LISTS for container in spec.get(name) or ())
    return (
        len(_IN_JSON.findall(text)) != known
        or b'"restorefrom":' in text
        or (b'reference":' in text and _REFERENCE_IN_JSON.search(text) is not None)
    )


def _looks_like(name: str) -> bool:
    return _LOOKS_LIKE.search(name.lower()) is not None


def _search(
    node: Any, path: str, names: tuple[str, ...], csi_drivers: Collection[str]
) -> Iterator[tuple[str, Any]]:
    """Depth first. `names` are the members on the way from the pod spec, without list indices."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _search(item, f"{path}[{index}]", names, csi_drivers)
    elif isinstance(node, dict):
        for name, value in node.items():
            here = (*names, name)
            if here in _KNOWN:
                continue
            if _looks_like(name) and _holds_something(value) and here != _IMAGE_VOLUME:
                yield f"{path}.{name}", value
            elif name not in _FREE and not (name == "csi" and _drives(value, csi_drivers)):
                yield from _search(value, f"{path}.{name}", here, csi_drivers)


def _drives(csi: Any, csi_drivers: Collection[str]) -> bool:
    driver = csi.get("driver") if isinstance(csi, dict) else None
    return isinstance(driver, str) and driver in csi_drivers


def _holds_something(value: Any) -> bool:
    return isinstance(value, (str, dict, list)) and bool(value)
