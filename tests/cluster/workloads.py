"""Every kind of object that runs images, ready to be sent to an API server."""

from __future__ import annotations

import json
from typing import Any

KINDS = (
    "Pod",
    "PodTemplate",
    "ReplicationController",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
)
_APPS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
_LABELS = {"app": "web"}


def pod_of(*images: str, **spec: Any) -> str:
    """A Pod `web` with the containers c0, c1, …; `spec` is what else its spec says."""
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    return _object("v1", "Pod", {"spec": {"containers": containers, **spec}})


def workload(kind: str, image: str) -> str:
    """An object `web` of that kind, with one container and one replica."""
    spec: dict[str, Any] = {"containers": [{"name": "web", "image": image}]}
    template = {"metadata": {"labels": _LABELS}, "spec": spec}
    once = {"template": {"spec": {**spec, "restartPolicy": "Never"}}}
    if kind in _APPS:
        selected = {"selector": {"matchLabels": _LABELS}, "template": template}
        return _object("apps/v1", kind, {"spec": selected})
    if kind == "Job":
        return _object("batch/v1", kind, {"spec": once})
    if kind == "CronJob":
        scheduled = {"schedule": "@yearly", "jobTemplate": {"spec": once}}
        return _object("batch/v1", kind, {"spec": scheduled})
    if kind == "ReplicationController":
        return _object("v1", kind, {"spec": {"template": template}})
    return _object("v1", kind, {"template": template} if kind == "PodTemplate" else {"spec": spec})


def _object(version: str, kind: str, rest: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, **rest})
