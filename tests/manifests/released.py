"""A release with every built-in kind in scope, the way people write them, for a real API server."""

from __future__ import annotations

import copy
from typing import Any

from tests.manifests.released_others import others
from tests.manifests.samples import IMAGE, an, pod_spec, put

_TOKEN_SPEC = {"automountServiceAccountToken": True}


def template(app: str, **members: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": app}, "annotations": {"shop.example/a": "b"}},
        "spec": {**pod_spec(), **_TOKEN_SPEC, **members},
    }


def minimal(app: str, **members: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "web", "image": IMAGE}], **members}
    return {"metadata": {"labels": {"app": app}}, "spec": spec}


def _selected(app: str, **members: Any) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"app": app}}, "template": template(app), **members}


def workloads() -> list[dict[str, Any]]:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}
    scratch = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}
    volumes = [*pod_spec()["volumes"], scratch, {"name": "empty"}]
    once = {"restartPolicy": "Never"}
    tolerations = [
        {
            "key": "node.kubernetes.io/not-ready",
            "operator": "Exists",
            "tolerationSeconds": 10,
            "effect": "NoExecute",
        },
        {"key": "role", "operator": "Equal", "value": "web"},
    ]
    terms = {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/none", "operator": "DoesNotExist"}]}
        ]
    }
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    return [
        an(
            "apps/v1",
            "Deployment",
            "deployment",
            metadata={"annotations": {"team": "shop"}},
            spec=_selected(
                "deployment",
                template=template("deployment", volumes=volumes, tolerations=tolerations),
                minReadySeconds=1,
                strategy={"rollingUpdate": {"maxSurge": 1}},
            ),
        ),
        an(
            "apps/v1",
            "Deployment",
            "account",
            spec=_selected(
                "account", replicas=0, template=minimal("account", serviceAccountName="default")
            ),
        ),
        an(
            "apps/v1",
            "ReplicaSet",
            "replicas",
            spec=_selected("replicas", template=minimal("replicas")),
        ),
        an(
            "apps/v1",
            "StatefulSet",
            "stateful",
            spec=_selected(
                "stateful",
                serviceName="headless",
                volumeClaimTemplates=[
                    {"metadata": {"name": "data", "labels": {"a": "b"}}, "spec": claim}
                ],
            ),
        ),
        an(
            "apps/v1",
            "DaemonSet",
            "daemon",
            spec=_selected(
                "daemon",
                template=template(
                    "daemon", hostNetwork=True, affinity=affinity, tolerations=tolerations
                ),
            ),
        ),
        an("v1", "ReplicationController", "controller", spec={"template": minimal("controller")}),
        an(
            "batch/v1",
            "Job",
            "job",
            spec={"template": {"spec": {**minimal("job")["spec"], **once}}},
        ),
        an(
            "batch/v1",
            "Job",
            "indexed",
            spec={
                "completionMode": "Indexed",
                "completions": 2,
                "parallelism": 2,
                "backoffLimitPerIndex": 1,
                "podFailurePolicy": {
                    "rules": [
                        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
                    ]
                },
                "template": template("indexed", **once),
            },
        ),
        an(
            "batch/v1",
            "CronJob",
            "cron",
            spec={
                "schedule": "@yearly",
                "jobTemplate": {
                    "metadata": {"annotations": {"x": "y"}},
                    "spec": {"template": template("cron", **once)},
                },
            },
        ),
        an(
            "v1",
            "Pod",
            "alone",
            spec={**pod_spec(), **_TOKEN_SPEC},
            metadata={"labels": {"app": "alone"}},
        ),
        an(
            "v1",
            "Pod",
            "bare",
            spec={**pod_spec(), "hostNetwork": True, "tolerations": tolerations},
        ),
        an("v1", "PodTemplate", "template", template=minimal("template")),
    ]


def released(namespace: str) -> list[dict[str, Any]]:
    found = copy.deepcopy([*others(), *workloads()])
    for each in found:
        each["metadata"]["namespace"] = namespace
    return found


def made_by_hand(real: dict[str, Any]) -> list[dict[str, Any]]:
    """Pods that look like `real`, a Pod of a controller, and run something else."""
    meta, spec = real["metadata"], real["spec"]
    kept = ("namespace", "labels", "annotations", "ownerReferences")
    copied = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {name: meta[name] for name in kept},
        "spec": copy.deepcopy(spec),
    }
    evil = {"name": "evil", "image": IMAGE, "command": ["sh"]}
    host = {"name": "host", "hostPath": {"path": "/"}}
    changes: dict[str, tuple[str, Any]] = {
        "command": ("spec.containers[0].command", ["sh"]),
        "sidecar": ("spec.containers[+]", evil),
        "volume": ("spec.volumes[+]", host),
        "variable": ("spec.containers[0].env[+]", {"name": "MODE", "value": "evil"}),
        "label": ("metadata.labels.app", "other"),
        "priority": ("spec.priorityClassName", "system-node-critical"),
    }
    forged = [
        put(put(copied, "metadata.name", f"forged-{name}"), where, what)
        for name, (where, what) in changes.items()
    ]
    for each in forged:
        each["spec"].pop("priority")
    ran = an("v1", "Pod", "ran", spec={"containers": [{"name": "ran", "image": IMAGE}]})
    ran["metadata"]["namespace"] = meta["namespace"]
    return [*forged, ran]
