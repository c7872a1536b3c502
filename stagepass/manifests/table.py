"""
What an API server makes of absent and zero members of built-in kinds: the table `defaults.json`.

It was recorded from a real kube-apiserver (`make defaults`): for each type of its own OpenAPI
document, per member, the default, whether a zero value vanishes, and what a scalar stands for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import orjson

from stagepass.manifest import Path

_Entry = Mapping[str, Any]
_NOTHING: _Entry = {}


@dataclass(slots=True)
class _Node:
    """An entry, and the members, items or values of what stands there."""

    entry: _Entry = field(default_factory=dict)
    steps: _Steps = field(default_factory=dict)


_Steps = dict[str, _Node]


@dataclass(frozen=True, slots=True)
class Table:
    """
    The facts of one kind, in all its versions.

    A `Path` has `*` for any item of a list and for any key of a free map. What the table does
    not know has no default, does not vanish, and is no quantity, no bytes and no map.
    """

    _roots: tuple[_Steps, ...]
    _here: Mapping[Path, _Entry]

    def defaults(self, path: Path) -> tuple[Any, ...]:
        """
        The values an absent member may get, whatever else stands in the object; () where none.

        A value that hangs on other members is not among them (`conditional`).
        """
        return tuple(value for entry in self._entries(path) for value in entry.get("defaults", ()))

    def conditional(self, path: Path) -> tuple[Any, ...]:
        """Values, or samples of them, that an absent member gets in some objects only."""
        return tuple(
            case["value"]
            for entry in self._entries(path)
            for case in entry.get("conditional", ())
            if "value" in case
        )

    def vanishes(self, path: Path) -> bool:
        """Whether the server cannot tell a zero value ("", 0, false, [], {}) from an absent one."""
        return any(entry.get("vanishes", False) for entry in self._entries(path))

    def is_quantity(self, path: Path) -> bool:
        """Whether a resource quantity stands there, such as `500m`: equal by value."""
        return self._is(path, "quantity")

    def is_bytes(self, path: Path) -> bool:
        """Whether base64 stands there."""
        return self._is(path, "bytes")

    def is_map(self, path: Path) -> bool:
        """Whether it is a free map, whose keys are `*` in a path."""
        return self._is(path, "map")

    def _is(self, path: Path, what: str) -> bool:
        return any(entry.get("is") == what for entry in self._entries(path))

    def _entries(self, path: Path) -> Iterator[_Entry]:
        if (here := self._here.get(path)) is not None:
            yield here
        else:
            for root in self._roots:
                yield _walk(root, path)


def table(group: str, kind: str) -> Table | None:
    """The table of a built-in kind; None for one that it does not know."""
    return _tables().get((group, kind))


@cache
def _tables() -> Mapping[tuple[str, str], Table]:
    document = orjson.loads(resources.files(__package__).joinpath("defaults.json").read_bytes())
    types = _linked(document["types"])
    return {
        (entry["group"], entry["kind"]): Table(
            tuple(types[name] for name in entry["types"]),
            {tuple(path.split("/")): each for path, each in places.items() if path},
        )
        for places in document["kinds"].values()
        for entry in (places[""],)
    }


def _linked(types: Mapping[str, Mapping[str, _Entry]]) -> Mapping[str, _Steps]:
    """The types as steps from one member to the next: a type is there once, wherever it is used."""
    linked: dict[str, _Steps] = {name: {} for name in types}
    for name, members in types.items():
        for place, entry in members.items():
            steps = linked[name]
            *through, last = place.split("/")
            for step in through:
                steps = steps.setdefault(step, _Node()).steps
            node = steps.setdefault(last, _Node())
            node.entry = entry
            if "type" in entry:
                node.steps = linked[entry["type"]]
    return linked


def _walk(steps: _Steps, path: Path) -> _Entry:
    entry = _NOTHING
    for step in path:
        node = steps.get(step)
        if node is None:
            return _NOTHING
        entry, steps = node.entry, node.steps
    return entry
