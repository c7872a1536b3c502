"""The texts in `stages[].release`: kinds, pointers, containers and repositories, read strictly."""

from __future__ import annotations

import re

from stagepass.digest import ImageRef, is_host
from stagepass.errors import InputError, did_you_mean
from stagepass.policy.releases import DEFAULT_KINDS, Kind, kind_text

_KIND = re.compile("[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_GROUP = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_ESCAPE = re.compile("~(?![01])")
_OWN_GROUP = "stagepass.dev"
_RBAC = "rbac.authorization.k8s.io"
_NAMESPACED: frozenset[Kind] = DEFAULT_KINDS | {
    *(("", kind) for kind in ("ServiceAccount", "Endpoints", "LimitRange", "ResourceQuota")),
    ("apps", "ControllerRevision"),
}
_CLUSTER_WIDE: frozenset[Kind] = frozenset(
    {
        *(("", kind) for kind in ("Namespace", "Node", "PersistentVolume")),
        *((_RBAC, kind) for kind in ("ClusterRole", "ClusterRoleBinding")),
        ("networking.k8s.io", "IngressClass"),
    }
)
_BUILT_IN_GROUPS = frozenset(group for group, _ in _NAMESPACED)


def parse_scoped_kind(text: str) -> Kind:
    """
    `GROUP/KIND`, core kinds bare. Raises `InputError`.

    A misspelt built-in kind is refused: it would be in nobody's scope, and nothing would say so.
    """
    group, slash, name = text.rpartition("/")
    if "/" in group:
        raise InputError(f"{text[:200]!r} names a version", hint="like apps/Deployment")
    if not _KIND.fullmatch(name) or (bool(slash) and not _GROUP.fullmatch(group)):
        hint = "like apps/Deployment, or ConfigMap for a core kind"
        raise InputError(f"{text[:200]!r} is not a kind", hint=hint)
    kind = (group, name)
    if kind in _CLUSTER_WIDE:
        raise InputError(f"a {name} has no namespace, so no stage is asked about it")
    if group == _OWN_GROUP:
        raise InputError(f"objects of {_OWN_GROUP} are part of no release")
    if kind not in _NAMESPACED and (group in _BUILT_IN_GROUPS or "." not in group):
        raise InputError(f"there is no kind {text[:200]!r}", hint=_near(kind))
    return kind


def parse_pointer(text: str) -> tuple[str, ...]:
    """An RFC 6901 pointer as its unescaped steps, of which some may be `*`. Raises `InputError`."""
    if not text.startswith("/"):
        hint = "like /spec/replicas, or /spec/template/spec/containers/name=web/resources"
        raise InputError(f"{text[:200]!r} is not a JSON pointer", hint=hint)
    steps = text[1:].split("/")
    if not all(steps) or _ESCAPE.search(text):
        hint = "no empty step; inside one, '~1' stands for '/' and '~0' for '~'"
        raise InputError(f"{text[:200]!r} is not a JSON pointer", hint=hint)
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def parse_allowed_container(text: str) -> ImageRef:
    """An image with its digest. Raises `InputError`."""
    image = ImageRef.parse(text)
    if image.digest is None:
        raise InputError(
            f"{text[:200]!r} has no digest: tags move", hint="write IMAGE@sha256:... instead"
        )
    return image


def parse_repository(text: str) -> str:
    """`HOST/PATH`, where releases lie. Raises `InputError`."""
    hint = "like registry.example.com/shop/releases, without tag or digest"
    host, slash, _ = text.partition("/")
    image = ImageRef.parse(text) if slash and is_host(host) else None
    if image is None or image.tag or image.digest or image.name != text:
        raise InputError(f"{text[:200]!r} is not a repository of a registry", hint=hint)
    return text


def _near(kind: Kind) -> str:
    """The same kind in its group, else the closest spelling."""
    known = {kind_text(each) for each in _NAMESPACED}
    group, name = kind
    same = sorted(kind_text(each) for each in _NAMESPACED if each[1].lower() == name.lower())
    if same:
        return f"did you mean {same[0]!r}?"
    hint = did_you_mean(kind_text(kind), known)
    return hint if "mean" in hint or group in _BUILT_IN_GROUPS else "write GROUP/KIND"
