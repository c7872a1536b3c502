"""
The comparison itself: one walk over both objects, which stops for nothing and quotes every place. Pure.

- A value that the release sets must be equal: texts by character, numbers by value, quantities and
  base64 by what they stand for. A boolean is no number, and a number no text: `1`, `"1"` and `true`
  are three values. NaN equals nothing.
- A zero value ("", false, 0, [], {}) is as good as none only where the table says that the API server
  drops it. null is no value in built-in kinds; in custom resources one that was added is a value.
- A member that the release does not set must hold what a written rule says; where none stands, a
  default of the table, which is compared like a release; or be on the allow-list.
- Lists are compared by place, after items that a rule or the allow-list lets be added were taken out.
  None is taken out that bears the name of an item of the release: the last of two `env` of one name wins.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from stagepass.manifest import EACH
from stagepass.manifests import quantity
from stagepass.manifests.allowed import Allowed, all_open, item, member, reaches
from stagepass.manifests.difference import ABSENT, REDACTED, Difference, Step, quoted, spelled_path
from stagepass.manifests.fields import Frame, Place
from stagepass.manifests.secrets import is_salted, is_value_of, spelled

MAX_FOUND = 100
"""Then a comparison ends: what is that far off is not looked at to its end."""
_SCALARS = {str, int, bool}
_MAX_ADDED = 64  # items of one list; each is looked for among the others
# All that may be said of a Secret.
_SHOWN = {"apiVersion", "kind", "type", "immutable"}
_SHOWN_METADATA = {"name", "namespace", "labels", "finalizers"}


class Enough(Exception):
    """`MAX_FOUND` differences were found."""


@dataclass(slots=True)
class Walk:
    """
    One comparison; `found` grows in document order: what the release says first, then what was added.

    `created`: the object is not there yet. `nulls` says that null is a value. `secret` keeps values
    out of `found`. `first`: one is enough.
    Raises `Enough` when there are as many as anybody reads.
    """

    allowed: Allowed
    created: bool = False
    nulls: bool = False
    secret: bool = False
    first: bool = False
    found: list[Difference] = field(default_factory=list)

    def maps(self, frame: Frame) -> None:
        """Every member of two maps."""
        want, have = frame.want, frame.have
        known = 0
        for name, value in want.items():
            other = have.get(name, ABSENT)
            known += other is not ABSENT
            kind = type(value)
            if kind in _SCALARS and value == other and kind is type(other):  # most leaves
                continue
            self.member(frame, name, value, other)
        if known != len(have):
            for name, other in have.items():
                if name not in want:
                    self._added(frame, name, other)

    def member(self, frame: Frame, name: str, want: Any, have: Any) -> None:
        """One member of two maps that the release has."""
        opened = member(frame.opened, name) if frame.opened else ()
        if opened and all_open(opened):
            return
        place = frame.place.at(name)
        if type(want) is type(have) is dict and not place.encoded:
            self.maps(Frame(frame, name, want, have, place, opened))
        elif type(want) is type(have) is list:
            self.lists(Frame(frame, name, want, have, place, opened))
        else:
            self._unlike(frame, name, want, have)

    def _unlike(self, frame: Frame, name: str, want: Any, have: Any) -> None:
        """One member where not both are maps or both lists."""
        place = frame.place.at(name)
        if want is None and (have is None or have is ABSENT):
            return
        if have is None and not self.nulls:
            have = ABSENT
        if (want is None and not self.nulls) or place.is_none(want):
            if have is not ABSENT:
                self._added(frame, name, have)
        elif have is ABSENT:
            self._removed(frame, name, want)
        elif not _is_same(want, have, place):
            self._add(frame, name, have, want)

    def _removed(self, frame: Frame, name: str, want: Any) -> None:
        opened = member(frame.opened, name)
        if reaches(opened, want):
            emptied: Any = [] if isinstance(want, list) else {}
            self._below(Frame(frame, name, want, emptied, frame.place.at(name), opened))
        else:
            self._add(frame, name, ABSENT, want)

    def _added(self, frame: Frame, name: str, have: Any) -> None:
        """One member that the release does not set."""
        if have is None and not self.nulls:
            return
        place = frame.place.look(name)
        if place.member is None and type(have) in _SCALARS:
            for each in place.defaults:
                if have == each and type(have) is type(each):
                    return
        opened = member(frame.opened, name) if frame.opened else ()
        if all_open(opened):
            return
        vanishes = place.is_none(have)
        if place.member is not None:
            # An empty map may be what a rule is about: `emptyDir: {}` vanishes only where it is the default.
            written = not (self.created and place.later) and place.member(name, have, frame)
            if not (written or (vanishes and type(have) in _SCALARS)):
                self._add(frame, name, have, ABSENT)
        elif vanishes or self._is_default(frame, name, have, place):
            return
        elif have and type(have) is list and (place.item or place.containers):
            self.lists(Frame(frame, name, [], have, place, opened))
        elif reaches(opened, have):
            none: Any = [] if isinstance(have, list) else {}
            self._below(Frame(frame, name, none, have, place, opened))
        else:
            self._add(frame, name, have, ABSENT)

    def _below(self, frame: Frame) -> None:
        """Of a map or list that only one side has, and that the allow-list opens somewhere below."""
        if isinstance(frame.want, list):
            self.lists(frame)
        else:
            self.maps(frame)

    def _is_default(self, frame: Frame, name: str, have: Any, place: Place) -> bool:
        return any(self._equals(frame, name, each, have, place) for each in place.defaults)

    def _equals(self, frame: Frame, name: str, want: Any, have: Any, place: Place) -> bool:
        """Whether `have` were equal, had the release said `want`."""
        if not (type(want) is type(have) and isinstance(want, dict | list)):
            return _is_same(want, have, place)
        trial = Walk(Allowed(), nulls=self.nulls, first=True)
        with suppress(Enough):
            trial._below(Frame(frame, name, want, have, place))
        return not trial.found

    def lists(self, frame: Frame) -> None:
        """Two lists, by place."""
        if is_equal(frame.want, frame.have):
            return
        if frame.opened and all_open(item(frame.opened, -1, None)):
            return
        want, have = self._items(frame)
        place, opened = frame.place.at(EACH), frame.opened
        for (_, left), (index, right) in zip(want, have, strict=False):
            if type(left) is str and left == right:
                continue
            rest = item(opened, index, left) if opened else ()
            if type(left) is type(right) is dict:
                self.maps(Frame(frame, index, left, right, place, rest))
            elif type(left) is type(right) is list:
                self.lists(Frame(frame, index, left, right, place, rest))
            elif not _is_same(left, right, place):
                self._add(frame, index, right, left)
        for index, right in have[len(want) :]:
            self._add(frame, index, right, ABSENT)
        for offset, (_, left) in enumerate(want[len(have) :]):
            self._add(frame, len(frame.have) + offset, ABSENT, left)

    def _items(self, frame: Frame) -> tuple[list[tuple[int, Any]], list[tuple[int, Any]]]:
        """Both lists with the places of their items, without what may be there or may be missing."""
        want, have = list(enumerate(frame.want)), list(enumerate(frame.have))
        if frame.opened:
            want = [(i, each) for i, each in want if not all_open(item(frame.opened, i, each))]
            have = [(i, each) for i, each in have if not all_open(item(frame.opened, i, each))]
        too_many = len(have) - len(want)
        if 0 < too_many <= _MAX_ADDED and (frame.place.item or frame.place.containers):
            names = {_name(each) for _, each in want} - {None}
            kept: list[tuple[int, Any]] = []
            taken: list[Any] = []
            for index, each in reversed(have):
                new = len(taken) < too_many and _name(each) not in names and each not in taken
                if new and self._may_be_added(each, frame):
                    taken.append(each)
                else:
                    kept.append((index, each))
            have = kept[::-1]
        return want, have

    def _may_be_added(self, value: Any, frame: Frame) -> bool:
        if type(value) is not dict:
            return False
        rule = frame.place.item
        if rule is not None and rule(value, frame):
            return True
        return frame.place.containers and self.allowed.container(value)

    def _add(self, frame: Frame, step: str | int, got: Any, want: Any) -> None:
        steps = Frame(frame, step, None, None, frame.place).steps
        if self.secret and not _is_shown(steps):
            shown = [quoted(each) if each is ABSENT else REDACTED for each in (got, want)]
        else:
            shown = [quoted(got), quoted(want)]
        self.found.append(Difference(spelled_path(steps), *shown))
        if self.first or len(self.found) == MAX_FOUND:
            raise Enough


def _is_shown(steps: list[Step]) -> bool:
    metadata = len(steps) > 1 and steps[0] == "metadata" and steps[1] in _SHOWN_METADATA
    return metadata or steps[0] in _SHOWN


def _name(value: Any) -> object:
    name = value.get("name") if type(value) is dict else None
    return name if isinstance(name, str) else None


def is_equal(left: Any, right: Any) -> bool:
    """
    Whether two JSON values are one, type by type: to Python, `true` is 1.

    May say no of equal ones (`1.0`, or what orjson does not write); a tenth of the cost of a walk.
    """
    if left != right:
        return False
    try:
        written = orjson.dumps(left, option=orjson.OPT_SORT_KEYS)
        return written == orjson.dumps(right, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return False


def _is_same(want: Any, have: Any, place: Place) -> bool:
    """Of two values that are not both maps or both lists."""
    left, right = type(want), type(have)
    if left is right is not dict and left is not list:
        if want == have:
            return True
    elif {left, right} == {int, float}:
        return bool(want == have)
    if left is dict and place.encoded and is_salted(want):
        return is_value_of(want, have)
    if left is dict or left is list or right is dict or right is list:
        return False
    if place.encoded and left is right is str:
        return spelled(want) == spelled(have)
    return place.quantity and quantity.equal(want, have)
