"""
Objects that no source may bring, although the API server would take them (G31, G33, G34).

Each stands in the namespace of the stage. `accepted` says that nothing but the applier is in its way:
the API server takes it from an account that may do everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_RBAC = "rbac.authorization.k8s.io/v1"
_APPS = "apps/v1"


@dataclass(frozen=True, slots=True)
class HostileObject:
    """`says` is part of the message of OBJECT_REFUSED."""

    id: str
    name: str
    document: Mapping[str, Any]
    says: str
    accepted: bool = True


def _object(kind: str, version: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": "escaped", "namespace": "shop", **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _role(**rule: list[str]) -> dict[str, Any]:
    whole = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], **rule}
    return _object("Role", _RBAC, rules=[whole])


def _binding(role: str, subject: Mapping[str, str] | None = None) -> dict[str, Any]:
    subject = subject or {"kind": "ServiceAccount", "name": "default", "namespace": "shop"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    return _object("RoleBinding", _RBAC, roleRef=reference, subjects=[subject])


def _group(name: str) -> dict[str, str]:
    return {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name}


_ROLES = (
    HostileObject("G31", "all verbs", _role(verbs=["*"]), "grants all verbs"),
    HostileObject("G31", "all resources", _role(resources=["*"]), "grants all resources"),
    HostileObject("G31", "all groups", _role(apiGroups=["*"]), "grants all apiGroups"),
    HostileObject("G31", "all subresources", _role(resources=["*/scale"]), "grants all resources"),
    *(
        HostileObject(
            "G31", verb, _role(apiGroups=["rbac.authorization.k8s.io"], resources=["roles"], verbs=[verb]),
            f"grants the verb '{verb}'",
        )
        for verb in ("escalate", "bind")
    ),
    HostileObject(
        "G31", "impersonate", _role(resources=["serviceaccounts"], verbs=["impersonate"]),
        "grants the verb 'impersonate'",
    ),
    HostileObject("G31", "cluster-admin", _binding("cluster-admin"), "binds the role 'cluster-admin'"),
    HostileObject("G31", "system:node", _binding("system:node"), "binds the role 'system:node'"),
    *(
        HostileObject("G31", f"to {name}", _binding("view", _group(name)), f"binds to '{name}'")
        for name in ("system:masters", "system:unauthenticated")
    ),
)  # fmt: skip

_KINDS = (
    ("Kustomization", "kustomize.toolkit.fluxcd.io/v1"),
    ("HelmRelease", "helm.toolkit.fluxcd.io/v2"),
    ("GitRepository", "source.toolkit.fluxcd.io/v1"),
    ("FluxInstance", "fluxcd.controlplane.io/v1"),
    ("Application", "argoproj.io/v1alpha1"),
    ("ApplicationSet", "argoproj.io/v1alpha1"),
    ("App", "kappctrl.k14s.io/v1alpha1"),
    ("Bundle", "fleet.cattle.io/v1alpha1"),
    ("HelmChart", "helm.cattle.io/v1"),
    ("Subscription", "operators.coreos.com/v1alpha1"),
    ("Object", "kubernetes.crossplane.io/v1alpha2"),
    ("ManifestWork", "work.open-cluster-management.io/v1"),
)
_SPEC = {"path": "./", "project": "default", "destination": {"namespace": "kube-system"}}
_DELEGATES = tuple(
    HostileObject("G33", f"{kind} of {version}", _object(kind, version, spec=_SPEC), "on our behalf")
    for kind, version in _KINDS
)  # fmt: skip

_OWNER = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "gone",
    "uid": "00000000-0000-4000-8000-000000000000",
}
_MANAGED = {
    "manager": "stagepass",
    "operation": "Apply",
    "apiVersion": "v1",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:data": {"f:a": {}}},
}
_POD = {"containers": [{"name": "main", "image": "registry.example.com/shop/web"}]}
_LABELS = {"app": "escaped"}


def _metadata(**metadata: Any) -> dict[str, Any]:
    return _object("ConfigMap", "v1", data={"a": "b"}, metadata=metadata)


def _workload(kind: str, metadata: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """`metadata` is that of the Pods."""
    template = {"metadata": {"labels": _LABELS, **metadata}, "spec": _POD}
    spec = {"replicas": 0, "selector": {"matchLabels": _LABELS}, "template": template}
    return _object(kind, _APPS, spec={**spec, **more.pop("spec", {})}, **more)


_CLAIM = {
    "metadata": {"name": "data", "ownerReferences": [_OWNER]},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}

_FIELDS = (
    HostileObject("G34", "an owner", _metadata(ownerReferences=[_OWNER]), "sets metadata.ownerRef"),
    HostileObject(
        "G34", "a finalizer", _metadata(finalizers=["example.org/never"]), "sets metadata.finalizers"
    ),
    HostileObject(
        "G34", "managed fields", _metadata(managedFields=[_MANAGED]), "sets metadata.managedFields",
        accepted=False,
    ),
    HostileObject(
        "G34", "another object's uid", _metadata(uid=_OWNER["uid"]), "sets metadata.uid", accepted=False
    ),
    HostileObject(
        "G34", "a status", _workload("Deployment", {}, status={"readyReplicas": 3}), "has a status"
    ),
    HostileObject(
        "G34", "a finalizer of Pods", _workload("Deployment", {"finalizers": ["example.org/never"]}),
        "spec.template: sets metadata.finalizers",
    ),
    HostileObject(
        "G34", "an owner of claims",
        _workload("StatefulSet", {}, spec={"serviceName": "x", "volumeClaimTemplates": [_CLAIM]}),
        "spec.volumeClaimTemplates[0]: sets metadata.ownerReferences",
    ),
)  # fmt: skip

OBJECTS = (*_ROLES, *_DELEGATES, *_FIELDS)


def definitions() -> list[dict[str, Any]]:
    """CustomResourceDefinitions that make the API server serve every kind of G33."""
    return [_definition(kind, *version.split("/")) for kind, version in _KINDS]


def _definition(kind: str, group: str, version: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # The groups below k8s.io ask for it; the others do not mind.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [{**served, "schema": {"openAPIV3Schema": schema}}],
        },
    }
