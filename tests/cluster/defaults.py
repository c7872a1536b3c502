"""
What a real API server makes of absent and zero members, as `stagepass/manifests/defaults.json`.

    python -m tests.cluster.defaults        write that file; one to three minutes

Two runs write the same bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from tests.cluster.admitted import admission
from tests.cluster.controlplane import ControlPlane
from tests.cluster.defaulting import Facts, Kind, Survey
from tests.cluster.openapi import Field, Types
from tests.cluster.places import ABSENT, text
from tests.cluster.recording import Recorder, schemas

FILE = Path(__file__).parents[2] / "stagepass" / "manifests" / "defaults.json"

# The first that holds a type is where it is looked at: pod specs in a template, where the server
# sets less than in a Pod.
KINDS = (
    Kind("", "v1", "PodTemplate", "podtemplates"),
    Kind("", "v1", "Pod", "pods"),
    Kind("", "v1", "ReplicationController", "replicationcontrollers"),
    Kind("apps", "v1", "Deployment", "deployments"),
    Kind("apps", "v1", "ReplicaSet", "replicasets"),
    Kind("apps", "v1", "StatefulSet", "statefulsets"),
    Kind("apps", "v1", "DaemonSet", "daemonsets"),
    Kind("batch", "v1", "Job", "jobs"),
    Kind("batch", "v1", "CronJob", "cronjobs"),
    Kind("", "v1", "Service", "services"),
    Kind("", "v1", "ConfigMap", "configmaps"),
    Kind("", "v1", "Secret", "secrets"),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses"),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Kind("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
)
# How an image is pulled that has a digest changes nothing: the usual value is good everywhere.
_PULL_POLICIES = ("imagePullPolicy", "pullPolicy")
# What built-in admission adds is no default: it is looked at apart.
MUTATING = (
    "DefaultIngressClass",
    "DefaultStorageClass",
    "DefaultTolerationSeconds",
    "LimitRanger",
    "PodTopologyLabels",
    "Priority",
    "RuntimeClass",
    "ServiceAccount",
    "StorageObjectInUseProtection",
    "TaintNodesByCondition",
)
_NO_PLUGINS = f"--disable-admission-plugins={','.join(MUTATING)}"
OLDER = ("1.36", "1.35", "1.34")
"""Versions that the same program emulates, for defaults that have changed since."""

_RESOURCES = {kind.plural for kind in KINDS}


def generate(directory: Path) -> bytes:
    """The file's content, from control planes that live in an empty directory meanwhile."""
    with ExitStack() as running:
        plain = ControlPlane(_new(directory / "plain"), apiserver_flags=[_NO_PLUGINS])
        running.enter_context(plain)
        recorder = running.enter_context(Recorder(plain, _RESOURCES, "Mutating"))
        survey = Survey(Types(_schemas(plain)), recorder)
        for kind in KINDS:
            survey.add(kind, again=kind.kind == "Pod")
        for version in OLDER:
            _add_version(survey, version, directory / version, plain)
        usual = ControlPlane(_new(directory / "usual"), neighbour=plain)
        running.enter_context(usual)
        admitted = running.enter_context(Recorder(usual, _RESOURCES, "Validating"))
        added = admission({kind.kind: kind for kind in KINDS}, recorder, admitted)
    return written({"admission": added, "kinds": _kinds(survey), "types": _types(survey)})


def written(document: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> bytes:
    """JSON, sorted, with one line for each entry of the third level."""
    lines = []
    for section, groups in sorted(document.items()):
        inside = []
        for name, entries in sorted(groups.items()):
            rows = (f"   {_json(key)}: {_json(value)}" for key, value in sorted(entries.items()))
            inside.append(f"  {_json(name)}: {{" + ",".join(f"\n{row}" for row in rows) + "}")
        lines.append(f" {_json(section)}: {{\n" + ",\n".join(inside) + "\n }")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _add_version(survey: Survey, version: str, directory: Path, neighbour: ControlPlane) -> None:
    flags = [_NO_PLUGINS, f"--emulated-version=kube={version}"]
    with (
        ControlPlane(_new(directory), apiserver_flags=flags, neighbour=neighbour) as older,
        Recorder(older, _RESOURCES, "Mutating") as recorder,
    ):
        survey.add_version(version, recorder)


def _new(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _schemas(control_plane: ControlPlane) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for api in sorted({kind.api for kind in KINDS}):
        found |= schemas(control_plane, api)
    return found


def _types(survey: Survey) -> dict[str, dict[str, Any]]:
    metadata = {"type": "meta.v1.ObjectMeta"}
    types: dict[str, dict[str, Any]] = {}
    for name, facts in survey.facts.items():
        fields = survey.types.fields(name)
        types[name] = {text(f.place): _entry(f, facts[f.place]) for f in fields if f.place in facts}
        if any(f.place == ("metadata",) for f in fields):
            types[name].setdefault("metadata", metadata)
    return types


def _kinds(survey: Survey) -> dict[str, dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {}
    for kind, places in survey.here.items():
        entries = kinds.setdefault(f"{kind.group}/{kind.kind}", {})
        root = survey.types.kind(kind.group, kind.version, kind.kind)
        about = {"group": kind.group, "kind": kind.kind, "types": []}
        entries.setdefault("", about)["types"].append(root)
        for place, facts in places.items():
            entries[text(place)] = _entry(survey.field(kind, place), facts)
    return kinds


def _entry(f: Field, facts: Facts) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    default = [] if facts.default is ABSENT else [facts.default]
    if facts.swayed:
        entry["conditional"] = [*_swayed(facts, default)]
    if (default or facts.older) and (not facts.swayed or f.place[-1] in _PULL_POLICIES):
        entry["defaults"] = [*default, *facts.older]
    if facts.vanishes:
        entry["vanishes"] = True
    if f.shape in ("bytes", "quantity", "map"):
        entry["is"] = f.shape
    if f.type:
        entry["type"] = f.type
    return entry


def _swayed(facts: Facts, default: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The values of a field whose default hangs on others: first the usual one."""
    yield from ({"value": value} for value in default)
    for key, causes in sorted(facts.swayed.items()):
        value = orjson.loads(key)
        shown = {} if value == ABSENT else {"value": value}
        yield {**shown, "when": sorted(causes)}


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def main() -> None:
    """Write the file, at the end and at once."""
    with tempfile.TemporaryDirectory() as directory:
        content = generate(Path(directory))
    FILE.write_bytes(content)


if __name__ == "__main__":
    main()
