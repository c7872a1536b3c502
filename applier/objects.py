"""Rendered objects made ready to apply: labelled, in one spelling, in waves. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from applier.refused import check
from applier.rules import CRD, FIELD_MANAGER, LABEL, Object
from stagepass.manifest import ObjectId
from stagepass.objects import label_value, spelled

__all__ = ["FIELD_MANAGER", "LABEL", "apply_order", "check", "label_value", "prepare", "unlabelled"]

# A RoleBinding waits for its Role: the API server reads the rules of what is bound (escalation check).
# Pods wait for the ServiceAccount and for what they mount.
_WAVES: tuple[frozenset[tuple[str, str]], ...] = (
    frozenset({("", "Namespace")}),
    frozenset({CRD}),
    frozenset(
        {
            *(("", kind) for kind in ("ServiceAccount", "ConfigMap", "Secret", "PersistentVolume")),
            *(("", kind) for kind in ("ResourceQuota", "LimitRange", "Service", "Endpoints")),
            *(("rbac.authorization.k8s.io", kind) for kind in ("Role", "ClusterRole")),
            ("scheduling.k8s.io", "PriorityClass"),
            ("storage.k8s.io", "StorageClass"),
            ("node.k8s.io", "RuntimeClass"),
            ("networking.k8s.io", "IngressClass"),
            ("networking.k8s.io", "NetworkPolicy"),
            ("discovery.k8s.io", "EndpointSlice"),
            ("policy", "PodDisruptionBudget"),
        }
    ),
    frozenset(
        {
            *(("rbac.authorization.k8s.io", f"{kind}Binding") for kind in ("Role", "ClusterRole")),
            ("", "PersistentVolumeClaim"),
        }
    ),
    frozenset(
        {
            *(("", kind) for kind in ("Pod", "PodTemplate", "ReplicationController")),
            *(("apps", f"{kind}Set") for kind in ("Replica", "Stateful", "Daemon")),
            ("apps", "Deployment"),
            ("batch", "Job"),
            ("batch", "CronJob"),
        }
    ),
)
_WAVE_OF = {kind: number for number, wave in enumerate(_WAVES) for kind in wave}


def prepare(objects: Iterable[Object], label: str) -> list[dict[str, Any]]:
    """The objects as they are sent: labelled, and `spelled` the way an API server keeps them."""
    return [spelled(each, {LABEL: label}) for each in objects]


def unlabelled(objects: Iterable[Object]) -> list[dict[str, Any]]:
    """Prepared objects without our label, which `check` lets nobody bring."""
    return [_unlabelled(each) for each in objects]


def _unlabelled(source: Object) -> dict[str, Any]:
    metadata = dict(source["metadata"])
    metadata["labels"] = {k: v for k, v in metadata["labels"].items() if k != LABEL}
    return {**source, "metadata": metadata}


def apply_order(objects: Iterable[Object]) -> list[list[Object]]:
    """Waves, first to last, each sorted by identity, none empty; what no wave names comes last."""
    waves: list[list[tuple[ObjectId, Object]]] = [[] for _ in range(len(_WAVES) + 1)]
    for each in objects:
        found = ObjectId.of(each)
        waves[_WAVE_OF.get((found.group, found.kind), len(_WAVES))].append((found, each))
    return [[each for _, each in sorted(wave, key=lambda pair: pair[0])] for wave in waves if wave]
