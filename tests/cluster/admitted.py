"""
What built-in admission and the API server's own strategies write into objects that are valid.

That is all that a validating webhook is shown and that is no default: the service account and its
token, tolerations, priority, allocated addresses, generated selectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cluster.defaulting import Kind
from tests.cluster.places import additions, text
from tests.cluster.recording import Object, Recorder
from tests.cluster.trials import IMAGE

GENERATED = "(generated)"
"""Stands for a value that is another each time."""

_TIMES = 3  # two of 254 addresses may be the same
_OWN = {"name", "namespace", "managedFields", "creationTimestamp"}

_LABELS = {"app": "shop"}
_SELECTOR = {"matchLabels": _LABELS}
_SPEC = {"containers": [{"name": "shop", "image": IMAGE}]}
_TEMPLATE = {"metadata": {"labels": _LABELS}, "spec": _SPEC}
_ONCE = {"spec": {**_SPEC, "restartPolicy": "Never"}}
_PORTS = [{"port": 80}]
_CLAIM = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
}
_SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "shop"}
_METRIC = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
}
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
_SCALED = {"scaleTargetRef": _TARGET, "maxReplicas": 2, "metrics": [_METRIC]}
_ACCOUNT = {"kind": "ServiceAccount", "name": "shop", "namespace": "shop"}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "shop"}
_WORKLOAD = {"selector": _SELECTOR, "template": _TEMPLATE}

OBJECTS: Mapping[tuple[str, str], Object] = {
    ("ConfigMap", ""): {"data": {"key": "value"}},
    ("CronJob", ""): {
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": _ONCE}}}
    },
    ("DaemonSet", ""): {"spec": _WORKLOAD},
    ("Deployment", ""): {"spec": _WORKLOAD},
    ("HorizontalPodAutoscaler", ""): {"spec": _SCALED},
    ("Ingress", ""): {
        "spec": {"defaultBackend": {"service": {"name": "shop", "port": {"number": 80}}}}
    },
    ("Job", ""): {"spec": {"template": _ONCE}},
    ("Job", "indexed"): {
        "spec": {"template": _ONCE, "completionMode": "Indexed", "completions": 2}
    },
    ("NetworkPolicy", ""): {"spec": {"podSelector": _SELECTOR}},
    ("PersistentVolumeClaim", ""): {"spec": _CLAIM},
    ("PersistentVolumeClaim", "from a snapshot"): {"spec": {**_CLAIM, "dataSource": _SNAPSHOT}},
    ("Pod", ""): {"spec": _SPEC},
    ("Pod", "on the node's network"): {
        "spec": {
            "hostNetwork": True,
            "containers": [{"name": "shop", "image": IMAGE, "ports": [{"containerPort": 80}]}],
        }
    },
    ("Pod", "with resources of its own"): {
        "spec": {**_SPEC, "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
    },
    ("Pod", "without a token"): {"spec": {**_SPEC, "automountServiceAccountToken": False}},
    ("PodDisruptionBudget", ""): {"spec": {"selector": _SELECTOR, "maxUnavailable": 1}},
    ("PodTemplate", ""): {"template": _TEMPLATE},
    ("ReplicaSet", ""): {"spec": _WORKLOAD},
    ("ReplicationController", ""): {"spec": {"selector": _LABELS, "template": _TEMPLATE}},
    ("ReplicationController", "without a selector"): {"spec": {"template": _TEMPLATE}},
    ("Role", ""): {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ("RoleBinding", ""): {"roleRef": _ROLE, "subjects": [_ACCOUNT]},
    ("Secret", ""): {"data": {"key": "dmFsdWU="}},
    ("Service", ""): {"spec": {"ports": _PORTS, "selector": _LABELS}},
    ("Service", "ExternalName"): {"spec": {"type": "ExternalName", "externalName": "example.com"}},
    ("Service", "LoadBalancer"): {
        "spec": {"ports": _PORTS, "selector": _LABELS, "type": "LoadBalancer"}
    },
    ("Service", "LoadBalancer, Local"): {
        "spec": {
            "ports": _PORTS,
            "selector": _LABELS,
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
        }
    },
    ("Service", "NodePort"): {"spec": {"ports": _PORTS, "selector": _LABELS, "type": "NodePort"}},
    ("Service", "headless"): {"spec": {"ports": _PORTS, "selector": _LABELS, "clusterIP": "None"}},
    ("Service", "headless, without a selector"): {"spec": {"ports": _PORTS, "clusterIP": "None"}},
    ("ServiceAccount", ""): {},
    ("StatefulSet", ""): {
        "spec": {
            **_WORKLOAD,
            "serviceName": "shop",
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _CLAIM}],
        }
    },
}


def admission(
    kinds: Mapping[str, Kind], defaulted: Recorder, admitted: Recorder
) -> dict[str, dict[str, Any]]:
    """Per object, what `admitted` was shown beyond `defaulted`: places and values."""
    found: dict[str, dict[str, Any]] = {}
    for (name, variant), document in OBJECTS.items():
        kind = kinds[name]
        whole = {**kind.envelope, **document}
        before = _comparable(defaulted.record(kind.path, whole))
        after, *others = (_comparable(admitted.record(kind.path, whole)) for _ in range(_TIMES))
        for other in others:
            after = _stable(after, other)
        title = f"{kind.group}/{name}" + (f", {variant}" if variant else "")
        found[title] = {text(place): {"value": value} for place, value in additions(before, after)}
    return found


def _comparable(document: Object) -> Object:
    metadata = {k: v for k, v in document["metadata"].items() if k not in _OWN}
    return {**document, "metadata": metadata}


def _stable(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return {key: _stable(value, other[key]) for key, value in one.items()}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_stable(a, b) for a, b in zip(one, other, strict=True)]
    return one if one == other else GENERATED
