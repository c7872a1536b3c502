"""Objects of a release, and ways to change one value of an object by its field path."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from stagepass.digest import ImageRef
from stagepass.policy.releases import AllowedContainer, AllowedField, Kind, ReleaseRule

IMAGE = "registry.example.com/shop/web@sha256:" + "a" * 64
MESH = "mesh.example.com/proxy@sha256:" + "b" * 64
RULE = ReleaseRule(("ci",))
REMOVED = object()
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\]]+)\]")


def an(api_version: str, kind: str, name: str = "web", **members: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", **members.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **members}


def pod_spec(**members: Any) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": IMAGE,
        "command": ["/web", "serve"],
        "args": ["--port", "8080"],
        "env": [{"name": "MODE", "value": "safe"}, {"name": "LEVEL", "value": "1"}],
        "ports": [{"containerPort": 8080}],
        "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "runAsUser": 1},
        "volumeMounts": [{"name": "conf", "mountPath": "/conf", "readOnly": True}],
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
    }
    return {
        "automountServiceAccountToken": False,
        "initContainers": [
            {"name": "first", "image": IMAGE, "command": ["/first"]},
            {"name": "second", "image": IMAGE, "command": ["/second"]},
        ],
        "containers": [container],
        "volumes": [{"name": "conf", "configMap": {"name": "web"}}],
        **members,
    }


def template(**members: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "web"}, "annotations": {"mesh.example.com/inject": "no"}},
        "spec": pod_spec(**members),
    }


def deployment(**members: Any) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template(), **members}
    return an("apps/v1", "Deployment", spec=spec, metadata={"labels": {"app": "web"}})


def service(**members: Any) -> dict[str, Any]:
    spec = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}], **members}
    return an("v1", "Service", spec=spec)


def rule(
    *pointers: str,
    kinds: tuple[Kind, ...] = (("apps", "Deployment"),),
    containers: tuple[str, ...] = (),
) -> ReleaseRule:
    fields = (
        AllowedField(
            frozenset(kinds),
            tuple(s.replace("~1", "/").replace("~0", "~") for s in pointer[1:].split("/")),
            "a test",
        )
        for pointer in pointers
    )
    images = (AllowedContainer(ImageRef.parse(text), "a test") for text in containers)
    return ReleaseRule(("ci",), fields=tuple(fields), containers=tuple(images))


def steps(path: str) -> list[str | int]:
    found: list[str | int] = []
    for member, bracket in _STEP.findall(path):
        found.append(int(bracket) if bracket.isdigit() else member or bracket)
    return found


def at(document: Any, path: str) -> Any:
    for step in steps(path):
        document = document[step]
    return document


def put(document: Mapping[str, Any], path: str, value: Any) -> Any:
    """A copy with another value at `path`, or without it; `[+]` appends to a list."""
    changed = copy.deepcopy(dict(document))
    *parents, last = steps(path)
    here: Any = changed
    for step in parents:
        here = here[step]
    if last == "+":
        here.append(value)
    elif value is REMOVED:
        del here[last]
    else:
        here[last] = value
    return changed
