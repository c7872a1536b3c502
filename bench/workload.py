"""A Deployment of 50 KB: as it was rendered, and as an API server shows it to a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stagepass.digest import Digest

_SETTINGS = 160  # of each of two containers: the object has 50 KB, a third of it managedFields
_TIME = "2026-11-26T08:00:00Z"
REVISION = "deployment.kubernetes.io/revision"
"""An annotation that its controller writes: with another one it is another object, of the same release."""


def deployment(images: Sequence[str], namespace: str, settings: int = _SETTINGS) -> dict[str, Any]:
    """As Kustomize renders it: one container an image, each with that many variables."""
    labels = {"app.kubernetes.io/name": "checkout", "app.kubernetes.io/part-of": "shop"}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": "checkout",
            "containers": [_container(k, image, settings) for k, image in enumerate(images)],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": namespace, "labels": labels},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
    }


def live(rendered: dict[str, Any], revision: int = 1) -> dict[str, Any]:
    """With the API server's defaults, and what it and the controllers note."""
    spec, metadata = rendered["spec"], rendered["metadata"]
    pod = spec["template"]["spec"]
    surge = {"maxUnavailable": "25%", "maxSurge": "25%"}
    return {
        **rendered,
        "metadata": {
            **metadata,
            "uid": "0d9a4b5e-53c3-4c07-9f70-8cc4f84e2a01",
            "resourceVersion": "1234567",
            "generation": revision,
            "creationTimestamp": _TIME,
            "annotations": {REVISION: str(revision)},
            "managedFields": [_managed(pod["containers"])],
        },
        "spec": {
            **spec,
            "template": {**spec["template"], "spec": _pod_spec(pod)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": surge},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {"observedGeneration": revision, "replicas": 3, "readyReplicas": 3},
    }


def before(new: dict[str, Any], image: Digest) -> dict[str, Any]:
    """The object that `new` updates: its first container ran another image, and it was smaller."""
    template = new["spec"]["template"]
    first, *rest = template["spec"]["containers"]
    name = first["image"].partition("@")[0]
    pod = {**template["spec"], "containers": [{**first, "image": f"{name}@{image}"}, *rest]}
    return {**new, "spec": {**new["spec"], "replicas": 2, "template": {**template, "spec": pod}}}


def _container(number: int, image: str, settings: int) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5}
    return {
        "name": f"c{number}",
        "image": image,
        "args": ["--listen", ":8080"],
        "env": [
            {"name": f"SETTING_{k:03}", "value": f"https://service-{k}.shop.svc.cluster.local/v1"}
            for k in range(settings)
        ],
        "ports": [{"containerPort": 8080, "name": "http"}],
        "readinessProbe": probe,
        "livenessProbe": {**probe, "initialDelaySeconds": 10},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  # in the container
    }


def _pod_spec(pod: dict[str, Any]) -> dict[str, Any]:
    return {
        **pod,
        "containers": [_defaulted(each) for each in pod["containers"]],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccount": pod["serviceAccountName"],
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }


def _defaulted(container: dict[str, Any]) -> dict[str, Any]:
    found = {
        **container,
        "ports": [{**port, "protocol": "TCP"} for port in container["ports"]],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    for name in ("readinessProbe", "livenessProbe"):
        get = {**container[name]["httpGet"], "scheme": "HTTP"}
        counts = {"timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
        found[name] = {**container[name], "httpGet": get, **counts}
    return found


def _managed(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """Every field that the applier set, by name."""
    spec: dict[str, Any] = {
        f'k:{{"name":"{each["name"]}"}}': {
            **{f"f:{name}": {} for name in each},
            "f:env": {
                f'k:{{"name":"{one["name"]}"}}': {".": {}, "f:name": {}, "f:value": {}}
                for one in each["env"]
            },
        }
        for each in containers
    }
    return {
        "manager": "stagepass-applier",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": _TIME,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": spec}}}},
    }
