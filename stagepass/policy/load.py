"""
Policy files to a `PolicySet`: every error at once, each with file and path, or the whole set.

Shapes are read first (`fields`), names put together afterwards, both always: an unknown attestor and
a misspelt key are reported in the same run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import PurePosixPath
from typing import Any

from stagepass import strictyaml
from stagepass.attestor import KeyRing, PublicKey
from stagepass.errors import InputError, StagepassError, did_you_mean
from stagepass.policy.fields import KINDS
from stagepass.policy.model import (
    AttestationRequirement,
    Attestor,
    Edge,
    Key,
    Pipeline,
    PolicySet,
    Stage,
)
from stagepass.policy.schema import At, Problems
from stagepass.stage import find_cycle


class PolicyError(StagepassError):
    """A set that does not load. `errors` are all of its problems, in file order."""

    def __init__(self, errors: Iterable[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


def load(files: Mapping[str, bytes], revision: str) -> PolicySet:
    """
    The set that `files` (path relative to the set's root → content) make up.

    Every `*.yaml`/`*.yml` is a policy file, the rest are what they name. Raises `PolicyError`.
    """
    problems = Problems()
    documents = _read(files, problems)
    attestors = _attestors(documents["Attestors"], files, problems)
    pipelines = _pipelines(documents["Pipeline"], attestors, problems)
    defaults = documents["Defaults"]
    if len(defaults) != 1:
        where = ", ".join(str(d["@"]) for d in defaults) or "the set"
        problems.add(
            At(where), f"{len(defaults)} documents of kind Defaults; exactly one is wanted"
        )
    if problems.found:
        raise PolicyError(problems.found)
    keys = KeyRing.of((key.public, key.owner) for a in attestors.values() for key in a.keys)
    return PolicySet(revision, attestors, pipelines, defaults[0]["unlisted"], keys)


def _read(files: Mapping[str, bytes], problems: Problems) -> dict[str, list[dict[str, Any]]]:
    documents: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in sorted(files):
        if not name.endswith((".yaml", ".yml")):
            continue
        try:
            for document in strictyaml.load_all(files[name].decode(), where=name):
                _read_document(document, At(name), documents, problems)
        except UnicodeDecodeError:
            problems.add(At(name), "not UTF-8 text")
        except InputError as error:
            problems.found.append(error)
    return documents


def _read_document(
    document: Any, at: At, documents: dict[str, list[dict[str, Any]]], problems: Problems
) -> None:
    if document is None:
        return
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        problems.add(at, f"kind {kind!r} is not a policy kind", did_you_mean(str(kind), KINDS))
        return
    documents[kind].append(KINDS[kind](document, at, problems))


def _attestors(
    documents: list[dict[str, Any]], files: Mapping[str, bytes], problems: Problems
) -> dict[str, Attestor]:
    found: dict[str, Attestor] = {}
    owners: dict[str, tuple[str, At]] = {}
    for name, entry in ((n, e) for d in documents for n, e in d["attestors"].items()):
        if name in found:
            problems.add(entry["@"], f"the attestor {name!r} is defined twice")
        keys: list[Key] = []
        for raw in entry["keys"]:
            key = _key(raw, files, owners, problems)
            if key and key.public in (other.public for other in keys):
                problems.add(
                    raw["@"].member("file"),
                    f"the key stands twice in {name!r}",
                    "write one entry for it",
                )
            keys += [key] if key else []
        found[name] = Attestor(name, tuple(keys))
    return found


def _key(
    raw: dict[str, Any],
    files: Mapping[str, bytes],
    owners: dict[str, tuple[str, At]],
    problems: Problems,
) -> Key | None:
    at: At = raw["@"]
    if raw["file"] is None or raw["owner"] is None:
        return None
    path = PurePosixPath(at.file).parent / raw["file"]
    if path.is_absolute() or ".." in path.parts or str(path) not in files:
        problems.add(
            at.member("file"),
            f"there is no file {raw['file']!r} beside {at.file}",
            "a path below the policy file that names it, without '..'",
        )
        return None
    try:
        public = PublicKey.parse(files[str(path)])
    except InputError as error:
        problems.add(at.member("file"), f"{path}: {error.message}", error.hint)
        return None
    owner, first = owners.setdefault(public.id, (raw["owner"], at))
    if owner != raw["owner"]:
        problems.add(
            at.member("owner"),
            f"this key already belongs to {owner!r} ({first})",
            "a key has one owner in the whole set",
        )
    clusters = None if raw["clusters"] is None else frozenset(raw["clusters"])
    return Key(public, raw["owner"], clusters, raw["validFrom"], raw["validUntil"])


def _pipelines(
    documents: list[dict[str, Any]], attestors: Mapping[str, Attestor], problems: Problems
) -> tuple[Pipeline, ...]:
    found: dict[str, Pipeline] = {}
    for document in documents:
        name = document["metadata"]["name"]
        if name in found:
            problems.add(
                document["@"].member("metadata.name"), f"two pipelines are called {name!r}"
            )
        stages = tuple(_stage(raw, attestors, problems) for raw in document["stages"])
        _check_order(stages, document, problems)
        _check_places(stages, document, problems)
        found[name] = Pipeline(name, document["images"], stages)
    return tuple(found[name] for name in sorted(found, key=str))


def _stage(raw: dict[str, Any], attestors: Mapping[str, Attestor], problems: Problems) -> Stage:
    at: At = raw["@"]
    _check_attestors(raw["signedBy"], at.member("signedBy"), attestors, problems)
    requires: list[AttestationRequirement] = []
    for entry in (r["attestation"] for r in raw["requires"]):
        _check_attestors(entry["from"], entry["@"].member("from"), attestors, problems)
        if entry["name"] and entry["name"] in {need.name for need in requires}:
            problems.add(
                entry["@"].member("name"), f"two requirements are called {entry['name']!r}"
            )
        requires.append(
            AttestationRequirement(entry["name"], entry["from"], entry["predicateType"])
        )
    return Stage(
        name=raw["name"],
        clusters=raw["clusters"],
        namespaces=raw["namespaces"],
        signed_by=raw["signedBy"],
        after=tuple(Edge(edge["stage"], edge["soak"], edge["maxAge"]) for edge in raw["after"]),
        requires=tuple(requires),
        enforcement=raw["enforcement"],
        allow_shared=raw["allowShared"],
    )


def _check_attestors(
    names: Iterable[str | None], at: At, attestors: Mapping[str, Attestor], problems: Problems
) -> None:
    for index, name in enumerate(names):
        if name is not None and name not in attestors:
            problems.add(
                at.item(index), f"no attestor is called {name!r}", did_you_mean(name, attestors)
            )


def _check_order(stages: tuple[Stage, ...], document: dict[str, Any], problems: Problems) -> None:
    at: At = document["@"].member("stages")
    names = [stage.name for stage in stages]
    by_name = {stage.name: stage for stage in stages if stage.name}
    for index, stage in enumerate(stages):
        if stage.name and names.index(stage.name) != index:
            problems.add(at.item(index).member("name"), f"two stages are called {stage.name!r}")
        parents = [edge.stage for edge in stage.after]
        for position, edge in enumerate(stage.after):
            here = at.item(index).member("after").item(position)
            if not edge.stage:
                continue
            if parents.index(edge.stage) != position:
                problems.add(here, f"comes after {edge.stage!r} twice", "write one edge")
            if edge.stage not in by_name:
                problems.add(
                    here, f"no stage is called {edge.stage!r}", did_you_mean(edge.stage, by_name)
                )
            elif not by_name[edge.stage].signed_by:
                problems.add(
                    at.item(names.index(edge.stage)),
                    f"{stage.name!r} comes after {edge.stage!r}, so somebody must sign its passes",
                    "add signedBy",
                )
    after = {s.name: [e.stage for e in s.after if e.stage in by_name] for s in stages}
    if cycle := find_cycle(after):
        problems.add(at, f"stages wait for each other: {' after '.join([*cycle, cycle[0]])}")


def _check_places(stages: tuple[Stage, ...], document: dict[str, Any], problems: Problems) -> None:
    for index, stage in enumerate(stages):
        for other in stages[:index]:
            shared = sorted(set(stage.clusters) & set(other.clusters) - {None})
            meet = any(
                a.overlaps(b) for a, b in product(stage.namespaces, other.namespaces) if a and b
            )
            if shared and meet:
                problems.add(
                    document["@"].member("stages").item(index),
                    f"{stage.name!r} and {other.name!r} name the same place in cluster {shared[0]!r}",
                    "give each stage namespaces of its own",
                )
