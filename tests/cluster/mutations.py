"""An object with one thing changed, added or removed: everywhere, at every depth."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Path = tuple[str | int, ...]

ADDED = "stagepass-test"
_IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One difference; `path` leads to it, `how` is changed, added or removed."""

    how: str
    path: Path
    document: Object

    def __str__(self) -> str:
        text = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in self.path)
        return f"{self.how} {text.lstrip('.')}"


def mutations(document: Object) -> Iterator[Mutation]:
    """Every one; what says which object it is stays."""
    for path, value in _walk(document, ()):
        if path in _IDENTITY:
            continue
        if path and len(path) > 1:
            yield _mutated("removed", path, document, None)
        if isinstance(value, dict):
            for name, extra in _additions(path, value).items():
                if name not in value:
                    yield _mutated("added", (*path, name), document, extra)
        elif isinstance(value, list):
            if value:
                again = _other(value[-1])
                yield _mutated("added", (*path, len(value)), document, again)
        else:
            yield _mutated("changed", path, document, _other(value))


def _is_free(path: Path) -> bool:
    return bool(path) and path[-1] in {"labels", "annotations", "data", "matchLabels", "selector"}


def _additions(path: Path, value: Object) -> Object:
    """Members that somebody might add, and that the API server takes in most kinds."""
    if _is_free(path):
        return {ADDED: "x"}
    if path == ("metadata",):
        return {name: {ADDED: "x"} for name in ("labels", "annotations")}
    if "containers" in value:
        return _OF_POD
    if "image" in value:
        return _OF_CONTAINER
    if path == ("spec",):
        return _OF_SPEC
    return {}


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _walk(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _walk(each, (*path, index))


def _other(value: Any) -> Any:
    """Another value of the same type; of an item, one under another name."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return _other_text(value)
    if isinstance(value, dict):
        found = copy.deepcopy(value)
        for name in ("name", "containerPort", "port", "mountPath", "key", "host"):
            if name in found:
                found[name] = _other(found[name])
        return found
    return value


def _other_text(value: str) -> str:
    if value in _CHOICES:
        return _CHOICES[value]
    if value.startswith("/"):
        return f"{value}-2"
    number = value.rstrip("MGiKm")
    if number.isdigit():
        return f"{int(number) + 1}{value[len(number) :]}"
    if "@sha256:" in value:
        return f"{value[:-1]}{'0' if value[-1] != '0' else '1'}"
    if value.endswith("="):
        return "b3RoZXI="
    return f"{value}2"


_OF_POD = {
    "hostNetwork": True,
    "hostPID": True,
    "hostIPC": True,
    "hostUsers": False,
    "shareProcessNamespace": True,
    "serviceAccountName": "other",
    "nodeName": "elsewhere",
    "nodeSelector": {ADDED: "x"},
    "hostname": ADDED,
    "subdomain": ADDED,
    "dnsPolicy": "Default",
    "enableServiceLinks": False,
    "schedulerName": ADDED,
    "terminationGracePeriodSeconds": 1,
    "securityContext": {"runAsUser": 0},
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}],
    "imagePullSecrets": [{"name": ADDED}],
    "runtimeClassName": ADDED,
    "volumes": [{"name": ADDED, "hostPath": {"path": "/"}}],
    "readinessGates": [{"conditionType": f"example.com/{ADDED}"}],
    "setHostnameAsFQDN": True,
}
_OF_CONTAINER = {
    "command": ["sh"],
    "args": ["-c", "true"],
    "workingDir": "/x",
    "env": [{"name": "X", "value": "x"}],
    "envFrom": [{"secretRef": {"name": ADDED}}],
    "ports": [{"containerPort": 1}],
    "stdin": True,
    "stdinOnce": True,
    "tty": True,
    "imagePullPolicy": "Always",
    "lifecycle": {"postStart": {"exec": {"command": ["sh"]}}},
    "startupProbe": {"exec": {"command": ["sh"]}},
    "securityContext": {"privileged": True},
    "resources": {"limits": {"cpu": "9"}},
    "terminationMessagePath": "/x",
    "terminationMessagePolicy": "FallbackToLogsOnError",
}
_OF_SPEC = {
    "replicas": 7,
    "minReadySeconds": 7,
    "paused": True,
    "suspend": True,
    "ttlSecondsAfterFinished": 7,
    "externalIPs": ["192.0.2.1"],
    "publishNotReadyAddresses": True,
    "sessionAffinity": "ClientIP",
    "ingressClassName": ADDED,
    "minReplicas": 2,
    "unhealthyPodEvictionPolicy": "AlwaysAllow",
    "egress": [{}],
    "ingress": [{}],
    "parts": [{"name": ADDED}],
}
_CHOICES = {
    "ClusterIP": "NodePort",
    "NodePort": "ClusterIP",
    "Never": "OnFailure",
    "Local": "Cluster",
    "Prefix": "Exact",
    "ReadWriteOnce": "ReadOnlyMany",
    "NoExecute": "NoSchedule",
    "Exists": "Equal",
    "Equal": "Exists",
    "DoesNotExist": "Exists",
    "Pods": "Percent",
    "@yearly": "@daily",
    "Ignore": "FailJob",
    "User": "Group",
    "Indexed": "NonIndexed",
    "None": "",
    "get": "list",
}


def _mutated(how: str, path: Path, document: Object, value: Any) -> Mutation:
    found = copy.deepcopy(document)
    *parents, last = path
    here: Any = found
    for step in parents:
        here = here[step]
    if how == "removed":
        del here[last]
    elif how == "added" and isinstance(here, list):
        here.append(value)
    else:
        here[last] = value
    return Mutation(how, path, found)
