"""One small release, and the ways to make others like it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from stagepass.cli.release_build import unsigned
from stagepass.release.build import Commit, Terms, build
from stagepass.release.model import Release
from stagepass.statement import Statement
from tests.world import DIGEST, OTHER_DIGEST, changed

COMMIT = Commit("git+https://git.example.com/shop", "c0ffee" * 6 + "c0ff")
TERMS = Terms("shop", "test", "test", COMMIT)
SALTED = Terms("shop", "test", "test", COMMIT, salted=True)
REPOSITORY = "registry.example.com/shop/releases"
CHECKOUT = f"registry.example.com/shop/checkout@{DIGEST}"
SIDECAR = f"registry.example.com/shop/proxy@{OTHER_DIGEST}"

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "checkout", "namespace": "shop", "labels": {"app": "checkout"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "checkout"}},
        "template": {
            "metadata": {"labels": {"app": "checkout"}},
            "spec": {
                "initContainers": [{"name": "wait", "image": SIDECAR}],
                "containers": [
                    {"name": "web", "image": CHECKOUT, "args": ["--port", "8080"]},
                    {"name": "proxy", "image": SIDECAR},
                ],
            },
        },
    },
}
CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "shop"},
    "data": {"colour": "grün", "size": "1"},
}
SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "password", "namespace": "shop"},
    "type": "Opaque",
    "stringData": {"password": "hunter2"},
}
ROLE: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "shop-reader"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}
OBJECTS = (DEPLOYMENT, CONFIG, ROLE)


def named(objects: Iterable[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    return [("all.yaml", each) for each in objects]


def a_release(*objects: Mapping[str, Any], terms: Terms = TERMS) -> Release:
    return build(named(objects or OBJECTS), terms)


def altered(document: Mapping[str, Any], **paths: Any) -> dict[str, Any]:
    """A copy with members set; `__` in a name stands for a dot of the path."""
    found: dict[str, Any] = changed(
        copy.deepcopy(document), {k.replace("__", "."): v for k, v in paths.items()}
    )
    return found


def payload_of(release: Release) -> bytes:
    return unsigned(release, REPOSITORY, COMMIT.subject)


def statement_of(release: Release) -> Statement:
    return Statement.parse(payload_of(release))
