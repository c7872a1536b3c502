"""What the attacked shop releases: one object of every kind in scope, in two versions."""

from __future__ import annotations

import copy
from typing import Any

from tests.manifests.samples import IMAGE, an, pod_spec, put

Object = dict[str, Any]

NEXT = IMAGE.replace("a" * 64, "c" * 64)
"""The image of release B."""
REVOKED = IMAGE.replace("a" * 64, "d" * 64)
UNPASSED = IMAGE.replace("a" * 64, "e" * 64)
_RBAC = "rbac.authorization.k8s.io"
_STORAGE = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def _template(app: str, **more: Any) -> Object:
    spec = pod_spec(**more)
    side = {"name": "side", "image": IMAGE, "envFrom": [{"configMapRef": {"name": "settings"}}]}
    spec["containers"][0]["lifecycle"] = {"preStop": {"exec": {"command": ["/web", "drain"]}}}
    spec["containers"].append(side)
    metadata = {"labels": {"app": app}, "annotations": {"mesh.example.com/inject": "no"}}
    return {"metadata": metadata, "spec": spec}


def _selected(app: str, **more: Any) -> Object:
    return {"selector": {"matchLabels": {"app": app}}, "template": _template(app), **more}


def _workloads() -> list[Object]:
    once = {"restartPolicy": "Never"}
    claim = {"metadata": {"name": "data"}, "spec": _STORAGE}
    return [
        an("apps/v1", "Deployment", "web", spec=_selected("web", replicas=1)),
        an(
            "apps/v1",
            "StatefulSet",
            "db",
            spec=_selected("db", serviceName="db", volumeClaimTemplates=[claim]),
        ),
        an("apps/v1", "DaemonSet", "agent", spec=_selected("agent")),
        an("apps/v1", "ReplicaSet", "pool", spec=_selected("pool", replicas=1)),
        an("v1", "ReplicationController", "old", spec={"template": _template("old")}),
        an("v1", "PodTemplate", "shape", template=_template("shape")),
        an(
            "v1",
            "Pod",
            "alone",
            spec=_template("alone")["spec"],
            metadata={"labels": {"app": "alone"}},
        ),
        an(
            "batch/v1",
            "Job",
            "migrate",
            spec={"parallelism": 1, "template": _template("migrate", **once)},
        ),
        an(
            "batch/v1",
            "CronJob",
            "report",
            spec={
                "schedule": "@yearly",
                "jobTemplate": {"spec": {"template": _template("report", **once)}},
            },
        ),
    ]


def _others() -> list[Object]:
    web = {"app": "web"}
    path = {"path": "/", "pathType": "Prefix"}
    backend = {"backend": {"service": {"name": "web", "port": {"number": 80}}}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return [
        an("v1", "Service", "web", spec={"selector": web, "ports": [{"port": 80}]}),
        an("v1", "ConfigMap", "settings", data={"colour": "green", "url": "https://shop.example"}),
        an("v1", "Secret", "password", type="Opaque", data={"password": "aHVudGVyMg=="}),
        an("v1", "PersistentVolumeClaim", "files", spec=_STORAGE),
        an("v1", "PersistentVolumeClaim", "fast", spec={**_STORAGE, "storageClassName": "fast"}),
        an(
            "networking.k8s.io/v1",
            "Ingress",
            "web",
            spec={"rules": [{"host": "shop.example", "http": {"paths": [{**path, **backend}]}}]},
        ),
        an(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "walled",
            spec={
                "podSelector": {},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {"matchLabels": web}}]}],
            },
        ),
        an(
            f"{_RBAC}/v1",
            "Role",
            "reader",
            rules=[
                {
                    "apiGroups": [""],
                    "resources": ["configmaps"],
                    "resourceNames": ["settings"],
                    "verbs": ["get"],
                }
            ],
        ),
        an(
            f"{_RBAC}/v1",
            "RoleBinding",
            "reader",
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": "reader"},
            subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": "shop"}],
        ),
        an(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "web",
            spec={"scaleTargetRef": target, "maxReplicas": 3},
        ),
        an(
            "policy/v1",
            "PodDisruptionBudget",
            "web",
            spec={"minAvailable": 1, "selector": {"matchLabels": web}},
        ),
    ]


def release_a(namespace: str) -> list[Object]:
    """What runs: an object of every kind."""
    return placed(_others() + _workloads(), namespace)


def release_b(namespace: str) -> list[Object]:
    """The next one: another image and command, another setting, and a selector of its own."""
    web = an("apps/v1", "Deployment", "web", spec=_selected("web", replicas=1))
    web = put(web, "spec.template.spec.containers[0].command", ["/web", "next"])
    web = put(web, "spec.template.spec.containers[0].image", NEXT)
    settings = an("v1", "ConfigMap", "settings", data={"colour": "red"})
    other = an(
        "v1", "Service", "other", spec={"selector": {"app": "other"}, "ports": [{"port": 80}]}
    )
    return placed([web, settings, other], namespace)


def alone(namespace: str, image: str, name: str) -> list[Object]:
    """A release of one image: a Deployment and a ConfigMap called `name`."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    found = [
        an("apps/v1", "Deployment", name, spec=spec),
        an("v1", "ConfigMap", name, data={"a": name}),
    ]
    return placed(found, namespace)


def placed(objects: list[Object], namespace: str) -> list[Object]:
    """Copies in another namespace."""
    found = copy.deepcopy(objects)
    for each in found:
        each["metadata"]["namespace"] = namespace
    return found
