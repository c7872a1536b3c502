"""
How far the pointers of `release.allow` reach into objects of a kind.

What would make `manifests: required` mean nothing (a whole container, an image, a name) refuses to
load; what only opens much is a finding of lint.
"""

from __future__ import annotations

from collections.abc import Iterator

from stagepass.manifest import EACH, LISTS, ImagePaths, Path
from stagepass.policy.releases import Kind

_IDENTITY: tuple[Path, ...] = (
    ("apiVersion",),
    ("kind",),
    ("metadata", "name"),
    ("metadata", "namespace"),
)
# Each of them, however little of it, decides what runs or with which rights.
_OF_CONTAINER = ("command", "args", "securityContext", "lifecycle")
_OF_POD = (
    *("securityContext", "serviceAccountName", "serviceAccount", "runtimeClassName"),
    *("automountServiceAccountToken", "hostNetwork", "hostPID", "hostIPC", "hostUsers"),
    "shareProcessNamespace",
)
# Of these a named item is narrow, the whole list or map is not.
_WHOLE_OF_CONTAINER = ("env", "envFrom", "volumeMounts", "volumeDevices", "ports")
_WHOLE_METADATA: tuple[Path, ...] = (("metadata", "labels"), ("metadata", "annotations"))
_RBAC = "rbac.authorization.k8s.io"
_OF_KIND: dict[Kind, tuple[Path, ...]] = {
    ("", "Service"): (("spec", "selector"), ("spec", "externalName"), ("spec", "externalIPs")),
    ("", "Secret"): (("data",), ("stringData",)),
    ("networking.k8s.io", "NetworkPolicy"): (("spec",),),
    (_RBAC, "Role"): (("rules",),),
    (_RBAC, "RoleBinding"): (("subjects",), ("roleRef",)),
}


def pointer_text(pointer: Path) -> str:
    """As RFC 6901 writes it."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in pointer)


def gives_up(pointer: Path, paths: ImagePaths | None) -> str:
    """
    What of an object would be anybody's, where that is as good as the whole of it; "" otherwise.

    `paths` say where objects of the kind hold images, None where they hold none.
    """
    if len(pointer) < 2:
        return "a whole member of the object"
    if any(_meets(pointer, path) for path in _IDENTITY):
        return "the object's identity"
    for template in paths.templates if paths else ():
        for name in LISTS:
            if _meets(pointer, (*template, "spec", name, EACH, "image")):
                return "a container's image"
    if paths and any(_meets(pointer, path) for path in paths.images):
        return "an image"
    return ""


def opens(pointer: Path, kind: Kind, paths: ImagePaths | None) -> str:
    """What of an object becomes anybody's that decides what runs or may be done; "" otherwise."""
    for path in _sensitive(kind, paths):
        if _meets(pointer, path):
            return pointer_text(path)
    for path in _whole(paths):
        if _covers(pointer, path) or (pointer[-1] == EACH and _covers(pointer[:-1], path)):
            return f"all of {pointer_text(path)}"
    return ""


def _sensitive(kind: Kind, paths: ImagePaths | None) -> Iterator[Path]:
    yield from _OF_KIND.get(kind, ())
    for template in paths.templates if paths else ():
        spec = (*template, "spec")
        yield from ((*spec, name) for name in _OF_POD)
        yield from ((*spec, of, EACH, name) for of in LISTS for name in _OF_CONTAINER)


def _whole(paths: ImagePaths | None) -> Iterator[Path]:
    yield from _WHOLE_METADATA
    for template in paths.templates if paths else ():
        yield from ((*template, *path) for path in _WHOLE_METADATA)
        yield (*template, "spec", "volumes")
        for of in LISTS:
            yield from ((*template, "spec", of, EACH, name) for name in _WHOLE_OF_CONTAINER)


def _meets(pointer: Path, path: Path) -> bool:
    """Whether one of them is the other or lies within it."""
    return all(_same(step, name) for step, name in zip(pointer, path, strict=False))


def _covers(pointer: Path, path: Path) -> bool:
    """Whether `path` is what `pointer` names or lies within it."""
    return len(pointer) <= len(path) and _meets(pointer, path)


def _same(step: str, name: str) -> bool:
    # An item of a list is `*` in `name`: an index and `name=web` are each some item.
    return step == name or EACH in (step, name)
