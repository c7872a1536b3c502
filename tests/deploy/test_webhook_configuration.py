from __future__ import annotations

import re
from fnmatch import fnmatch
from itertools import product
from typing import Any

import pytest

from certs.inject import inject
from tests.deploy.base import BASE, one

# Every built-in kind with a Pod or a Pod template, and the subresource that adds a container.
WORKLOADS = {
    "": ["pods", "pods/ephemeralcontainers", "replicationcontrollers", "podtemplates"],
    "apps": ["deployments", "replicasets", "statefulsets", "daemonsets"],
    "batch": ["jobs", "cronjobs"],
}
# They bring in no image, and a gate that is asked about them can stop a cluster from healing.
NOT_ASKED = [
    "pods/status",
    "pods/binding",
    "pods/resize",
    "pods/exec",
    "deployments/scale",
    "leases",
]


def asked(webhook: dict[str, Any], operation: str, group: str, version: str, resource: str) -> bool:
    """Whether a rule matches, by the rules of admissionregistration/v1."""
    return any(
        operation in rule["operations"]
        and group in rule["apiGroups"]
        and any(fnmatch(version, pattern) for pattern in rule["apiVersions"])
        and resource in rule["resources"]
        and rule["scope"] == "Namespaced"
        for rule in webhook["rules"]
    )


@pytest.mark.parametrize(
    ("operation", "group", "resource"),
    [
        (operation, group, resource)
        for operation, (group, resources) in product(("CREATE", "UPDATE"), WORKLOADS.items())
        for resource in resources
    ],
)
def test_every_workload_kind_is_asked_about_in_every_version(
    webhook: dict[str, Any], operation: str, group: str, resource: str
) -> None:
    for version in ("v1", "v1beta1", "v2alpha1"):
        assert asked(webhook, operation, group, version, resource)


def test_nothing_else_is_asked_about(webhook: dict[str, Any]) -> None:
    """A rule of `*/*` with a dead webhook stops an API server from starting."""
    resources = [resource for rule in webhook["rules"] for resource in rule["resources"]]

    assert sorted(resources) == sorted(r for every in WORKLOADS.values() for r in every)
    assert not set(NOT_ASKED) & set(resources)
    assert {operation for rule in webhook["rules"] for operation in rule["operations"]} == {
        "CREATE",
        "UPDATE",
    }


def test_the_gate_fails_closed(webhook: dict[str, Any]) -> None:
    assert webhook["name"] == "gate.stagepass.dev"
    assert webhook["failurePolicy"] == "Fail"
    assert webhook["matchPolicy"] == "Equivalent"
    assert webhook["sideEffects"] == "None"
    assert webhook["timeoutSeconds"] == 10
    assert webhook["admissionReviewVersions"] == ["v1"]


def test_nobody_who_writes_an_object_can_leave_the_gate_out(webhook: dict[str, Any]) -> None:
    assert "matchConditions" not in webhook
    assert "objectSelector" not in webhook
    assert webhook["namespaceSelector"] == {
        "matchExpressions": [
            {
                "key": "kubernetes.io/metadata.name",
                "operator": "NotIn",
                "values": [one("Namespace")["metadata"]["name"]],
            }
        ]
    }


def test_certs_inject_fills_the_configuration() -> None:
    path = BASE / "validatingwebhookconfiguration.yaml"
    before = path.read_text()
    clean = re.sub(r"\n *caBundle: .*", "", before)  # someone may have run it on this clone

    after = inject(clean, "QUJD", where=str(path))

    assert after.replace("\n      caBundle: QUJD", "") == clean
