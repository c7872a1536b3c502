"""Kubernetes objects and reviews, as an API server sends them."""

from __future__ import annotations

from typing import Any

from stagepass import strictjson
from stagepass.review import AdmissionRequest

WORKLOADS = {
    ("v1", "Pod"): "spec",
    ("v1", "PodTemplate"): "template.spec",
    ("v1", "ReplicationController"): "spec.template.spec",
    ("apps/v1", "Deployment"): "spec.template.spec",
    ("apps/v1", "ReplicaSet"): "spec.template.spec",
    ("apps/v1", "StatefulSet"): "spec.template.spec",
    ("apps/v1", "DaemonSet"): "spec.template.spec",
    ("batch/v1", "Job"): "spec.template.spec",
    ("batch/v1", "CronJob"): "spec.jobTemplate.spec.template.spec",
}


def workload(api_version: str, kind: str, spec: Any) -> dict[str, Any]:
    """An object whose pod spec is `spec`."""
    node = spec
    for step in reversed(WORKLOADS[api_version, kind].split(".")):
        node = {step: node}
    metadata = {"name": "cart", "namespace": "shop"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **node}


def pod(spec: Any) -> dict[str, Any]:
    """A Pod."""
    return workload("v1", "Pod", spec)


def containers(*images: str) -> list[dict[str, Any]]:
    """Containers called c0, c1, ..."""
    return [{"name": f"c{i}", "image": image} for i, image in enumerate(images)]


def review(
    new: Any, old: Any = None, *, operation: str = "CREATE", **request: Any
) -> dict[str, Any]:
    """The review of `new`; its kind and namespace are the object's own unless `request` says more."""
    subject = new if isinstance(new, dict) else old if isinstance(old, dict) else pod({})
    group, slash, version = subject["apiVersion"].partition("/")
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {
                "group": group if slash else "",
                "version": version if slash else group,
                "kind": subject["kind"],
            },
            "operation": operation,
            "namespace": "shop",
            "name": "cart",
            "userInfo": {"username": "alice"},
            "object": new,
            "oldObject": old,
            "options": None,
            **request,
        },
    }


def request(new: Any, old: Any = None, **members: Any) -> AdmissionRequest:
    """The same, through the bytes that an API server would send."""
    return AdmissionRequest.parse(strictjson.dumps(review(new, old, **members)))
