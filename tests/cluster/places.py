"""Places in objects of nested mappings and lists: to read there, and to change copies there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import orjson

Step = str | int
Place = tuple[Step, ...]
"""Where something stands in one object: member names, 0 for a list's item, `KEY` for a map's."""

KEY = "cpu"
"""The key that our objects have in every free map: some defaults look at known resources only."""

ABSENT = "(absent)"
"""Stands for no value; no server sets it."""


def at(value: Any, place: Place) -> Any:
    """What stands at a place, or `ABSENT`."""
    for step in place:
        if isinstance(step, int):
            if not isinstance(value, list) or len(value) <= step:
                return ABSENT
        elif not isinstance(value, dict) or step not in value:
            return ABSENT
        value = value[step]
    return value


def put(document: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """A copy with `value` at a place, and with what leads there."""
    changed: dict[str, Any] = _copy(document)
    here: Any = changed
    for step, following in pairwise(place):
        inside: Any = [] if isinstance(following, int) else {}
        here = _enter(here, step, inside)
    last = place[-1]
    if isinstance(last, int):
        here[last:] = [value]
    else:
        here[last] = value
    return changed


def without(document: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """A copy with nothing at a place."""
    changed: dict[str, Any] = _copy(document)
    del at(changed, place[:-1])[place[-1]]
    return changed


def additions(sent: Any, got: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """What was added to `sent` or changed in it: places and values. What was dropped is left out."""
    if isinstance(sent, dict) and isinstance(got, dict):
        for member, value in got.items():
            if member in sent:
                yield from additions(sent[member], value, (*place, member))
            else:
                yield (*place, member), value
    elif isinstance(sent, list) and isinstance(got, list) and len(sent) == len(got):
        for index, (one, other) in enumerate(zip(sent, got, strict=True)):
            yield from additions(one, other, (*place, index))
    elif sent != got:
        yield place, got


def text(place: Place) -> str:
    """Such as `ports/*/hostPort`: `*` for any item and for any key of a free map."""
    return "/".join("*" if step == KEY or isinstance(step, int) else step for step in place)


def _enter(here: Any, step: Step, inside: Any) -> Any:
    if isinstance(step, int):
        if len(here) <= step:
            here.append(inside)
        return here[step]
    return here.setdefault(step, inside)


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))
