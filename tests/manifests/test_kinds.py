"""The table and the written rules, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

import orjson
import pytest

from stagepass.manifest import Path
from stagepass.manifests import kinds
from stagepass.manifests.table import table
from stagepass.policy.releases import DEFAULT_KINDS, Kind

DOCUMENT = orjson.loads(
    resources.files("stagepass.manifests").joinpath("defaults.json").read_bytes()
)
# `stringData` becomes `data`: the release has it folded already.
# Labels are always compared one by one, so that the rule of these stands one level down.
ELSEWHERE = {
    (("", "Secret"), ("data",)),
    (("", "ReplicationController"), ("metadata", "labels")),
    (("batch", "Job"), ("metadata", "labels")),
}


def places(type_name: str, path: Path = ()) -> Iterator[Path]:
    """Every place below a type."""
    for name, entry in DOCUMENT["types"].get(type_name, {}).items():
        here = (*path, *name.split("/"))
        yield here
        if "type" in entry:
            yield from places(entry["type"], here)


def known_places(kind: Kind) -> set[Path]:
    roots = [each[""] for each in DOCUMENT["kinds"].values()]
    [types] = [each["types"] for each in roots if (each["group"], each["kind"]) == kind]
    return {path for name in types for path in places(name)}


def place(kind: Kind, path: Path) -> kinds.Place:
    found = kinds.root(kind)
    for step in path:
        found = found.look(step)
    return found


@pytest.mark.parametrize("kind", sorted(DEFAULT_KINDS))
def test_every_conditional_default_has_a_written_rule(kind: Kind) -> None:
    """A new one in the table, after the next version of Kubernetes, is red here first."""
    known = table(*kind)
    assert known is not None
    found = {path for path in known_places(kind) if known.conditional(path)}

    unruled = {path for path in found if place(kind, path).member is None}
    assert {path for path in unruled if (kind, path) not in ELSEWHERE} == set()


def test_there_are_conditional_defaults() -> None:
    known = table("", "Service")
    assert known is not None
    assert known.conditional(("spec", "ports", "*", "targetPort"))
    assert ("spec", "ports", "*", "targetPort") in known_places(("", "Service"))


@pytest.mark.parametrize("kind", sorted(DEFAULT_KINDS))
def test_a_rule_is_about_a_place_that_there_is(kind: Kind) -> None:
    """A misspelt path would be a rule that is never asked."""
    rules = kinds.root(kind).rules
    named = {path for path in (*rules.members, *rules.items) if path[0] != "metadata"}

    assert {path for path in named if path not in known_places(kind)} == set()
