"""AdmissionReviews as an API server writes them, about any kind of workload."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

WORKLOADS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Pod": ("v1", ("spec",)),
    "PodTemplate": ("v1", ("template", "spec")),
    "ReplicationController": ("v1", ("spec", "template", "spec")),
    "Deployment": ("apps/v1", ("spec", "template", "spec")),
    "ReplicaSet": ("apps/v1", ("spec", "template", "spec")),
    "StatefulSet": ("apps/v1", ("spec", "template", "spec")),
    "DaemonSet": ("apps/v1", ("spec", "template", "spec")),
    "Job": ("batch/v1", ("spec", "template", "spec")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template", "spec")),
}
"""Kind → apiVersion, and the members that lead to the pod spec."""


def containers(*images: str) -> list[Json]:
    """Containers `c0`, `c1`, ... that run `images`."""
    return [{"name": f"c{index}", "image": image} for index, image in enumerate(images)]


def pod_spec(*images: str, **more: Any) -> Json:
    """A pod spec whose containers run `images`; `more` are further members."""
    return {"containers": containers(*images), **more}


def workload(spec: Json, kind: str = "Pod") -> Json:
    """An object of `kind` around a pod spec."""
    api_version, steps = WORKLOADS[kind]
    inside = spec
    for step in reversed(steps[1:]):
        inside = {step: inside}
    metadata = {"name": "web", "namespace": "shop", "labels": {"app": "web"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, steps[0]: inside}


def review(
    new: Json | None,
    *,
    old: Json | None = None,
    operation: str = "CREATE",
    namespace: str = "shop",
    **request: Any,
) -> Json:
    """The review of `new`; `request` adds members to `request` or replaces them."""
    about = new or old or {"apiVersion": "v1", "kind": "Pod"}
    group, _, version = about["apiVersion"].rpartition("/")
    kind = {"group": group, "version": version, "kind": about["kind"]}
    resource = {"group": group, "version": version, "resource": f"{about['kind'].lower()}s"}
    standard = {
        "uid": secrets.token_hex(16),
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "web",
        "namespace": namespace,
        "operation": operation,
        "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
        "object": new,
        "oldObject": old,
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": f"{operation.title()}Options"},
    }
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": copy.deepcopy({**standard, **request}),
    }


def create(*images: str, kind: str = "Pod", namespace: str = "shop", **request: Any) -> Json:
    """The review of a new workload that runs `images`."""
    return review(workload(pod_spec(*images), kind), namespace=namespace, **request)


def update(old: Json, new: Json, **request: Any) -> Json:
    """The review of a change from `old` to `new`."""
    return review(new, old=old, operation="UPDATE", **request)
