"""The words and rules that planning and checking share: what one application may touch. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from stagepass.manifest import ObjectId
from stagepass.objects import (
    APPLICATION_LABEL,
    DOMAIN,
    Object,
    entries,
    is_built_in,
    is_hollow,
    members,
)
from stagepass.stage import NamespacePattern

__all__ = [
    "CRD",
    "DOMAIN",
    "FIELD_MANAGER",
    "LABEL",
    "Object",
    "Rules",
    "entries",
    "identity",
    "is_built_in",
    "is_hollow",
    "members",
]

LABEL = APPLICATION_LABEL
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
