"""The words and rules that planning and checking share: what one application may touch. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.manifest import ObjectId
from stagepass.stage import NamespacePattern

Object = Mapping[str, Any]

DOMAIN = "stagepass.dev"
LABEL = f"{DOMAIN}/application"
"""On everything we apply: `PIPELINE.STAGE`."""
FIELD_MANAGER = "stagepass-applier"

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What one application may bring and take away.

    `application` is the value of `LABEL`. `forbidden_namespaces` (the gate's, the applier's,
    kube-system) win over `namespaces`. `cluster_kinds` are the (group, kind) of cluster-scoped
    kinds it may bring. `takeover` names objects it may take from whoever has them now. `max_prune`
    is a fraction of the managed objects; `prune_approved` says that a signed approval was verified.
    """

    application: str
    namespaces: tuple[NamespacePattern, ...]
    forbidden_namespaces: frozenset[str] = frozenset()
    cluster_kinds: frozenset[tuple[str, str]] = frozenset()
    takeover: frozenset[ObjectId] = frozenset()
    max_prune: float = 0.3
    prune_approved: bool = False

    def allows_namespace(self, name: str) -> bool:
        """Whether objects may be brought into it."""
        return name not in self.forbidden_namespaces and any(
            pattern.matches(name) for pattern in self.namespaces
        )


def identity(object_id: ObjectId) -> str:
    """`group/Kind/namespace/name`, as failures and reports spell it; "core" and "-" for none."""
    group, namespace = object_id.group or "core", object_id.namespace or "-"
    return f"{group}/{object_id.kind}/{namespace}/{object_id.name}"


def is_built_in(group: str) -> bool:
    """Whether Kubernetes itself serves the group, so that its objects are decoded into Go types."""
    return "." not in group or (group.endswith(".k8s.io") and group not in _AROUND)


# Groups of Kubernetes projects that are served by CRDs, whatever their name looks like.
_AROUND = {"gateway.networking.k8s.io", "snapshot.storage.k8s.io", "policy.networking.k8s.io"}


def members(value: object) -> Mapping[str, Any]:
    """`value` where it is a map, else an empty one: what is read here was written by strangers."""
    return value if isinstance(value, dict) else {}


def entries(value: object) -> list[Mapping[str, Any]]:
    """The maps in `value` where it is a list, else []."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def is_hollow(value: object) -> bool:
    """Whether it says nothing: generators of YAML leave such a `status` behind."""
    if isinstance(value, dict):
        return all(map(is_hollow, value.values()))
    return all(map(is_hollow, value)) if isinstance(value, list) else value in (None, "")
