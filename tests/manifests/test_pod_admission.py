"""What built-in admission writes into a Pod that a controller made."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.manifests.samples import put
from tests.manifests.test_templates import OWNER, POD, paths

TOKEN = {
    "name": "kube-api-access-abcde",
    "projected": {
        "defaultMode": 420,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {
                "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
            {
                "downwardAPI": {
                    "items": [
                        {
                            "path": "namespace",
                            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                        }
                    ]
                }
            },
        ],
    },
}
MOUNT = {
    "name": "kube-api-access-abcde",
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    "readOnly": True,
}


def with_token(pod: Any, **mount: Any) -> Any:
    found = put(pod, "spec.volumes[+]", TOKEN)
    return put(found, "spec.containers[0].volumeMounts[+]", {**MOUNT, **mount})


def mounting(automount: bool | None) -> Any:
    owner = copy.deepcopy(OWNER)
    spec = owner["spec"]["template"]["spec"]
    if automount is None:
        del spec["automountServiceAccountToken"]
    else:
        spec["automountServiceAccountToken"] = automount
    return owner, {**POD, "spec": copy.deepcopy(spec)}


@pytest.mark.parametrize("automount", [None, True])
def test_the_token_is_mounted_where_the_release_lets_it(automount: bool | None) -> None:
    owner, pod = mounting(automount)

    assert paths(owner, with_token(pod)) == []


def test_the_token_of_a_pod_that_wants_none() -> None:
    assert paths(OWNER, with_token(POD)) == [
        "spec.containers[0].volumeMounts[1]",
        "spec.volumes[1]",
    ]


@pytest.mark.parametrize(
    ("mount", "named"),
    [
        ({"mountPath": "/bin"}, "spec.containers[0].volumeMounts[1]"),
        ({"readOnly": False}, "spec.containers[0].volumeMounts[1]"),
        ({"readOnly": 1}, "spec.containers[0].volumeMounts[1]"),
        ({"subPath": "x"}, "spec.containers[0].volumeMounts[1]"),
        ({"name": "conf"}, "spec.containers[0].volumeMounts[1]"),
    ],
)
def test_another_mount_of_the_token(mount: Any, named: str) -> None:
    owner, pod = mounting(None)

    assert paths(owner, with_token(pod, **mount)) == [named]


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("spec.volumes[1].projected.defaultMode", 511),
        ("spec.volumes[1].projected.sources[0].serviceAccountToken.audience", "vault"),
        ("spec.volumes[1].projected.sources[0].serviceAccountToken.expirationSeconds", 86400),
        ("spec.volumes[1].projected.sources[+]", {"secret": {"name": "admin"}}),
        ("spec.volumes[1].projected.sources[1].configMap.name", "other"),
        ("spec.volumes[1].hostPath", {"path": "/"}),
        ("spec.volumes[1].name", "token"),
    ],
)
def test_another_volume_in_place_of_the_token(where: str, what: Any) -> None:
    owner, pod = mounting(None)

    found = paths(owner, put(with_token(pod), where, what))

    assert found == ["spec.containers[0].volumeMounts[1]", "spec.volumes[1]"]


def test_default_tolerations_once_and_exactly() -> None:
    one = {
        "key": "node.kubernetes.io/not-ready",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    other = {**one, "key": "node.kubernetes.io/unreachable"}

    assert paths(OWNER, put(POD, "spec.tolerations", [one, other])) == []
    assert paths(OWNER, put(POD, "spec.tolerations", [one, one])) == ["spec.tolerations[0]"]
    for wrong in (
        {"tolerationSeconds": 301},
        {"tolerationSeconds": True},
        {"effect": "NoSchedule"},
    ):
        assert paths(OWNER, put(POD, "spec.tolerations", [{**one, **wrong}])) == [
            "spec.tolerations[0]"
        ]
    said = {**one, "tolerationSeconds": 5}
    owner = put(OWNER, "spec.template.spec.tolerations", [said])
    assert paths(owner, put(POD, "spec.tolerations", [said, one])) == ["spec.tolerations[1]"]
