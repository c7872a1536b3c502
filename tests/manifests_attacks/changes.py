"""Random changes of an object, at any depth, and what is left of one when others' part is taken away."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from tests.manifests.samples import IMAGE
from tests.manifests_attacks.objects import NEXT, Object

_ZEROS: list[Any] = ["", 0, False, None, [], {}]
_VALUES: list[Any] = [
    *_ZEROS * 3,
    *("", "x", "Always", "IfNotPresent", "RollingUpdate", "ClusterIP", "TCP", "/", "node-1"),
    *(0, 1, 10, 30, 80, 420, True, False, None, [], {}, ["x"], ["sh", "-c", "x"], {"a": "b"}),
    *(IMAGE, NEXT, "1", 1.0, [{}], {"app": "other"}),
    *({"name": "x", "value": "y"}, {"name": "x", "image": IMAGE}, {"name": "x", "hostPath": {"path": "/"}}),
    *({"name": "x", "emptyDir": {}}, {"operator": "Exists"}, {"exec": {"command": ["sh"]}}),
]  # fmt: skip
_NAMES = [
    *("command", "args", "env", "envFrom", "volumes", "hostNetwork", "hostPID", "nodeName"),
    *("securityContext", "privileged", "capabilities", "add", "lifecycle", "postStart", "exec"),
    *("allowPrivilegeEscalation", "runAsUser", "minReadySeconds", "publishNotReadyAddresses"),
    *("tolerations", "nodeSelector", "priorityClassName", "runtimeClassName", "schedulerName"),
    *("automountServiceAccountToken", "initContainers", "paused", "replicas", "strategy", "type"),
    *(
        "selector",
        "externalIPs",
        "externalName",
        "nodePort",
        "targetPort",
        "resourceNames",
        "verbs",
    ),
    *("namespaceSelector", "podSelector", "ingress", "from", "data", "immutable", "labels"),
    *("annotations", "app", "rolled", "finalizers", "emptyDir", "hostPath", "optional", "subPath"),
    *("readOnly", "stdin", "tty", "limits", "requests", "cpu", "enableServiceLinks", "value"),
    *("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"),
    *("stagepass.dev/application", "mesh.example.com/inject", "hostPort", "periodSeconds"),
]
_SERVER = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "name"}
_SERVER |= {"namespace", "ownerReferences"}
# The closed lists, and the rules of what is allocated, said once more and by hand.
_LABELS = {"stagepass.dev/application"}
_ANNOTATIONS = {
    "deprecated.daemonset.template.generation",
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
}
ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def changed(source: Object, random: Random) -> Object:
    """A copy with one or two changes below `metadata`, `spec` or whatever it has."""
    document = copy.deepcopy(source)
    for _ in range(random.choice((1, 1, 2))):
        places = [place for place in _places(document, ()) if place[0][0] not in _HEAD]
        if not places:
            break
        _, parent, step = random.choice(places)
        _change(parent, step, random)
    return document


_HEAD = {"apiVersion", "kind", "status"}


def _change(parent: Any, step: Any, random: Random) -> None:
    how = random.choice(("set", "remove", "add", "add", "more", "turn"))
    here = parent[step]
    if how == "add" and isinstance(here, dict):
        here[random.choice(_NAMES)] = copy.deepcopy(random.choice(_VALUES))
    elif how in ("add", "more") and isinstance(here, list):
        here.append(copy.deepcopy(random.choice([*_VALUES, *here])))
    elif how == "turn" and isinstance(here, list):
        here.reverse()
    elif how == "remove":
        del parent[step]
    else:
        alike = [each for each in _VALUES if type(each) is type(here)]
        parent[step] = copy.deepcopy(random.choice([*_VALUES, *alike * 5]))


def _places(value: Any, path: tuple[Any, ...]) -> list[tuple[tuple[Any, ...], Any, Any]]:
    """Every place below: its path, and how it is reached."""
    found = []
    steps = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    for step in steps:
        at = (*path, step)
        if path == ("metadata",) and step in _SERVER:
            continue
        if at != ("metadata",):
            found.append((at, value, step))
        found += _places(value[step], at)
    return found


def in_scope(live: Object, attested: Object) -> Object:
    """What of a live object a release decides, where it is `attested` that it should be."""
    document = {name: copy.deepcopy(each) for name, each in live.items() if name != "status"}
    metadata = document["metadata"]
    document["metadata"] = {
        "name": metadata["name"],
        "labels": _without(metadata.get("labels"), _LABELS),
        "annotations": _without(metadata.get("annotations"), _ANNOTATIONS),
    }
    spec = document.get("spec", {})
    if live["kind"] == "Deployment":  # as the stage's allow-list says
        spec.pop("replicas", None)
        words = spec["template"]["metadata"]
        words["annotations"] = _without(words.get("annotations"), {"rolled"})
    if live["kind"] == "Service":
        for name in ALLOCATED:
            if name not in attested.get("spec", {}):
                spec.pop(name, None)
    return document


def _without(words: Any, names: set[str]) -> dict[str, Any]:
    return {k: v for k, v in (words or {}).items() if k not in names}
