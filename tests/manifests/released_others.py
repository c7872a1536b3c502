"""Of a release: what runs nothing itself."""

from __future__ import annotations

from typing import Any

from tests.manifests.samples import an


def others() -> list[dict[str, Any]]:
    ports = [{"port": 80}]
    rules = [
        {
            "host": "shop.example.com",
            "http": {
                "paths": [
                    {
                        "path": "/",
                        "pathType": "Prefix",
                        "backend": {"service": {"name": "cluster", "port": {"number": 80}}},
                    }
                ]
            },
        }
    ]
    selector = {"app": "deployment"}
    group = {"apiGroup": "rbac.authorization.k8s.io"}
    return [
        an("v1", "Service", "cluster", spec={"selector": selector, "ports": ports}),
        an(
            "v1", "Service", "node", spec={"type": "NodePort", "selector": selector, "ports": ports}
        ),
        an(
            "v1",
            "Service",
            "balanced",
            spec={
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "selector": selector,
                "ports": ports,
            },
        ),
        an(
            "v1",
            "Service",
            "headless",
            spec={"clusterIP": "None", "selector": selector, "ports": ports},
        ),
        an("v1", "Service", "bare-headless", spec={"clusterIP": "None", "ports": ports}),
        an(
            "v1",
            "Service",
            "elsewhere",
            spec={"type": "ExternalName", "externalName": "db.example.com"},
        ),
        an(
            "v1",
            "Service",
            "sticky",
            spec={"sessionAffinity": "ClientIP", "selector": selector, "ports": ports},
        ),
        an("v1", "ConfigMap", "web", data={"a": "b", "n": "1000m"}, binaryData={"x": "AAEC"}),
        an("v1", "Secret", "plain", stringData={"token": "s3cret"}),
        an(
            "v1",
            "Secret",
            "typed",
            type="shop.example/x",
            data={"token": "czNjcmV0"},
            immutable=True,
        ),
        an(
            "v1",
            "PersistentVolumeClaim",
            "claim",
            spec={
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1024Mi"}},
                "dataSource": {"kind": "PersistentVolumeClaim", "name": "other"},
            },
        ),
        an("networking.k8s.io/v1", "Ingress", "ingress", spec={"rules": rules}),
        an(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "in",
            spec={"podSelector": {}, "ingress": [{"ports": ports}]},
        ),
        an(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "out",
            spec={
                "podSelector": {"matchLabels": selector},
                "egress": [{"to": [{"podSelector": {}}]}],
            },
        ),
        an(
            "rbac.authorization.k8s.io/v1",
            "Role",
            "role",
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        ),
        an(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "binding",
            roleRef={"kind": "Role", "name": "role", **group},
            subjects=[
                {"kind": "User", "name": "a"},
                {"kind": "ServiceAccount", "name": "default", "namespace": "shop"},
            ],
        ),
        an(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "scaler",
            spec={
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": "account",
                },
                "maxReplicas": 3,
            },
        ),
        an(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "behaved",
            spec={
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": "account",
                },
                "maxReplicas": 3,
                "behavior": {
                    "scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
                },
            },
        ),
        an(
            "policy/v1",
            "PodDisruptionBudget",
            "budget",
            spec={"minAvailable": 1, "selector": {"matchLabels": selector}},
        ),
    ]
