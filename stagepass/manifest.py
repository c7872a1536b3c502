"""
Where images stand in Kubernetes objects: every field of every built-in kind that runs one.

Forgotten fields are this class of product's oldest bug: init containers (connaisseur 1.3.0),
ephemeral containers (CVE-2023-2727), image volumes since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.errors import InputError

# (group, kind) -> the members that lead to the pod spec. Versions do not matter: a spec that moved
# between versions would be a new kind of object, and the API server converts (matchPolicy).
_POD_SPECS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    **{
        ("apps", kind): ("spec", "template", "spec")
        for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
    },
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}
_LISTS = ("containers", "initContainers", "ephemeralContainers")


@dataclass(frozen=True, slots=True, order=True)
class ObjectId:
    """Exact identity of an object; `namespace` is "" where it has none."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ObjectId:
        """From an object's own members. Raises `InputError` where it has no kind or apiVersion."""
        kind, api_version = document.get("kind"), document.get("apiVersion")
        if (
            not isinstance(kind, str)
            or not kind
            or not isinstance(api_version, str)
            or not api_version
        ):
            raise InputError("not a Kubernetes object: apiVersion or kind is missing")
        group, slash, _ = api_version.partition("/")
        metadata = document.get("metadata")
        names = metadata if isinstance(metadata, dict) else {}
        name = names.get("name") or names.get("generateName") or ""
        return cls(group if slash else "", kind, str(names.get("namespace") or ""), str(name))


@dataclass(frozen=True, slots=True, order=True)
class ImageField:
    """One image-bearing field: `path` from the object's root, `slot` its list and name, the text."""

    path: str
    slot: tuple[str, str]
    image: str


def image_fields(group: str, kind: str, document: Mapping[str, Any] | None) -> list[ImageField]:
    """
    Every image of an object, in document order; [] for a kind that runs none.

    Raises `InputError` where a workload has an empty or misshapen object, spec or container list:
    nothing to judge must never read as nothing wrong (Kyverno 0b4d37bd87).
    """
    steps = _POD_SPECS.get((group, kind))
    if steps is None:
        return []
    spec: Any = document
    for step in steps:
        spec = spec.get(step) if isinstance(spec, dict) else None
    path = ".".join(steps)
    if not isinstance(spec, dict):
        raise InputError(f"{kind} has no {path}")
    if not spec.get("containers"):
        raise InputError(f"{kind} has no {path}.containers")
    found = [f for name in _LISTS for f in _containers(spec.get(name), name, f"{path}.{name}")]
    return [*found, *_volumes(spec.get("volumes"), f"{path}.volumes")]


def slots(fields: list[ImageField]) -> dict[tuple[str, str], str] | None:
    """Which image stands in which slot, or None where two share a slot or one has no name."""
    found = {field.slot: field.image for field in fields}
    if len(found) != len(fields) or any(name == "" for _, name in found):
        return None
    return found


def _containers(value: object, name: str, path: str) -> Iterator[ImageField]:
    for index, container in enumerate(_list(value, path)):
        here = f"{path}[{index}]"
        if not isinstance(container, dict):
            raise InputError(f"{here} is not an object")
        yield ImageField(
            f"{here}.image", (name, _text(container, "name", here)), _text(container, "image", here)
        )


def _volumes(value: object, path: str) -> Iterator[ImageField]:
    for index, volume in enumerate(_list(value, path)):
        here = f"{path}[{index}]"
        if not isinstance(volume, dict):
            raise InputError(f"{here} is not an object")
        image = volume.get("image")
        if image is None:
            continue
        if not isinstance(image, dict):
            raise InputError(f"{here}.image is not an object")
        slot = ("volumes", _text(volume, "name", here))
        yield ImageField(
            f"{here}.image.reference", slot, _text(image, "reference", f"{here}.image")
        )


def _list(value: object, path: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"{path} is not a list")
    return value


def _text(parent: Mapping[str, Any], name: str, path: str) -> str:
    value = parent.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"{path}.{name} is not text")
    return value
