"""
One place in the objects of a kind: what the table and the written rules know of it. Pure.

Places form a tree per kind, built once, so that walking a large object looks nothing up twice. Only
names that a signed release uses are kept in it; what a stranger wrote never fills the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stagepass.manifest import EACH, Path
from stagepass.manifests.allowed import Open
from stagepass.manifests.difference import Key, Step
from stagepass.manifests.table import Table

_WORDS = {("metadata", "labels"), ("metadata", "annotations")}
_MAX_KEPT = 512
_ZEROS: tuple[Any, ...] = ("", 0, [], {})


class Frame(NamedTuple):
    """
    One pair of maps or lists that is compared, and how it was reached.

    `want` is what the release says, `have` what was sent; `step` leads here from `up`.
    """

    up: Frame | None
    step: str | int
    want: Any
    have: Any
    place: Place
    opened: Open = ()

    def above(self, levels: int) -> Frame:
        """The frame so many levels up: of `containers[0].ports[1]`, 1 is `ports`, 3 `containers`."""
        frame = self
        for _ in range(levels):
            if frame.up is None:
                raise IndexError(levels)
            frame = frame.up
        return frame

    @property
    def root(self) -> Frame:
        """The two objects."""
        frame = self
        while frame.up is not None:
            frame = frame.up
        return frame

    @property
    def steps(self) -> list[Step]:
        """From the root to here."""
        steps: list[Step] = []
        frame = self
        while frame.up is not None:
            free = frame.up.place.free and isinstance(frame.step, str)
            steps.append(Key(str(frame.step)) if free else frame.step)
            frame = frame.up
        return steps[::-1]


MemberRule = Callable[[str, Any, Frame], bool]
"""Whether a member (its name, its value) that the release does not set may be in the map of the frame."""
ItemRule = Callable[[Mapping[str, Any], Frame], bool]
"""Whether an item that the release does not have may be there; the frame is its list's."""


@dataclass(frozen=True, slots=True)
class KindRules:
    """
    What is known of one kind.

    `members` and `items` are the written rules: where one stands, the table is not asked. `containers`
    are the lists that the stage's allow-list may add containers to. `later` is what an object gets once
    it is there: who brings it along has chosen it.
    """

    table: Table | None
    members: Mapping[Path, MemberRule] = field(default_factory=dict)
    items: Mapping[Path, ItemRule] = field(default_factory=dict)
    containers: frozenset[Path] = frozenset()
    later: frozenset[Path] = frozenset()


class Place:
    """One path of one kind; below a map with free keys every member is the place `*`."""

    __slots__ = (
        *("_kept", "containers", "defaults", "encoded", "free", "item", "member", "path"),
        *("_types", "later", "quantity", "rules", "vanishes"),
    )

    def __init__(self, rules: KindRules, path: Path) -> None:
        table = rules.table
        self.rules, self.path = rules, path
        self.member = rules.members.get(path)
        self.item = rules.items.get(path)
        self.containers, self.later = path in rules.containers, path in rules.later
        self.defaults = table.defaults(path) if table else ()
        self.vanishes = table.vanishes(path) if table else False
        self._types = {type(each) for each in self.defaults}
        self.quantity = table.is_quantity(path) if table else False
        self.encoded = table.is_bytes(path) if table else False
        # The metadata of the object itself, also of kinds that no table knows.
        self.free = path in _WORDS or (table.is_map(path) if table else False)
        self._kept: dict[str, Place] = {}

    def at(self, name: str) -> Place:
        """One level down, for a name of a release."""
        step = EACH if self.free else name
        found = self._kept.get(step)
        if found is None:
            found = Place(self.rules, (*self.path, step))
            if len(self._kept) < _MAX_KEPT:
                self._kept[step] = found
        return found

    def is_none(self, value: Any) -> bool:
        """Whether it is a zero value that is as good as none here: of the type of the default, if known."""
        return (
            self.vanishes
            and value in _ZEROS
            and (type(value) in self._types if self._types else not (self.free and value != {}))
        )

    def look(self, name: str) -> Place:
        """One level down, for a name that anybody may have chosen: kept where something is known of it."""
        step = EACH if self.free else name
        found = self._kept.get(step)
        if found is None:
            found = Place(self.rules, (*self.path, step))
            if found.member or found.item or found.defaults or found.vanishes:
                self._kept[step] = found
        return found
