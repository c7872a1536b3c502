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

Path = tuple[str, ...]
"""The members that lead to something, `*` for every item of a list."""
EACH = "*"


@dataclass(frozen=True, slots=True)
class ImagePaths:
    """
    Where objects of one kind hold images: in pod templates, and in members of their own.

    `complete`: an object without its pod template is no object of the kind.
    """

    templates: tuple[Path, ...] = ()
    images: tuple[Path, ...] = ()
    complete: bool = False


Custom = Mapping[tuple[str, str], ImagePaths]
"""(group, kind) of custom resources, as the policy names them."""

# Versions do not matter: a spec that moved between versions would be a new kind of object, and the
# API server converts (matchPolicy).
BUILT_IN: Custom = {
    key: ImagePaths((steps,), complete=True)
    for key, steps in {
        ("", "Pod"): (),
        ("", "PodTemplate"): ("template",),
        ("", "ReplicationController"): ("spec", "template"),
        ("apps", "Deployment"): ("spec", "template"),
        ("apps", "ReplicaSet"): ("spec", "template"),
        ("apps", "StatefulSet"): ("spec", "template"),
        ("apps", "DaemonSet"): ("spec", "template"),
        ("batch", "Job"): ("spec", "template"),
        ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    }.items()
}
LISTS = ("containers", "initContainers", "ephemeralContainers")


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


def image_fields(
    group: str, kind: str, document: Mapping[str, Any] | None, custom: Custom | None = None
) -> list[ImageField]:
    """
    Every image of an object, in document order; [] for a kind that runs none.

    Raises `InputError` where a workload has an empty or misshapen object, spec or container list:
    nothing to judge must never read as nothing wrong (Kyverno 0b4d37bd87).
    """
    paths = paths_of(group, kind, custom)
    if paths is None:
        return []
    found = [f for at, template in templates(paths, kind, document) for f in _of_pod(at, template)]
    for path in paths.images:
        for at, value in reach(document or {}, path):
            if not isinstance(value, str):
                raise InputError(f"{at} is not text")
            found.append(ImageField(at, (kind, at), value))
    return found


def paths_of(group: str, kind: str, custom: Custom | None = None) -> ImagePaths | None:
    """Where objects of a kind hold images, or None for a kind that runs none."""
    return BUILT_IN.get((group, kind)) or (custom or {}).get((group, kind))


def templates(
    paths: ImagePaths, kind: str, document: Mapping[str, Any] | None
) -> list[tuple[str, Mapping[str, Any]]]:
    """
    Every pod template of an object, with its path ("" for a Pod); each has a spec with containers.

    Raises `InputError` where one has not.
    """
    found = []
    for path in paths.templates:
        reached = list(reach(document or {}, path))
        if paths.complete and not reached:
            raise InputError(f"{kind} has no {'.'.join(path)}.spec")
        for at, template in reached:
            here = f"{at}.spec" if at else "spec"
            spec = template.get("spec") if isinstance(template, dict) else None
            if not isinstance(spec, dict):
                raise InputError(f"{kind} has no {here}")
            if not spec.get("containers"):
                raise InputError(f"{kind} has no {here}.containers")
            found.append((at, template))
    return found


def reach(value: Any, path: Path, at: str = "") -> Iterator[tuple[str, Any]]:
    """
    What stands at `path` below `value`, each with its path in words; nothing where it is left out.

    Raises `InputError` where a member on the way is no mapping or list.
    """
    if value is None:
        return
    if not path:
        yield at, value
    elif path[0] == EACH:
        for index, item in enumerate(_list(value, at)):
            yield from reach(item, path[1:], f"{at}[{index}]")
    elif isinstance(value, dict):
        yield from reach(value.get(path[0]), path[1:], f"{at}.{path[0]}" if at else path[0])
    else:
        raise InputError(f"{at or 'it'} is not an object")


def slots(fields: list[ImageField]) -> dict[tuple[str, str], str] | None:
    """Which image stands in which slot, or None where two share a slot or one has no name."""
    found = {field.slot: field.image for field in fields}
    if len(found) != len(fields) or any(name == "" for _, name in found):
        return None
    return found


def _of_pod(at: str, template: Mapping[str, Any]) -> Iterator[ImageField]:
    spec, path = template["spec"], f"{at}.spec" if at else "spec"
    for name in (*LISTS, "volumes"):
        read = _volumes if name == "volumes" else _containers
        yield from read(spec.get(name), f"{at}.{name}" if at else name, f"{path}.{name}")


def _containers(value: object, name: str, path: str) -> Iterator[ImageField]:
    for index, container in enumerate(_list(value, path)):
        here = f"{path}[{index}]"
        if not isinstance(container, dict):
            raise InputError(f"{here} is not an object")
        yield ImageField(
            f"{here}.image", (name, _text(container, "name", here)), _text(container, "image", here)
        )


def _volumes(value: object, name: str, path: str) -> Iterator[ImageField]:
    for index, volume in enumerate(_list(value, path)):
        here = f"{path}[{index}]"
        if not isinstance(volume, dict):
            raise InputError(f"{here} is not an object")
        image = volume.get("image")
        if image is None:
            continue
        if not isinstance(image, dict):
            raise InputError(f"{here}.image is not an object")
        slot = (name, _text(volume, "name", here))
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
