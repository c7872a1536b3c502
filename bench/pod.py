"""Reviews as an API server sends them: a Pod of two containers has 7 KB (building-blocks, section 0)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_TIME = "2026-11-26T08:00:00Z"
_NAME = "checkout-6f7d9c5b8-x2x7q"


def review(images: Sequence[str], namespace: str) -> bytes:
    """An AdmissionReview v1 of the creation of a Pod that runs `images`, one a container."""
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": _metadata(namespace, len(images)),
        "spec": _spec([_container(k, image) for k, image in enumerate(images)]),
        "status": {"phase": "Pending", "conditions": _conditions(), "qosClass": "Burstable"},
    }
    return review_of(pod, "", "pods")


def review_of(new: dict[str, Any], group: str, resource: str, old: Any = None) -> bytes:
    """Of any object in its version v1: an UPDATE of `old`, where that is given, else a CREATE."""
    kind = {"group": group, "version": "v1", "kind": new["kind"]}
    named = {"group": group, "version": "v1", "resource": resource}
    request = {
        "uid": "7c1f6a0e-6b8e-4d0f-9c55-0b6f2f1f3c11",
        "kind": kind,
        "resource": named,
        "requestKind": kind,
        "requestResource": named,
        "name": new["metadata"]["name"],
        "namespace": new["metadata"]["namespace"],
        "operation": "UPDATE" if old else "CREATE",
        "userInfo": {
            "username": "system:serviceaccount:kube-system:replicaset-controller",
            "uid": "5b6d8f0e-1a58-4a6a-9d2c-3f9a5c1d7e20",
            "groups": ["system:serviceaccounts", "system:authenticated"],
        },
        "object": new,
        "oldObject": old,
        "dryRun": False,
        "options": {
            "kind": "UpdateOptions" if old else "CreateOptions",
            "apiVersion": "meta.k8s.io/v1",
        },
    }
    document = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(document, separators=(",", ":")).encode()


def _metadata(namespace: str, containers: int) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": "checkout",
        "app.kubernetes.io/instance": "checkout",
        "app.kubernetes.io/part-of": "shop",
        "pod-template-hash": "6f7d9c5b8",
    }
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "checkout-6f7d9c5b8",
        "uid": "a1f1f60c-98b1-4d3f-8f73-6f0e2f4b8a52",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": _NAME,
        "generateName": "checkout-6f7d9c5b8-",
        "namespace": namespace,
        "uid": "0d9a4b5e-53c3-4c07-9f70-8cc4f84e2a01",
        "creationTimestamp": _TIME,
        "labels": labels,
        "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
        "ownerReferences": [owner],
        "managedFields": [_managed(list(labels), containers)],
    }


def _managed(labels: list[str], containers: int) -> dict[str, Any]:
    """Every field that the manager set, by name: a third of the review."""
    probe: dict[str, Any] = {
        name: {} for name in ("f:failureThreshold", "f:periodSeconds", "f:successThreshold")
    }
    probe |= {".": {}, "f:httpGet": {".": {}, "f:path": {}, "f:port": {}, "f:scheme": {}}}
    container: dict[str, Any] = {
        name: {}
        for name in (".", "f:image", "f:imagePullPolicy", "f:name", "f:terminationMessagePath")
    }
    container |= {
        "f:env": {".": {}, 'k:{"name":"LOG_LEVEL"}': {".": {}, "f:name": {}, "f:value": {}}},
        "f:livenessProbe": probe,
        "f:readinessProbe": probe,
        "f:resources": {".": {}, "f:limits": {".": {}, "f:memory": {}}, "f:requests": {".": {}}},
        "f:volumeMounts": {".": {}, 'k:{"mountPath":"/tmp"}': {".": {}, "f:name": {}}},
    }
    spec = {f'k:{{"name":"c{k}"}}': container for k in range(containers)}
    fields = {
        "f:metadata": {"f:labels": {".": {}, **{f"f:{label}": {} for label in labels}}},
        "f:spec": {"f:containers": spec, "f:dnsPolicy": {}, "f:restartPolicy": {}},
    }
    return {
        "manager": "kube-controller-manager",
        "operation": "Update",
        "apiVersion": "v1",
        "time": _TIME,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _conditions() -> list[dict[str, Any]]:
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return [{"type": kind, "status": "False", "lastTransitionTime": _TIME} for kind in kinds]


def _spec(containers: list[dict[str, Any]]) -> dict[str, Any]:
    token = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    not_ready = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    return {
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            {
                "name": "kube-api-access-9kq7v",
                "projected": {"sources": [token], "defaultMode": 420},
            },
        ],
        "containers": containers,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "checkout",
        "serviceAccount": "checkout",
        "securityContext": {"runAsNonRoot": True, "fsGroup": 65532},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", **not_ready},
            {"key": "node.kubernetes.io/unreachable", **not_ready},
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _container(index: int, image: str) -> dict[str, Any]:
    get = {"path": "/healthz", "port": "http", "scheme": "HTTP"}
    probe = {"httpGet": get, "timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3}
    environment = {
        "LOG_LEVEL": "info",
        "DATABASE_URL": "postgres://checkout@db.shop.svc:5432/checkout",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.observability.svc:4317",
        "QUEUE": "amqp://queue.shop.svc:5672/checkout",
    }
    return {
        "name": f"c{index}",
        "image": image,
        "args": ["--listen=0.0.0.0:8080", "--config=/etc/checkout/config.yaml"],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": {
            "limits": {"cpu": "1", "memory": "512Mi"},
            "requests": {"cpu": "100m", "memory": "256Mi"},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # a path in a container
            {
                "name": "kube-api-access-9kq7v",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
        ],
        "livenessProbe": {**probe, "initialDelaySeconds": 5, "successThreshold": 1},
        "readinessProbe": {**probe, "successThreshold": 1},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
        },
    }
