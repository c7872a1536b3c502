"""
An API server in small: what it makes of objects, from the API's documentation and not from our table.

A few kinds, each with the members that matter. Unknown members are dropped and wrong types refused, as
the real one does; immutability is not enforced, so that every update gets as far as the gate.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.manifests_attacks.objects import Object

_ZERO: dict[str, Any] = {"text": "", "number": 0, "truth": False}
_TYPES: dict[str, type] = {"text": str, "number": int, "truth": bool}


@dataclass(frozen=True, slots=True)
class Member:
    """
    One member of a Go struct.

    `of` is a scalar, the name of a struct, `[NAME]` or `{NAME}`. Without `pointer` a zero value is
    none. `shown`: there although it is empty.
    """

    of: str = "text"
    default: Any = None
    pointer: bool = False
    shown: bool = False


_LABELS = Member("{text}")
_TEXT, _SHOWN = Member("text"), Member("text", shown=True)
_NUMBER, _SHOWN_NUMBER = Member("number"), Member("number", shown=True)
_TRUTH, _MAYBE = Member("truth"), Member("truth", None, pointer=True)
_MAYBE_NUMBER = Member("number", None, pointer=True)
_PERCENT = Member(default="25%", pointer=True)
_PROBE = {"httpGet": Member("http", pointer=True), "exec": Member("exec", pointer=True)}
_NUMBERS = {"periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
_ROLLING = {"maxSurge": "25%", "maxUnavailable": "25%"}
STRUCTS: Mapping[str, Mapping[str, Member]] = {
    "Deployment": {"spec": Member("deployment", shown=True)},
    "deployment": {
        "replicas": Member("number", 1, pointer=True),
        "paused": _TRUTH,
        "minReadySeconds": _NUMBER,
        "revisionHistoryLimit": Member("number", 10, pointer=True),
        "progressDeadlineSeconds": Member("number", 600, pointer=True),
        "strategy": Member("strategy", {"type": "RollingUpdate"}, shown=True),
        "selector": Member("selector", pointer=True),
        "template": Member("template", shown=True),
    },
    "strategy": {
        "type": Member(default="RollingUpdate"),
        "rollingUpdate": Member("rolling", _ROLLING, pointer=True),
    },
    "rolling": {"maxSurge": _PERCENT, "maxUnavailable": _PERCENT},
    "selector": {"matchLabels": _LABELS},
    "template": {"metadata": Member("words", shown=True), "spec": Member("pod", shown=True)},
    "words": {"labels": _LABELS, "annotations": _LABELS},
    "Pod": {"spec": Member("own pod", shown=True)},
    "pod": {
        "initContainers": Member("[container]"),
        "containers": Member("[container]", shown=True),
        "volumes": Member("[volume]"),
        "automountServiceAccountToken": _MAYBE,
        "hostNetwork": _TRUTH,
        "hostPID": _TRUTH,
        "nodeName": _TEXT,
        "nodeSelector": _LABELS,
        "priorityClassName": _TEXT,
        "runtimeClassName": Member(pointer=True),
        "schedulerName": Member(default="default-scheduler"),
        "restartPolicy": Member(default="Always"),
        "dnsPolicy": Member(default="ClusterFirst"),
        "terminationGracePeriodSeconds": Member("number", 30, pointer=True),
        "securityContext": Member("pod security", {}, pointer=True),
        "tolerations": Member("[toleration]"),
    },
    "pod security": {"runAsUser": _MAYBE_NUMBER, "fsGroup": _MAYBE_NUMBER},
    "toleration": {
        "key": _TEXT,
        "operator": _TEXT,
        "effect": _TEXT,
        "tolerationSeconds": _MAYBE_NUMBER,
    },
    "container": {
        "name": _SHOWN,
        "image": _TEXT,
        "imagePullPolicy": Member(default="IfNotPresent"),
        "command": Member("[text]"),
        "args": Member("[text]"),
        "workingDir": _TEXT,
        "env": Member("[env]"),
        "envFrom": Member("[env source]"),
        "ports": Member("[container port]"),
        "volumeMounts": Member("[mount]"),
        "resources": Member("resources", shown=True),
        "securityContext": Member("security", pointer=True),
        "livenessProbe": Member("probe", pointer=True),
        "lifecycle": Member("lifecycle", pointer=True),
        "terminationMessagePath": Member(default="/dev/termination-log"),
        "terminationMessagePolicy": Member(default="File"),
        "stdin": _TRUTH,
        "tty": _TRUTH,
    },
    "resources": {"limits": _LABELS, "requests": _LABELS},
    "security": {
        "privileged": _MAYBE,
        "runAsUser": _MAYBE_NUMBER,
        "allowPrivilegeEscalation": _MAYBE,
        "capabilities": Member("capabilities", pointer=True),
    },
    "capabilities": {"add": Member("[text]"), "drop": Member("[text]")},
    "probe": {**_PROBE, **{name: Member("number", n) for name, n in _NUMBERS.items()}},
    "http": {
        "path": Member(default="/"),
        "port": _SHOWN_NUMBER,
        "scheme": Member(default="HTTP"),
        "host": _TEXT,
    },
    "exec": {"command": Member("[text]")},
    "lifecycle": {
        "preStop": Member("hook", pointer=True),
        "postStart": Member("hook", pointer=True),
    },
    "hook": {"exec": Member("exec", pointer=True), "httpGet": Member("http", pointer=True)},
    "env": {"name": _SHOWN, "value": _TEXT},
    "env source": {
        "configMapRef": Member("reference", pointer=True),
        "secretRef": Member("reference", pointer=True),
    },
    "reference": {"name": _TEXT, "optional": _MAYBE},
    "container port": {
        "containerPort": _SHOWN_NUMBER,
        "hostPort": _NUMBER,
        "protocol": Member(default="TCP"),
        "name": _TEXT,
    },
    "mount": {"name": _SHOWN, "mountPath": _SHOWN, "readOnly": _TRUTH, "subPath": _TEXT},
    "volume": {
        "name": _SHOWN,
        "configMap": Member("files", pointer=True),
        "hostPath": Member("host path", pointer=True),
        "emptyDir": Member("empty", pointer=True),
    },
    "files": {
        "name": _TEXT,
        "defaultMode": Member("number", 420, pointer=True),
        "optional": _MAYBE,
    },
    "host path": {"path": _SHOWN, "type": Member(default="", pointer=True)},
    "empty": {"medium": _TEXT},
    "Service": {"spec": Member("service", shown=True)},
    "service": {
        "type": Member(default="ClusterIP"),
        "selector": _LABELS,
        "ports": Member("[port]"),
        "externalIPs": Member("[text]"),
        "externalName": _TEXT,
        "sessionAffinity": Member(default="None"),
        "publishNotReadyAddresses": _TRUTH,
        "internalTrafficPolicy": Member(default="Cluster", pointer=True),
    },
    "port": {
        "name": _TEXT,
        "protocol": Member(default="TCP"),
        "port": _SHOWN_NUMBER,
        "targetPort": _NUMBER,
        "nodePort": _NUMBER,
    },
    "ConfigMap": {"data": _LABELS, "immutable": _MAYBE},
    "Role": {"rules": Member("[rule]", shown=True)},
    "rule": {
        name: Member("[text]") for name in ("apiGroups", "resources", "resourceNames", "verbs")
    },
    "NetworkPolicy": {"spec": Member("policy", shown=True)},
    "policy": {
        "podSelector": Member("selector", shown=True),
        "ingress": Member("[ingress]"),
        "policyTypes": Member("[text]", ["Ingress"]),
    },
    "ingress": {"from": Member("[peer]")},
    "peer": {
        "podSelector": Member("selector", pointer=True),
        "namespaceSelector": Member("selector", pointer=True),
    },
}


class Refused(Exception):
    """A value of a wrong type, which no API server decodes."""


class Model:
    """Objects by (kind, name), as they are stored. Every request goes through `request` first."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], Object] = {}
        self._count = 0

    def request(self, document: Object) -> tuple[Object, Object | None]:
        """What the gate is shown: the object as it would be stored, and the one in its place."""
        old = self.stored.get(key(document))
        new = served(document)
        self._count += 1
        uid = f"0f0e0d0c-0b0a-4908-8706-{self._count:012}"
        metadata = {**written(document), "uid": old["metadata"]["uid"] if old else uid}
        metadata |= {"generation": 1, "creationTimestamp": "2026-11-26T12:00:00Z"}
        if old is not None:
            metadata["resourceVersion"] = str(self._count)
        return {**new, "metadata": metadata}, old

    def store(self, new: Object) -> None:
        """What was admitted."""
        metadata = {**new["metadata"], "resourceVersion": str(self._count)}
        self.stored[key(new)] = {**new, "metadata": metadata}


def key(document: Object) -> tuple[str, str]:
    """Kind and name: there is one namespace."""
    return document["kind"], document["metadata"]["name"]


_WRITTEN = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")


def written(document: Object) -> dict[str, Any]:
    """The metadata that a client writes; empty maps and lists are none. Raises `Refused`."""
    metadata = document["metadata"]
    for name in ("labels", "annotations"):
        _value(metadata.get(name) or {}, "{text}")
    return {name: copy.deepcopy(metadata[name]) for name in _WRITTEN if metadata.get(name)}


def served(document: Object) -> Object:
    """An object as the server encodes it. Raises `Refused`."""
    kind = document["kind"]
    body = _struct(document, kind)
    head = {name: document[name] for name in ("apiVersion", "kind")}
    if kind == "Service":
        for port in body["spec"].get("ports", []):
            port.setdefault("targetPort", port["port"])
    return {**head, "metadata": written(document), **body}


def _struct(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{name} is {value!r}")
    found = {}
    for member, field in _members_of(name):
        each = value.get(member)
        kept = None if each is None else _value(each, field.of)
        if not field.pointer and kept in ("", 0, [], {}):
            kept = None
        if kept is None and field.default is not None:
            kept = _value(field.default, field.of)
        if kept is None and field.shown:
            kept = _empty(field.of)
        if kept is not None:
            found[member] = kept
    if name == "volume" and found.keys() == {"name"}:
        found["emptyDir"] = {}
    if name == "strategy" and found["type"] != "RollingUpdate":
        found.pop("rollingUpdate")
    return found


def _members_of(name: str) -> Iterator[tuple[str, Member]]:
    if name == "own pod":
        yield from STRUCTS["pod"].items()
        yield "enableServiceLinks", Member("truth", True, pointer=True)
    else:
        yield from STRUCTS[name].items()


def _value(value: object, of: str) -> Any:
    if of in _TYPES:
        if type(value) is not _TYPES[of]:
            raise Refused(f"{value!r} is no {of}")
        return value
    if of[0] == "[":
        if not isinstance(value, list):
            raise Refused(f"{value!r} is no list")
        return [_value(each, of[1:-1]) for each in value]
    if of[0] == "{":
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise Refused(f"{value!r} is no map of texts")
        return dict(value)
    return _struct(value, of)


def _empty(of: str) -> Any:
    return _ZERO[of] if of in _ZERO else [] if of[0] == "[" else _struct({}, of)
