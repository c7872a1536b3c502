"""
What is written by force over what others wrote: never in a subtree that policy opens to them. Pure.

There the document says what the live object says, so that nobody's field changes hands by another value,
and names the version of the object that it read: a write in between is STALE_WRITE, and is never undone.
"""

from __future__ import annotations

from typing import Any

from stagepass.manifests.allowed import Allowed, Open, all_open, item, member
from stagepass.manifests.compare import kind_of
from stagepass.objects import Object, folded_secret, members
from stagepass.policy.releases import ReleaseRule

_ABSENT = object()
_SECRET = ("", "Secret")


class _Unclear(Exception):
    """Which live item an item of a list is cannot be said."""


def yielding(document: Object, live: Object, rule: ReleaseRule) -> Object | None:
    """
    `document` as it may be applied by force over `live`.

    None where that cannot be said: something is opened in a list of maps that have no names.
    """
    kind = kind_of(document)
    pointers = Allowed.of(rule, kind).pointers
    if not pointers:
        return document
    try:
        found = _value(folded_secret(document) if kind == _SECRET else document, live, pointers)
    except _Unclear:
        return None
    version = members(live.get("metadata")).get("resourceVersion")
    return {**found, "metadata": {**members(found.get("metadata")), "resourceVersion": version}}


def _value(want: Any, have: Any, opened: Open) -> Any:
    """`_ABSENT` where the live object has none of what is opened."""
    if all_open(opened):
        return have
    if not opened:
        return want
    if isinstance(want, dict):
        there = members(have)
        found = {
            name: _value(each, there.get(name, _ABSENT), member(opened, name))
            for name, each in want.items()
        }
        return {name: each for name, each in found.items() if each is not _ABSENT}
    return _items(want, have, opened) if isinstance(want, list) else want


def _items(want: list[Any], have: Any, opened: Open) -> list[Any]:
    rests = [item(opened, index, each) for index, each in enumerate(want)]
    if not any(rests):
        return want
    there = have if isinstance(have, list) else []
    if any(isinstance(each, dict) for each in want):
        found = _by_name(want, there)
    elif len(want) == len(there):
        found = there
    else:
        raise _Unclear
    values = [_value(w, h, rest) for w, h, rest in zip(want, found, rests, strict=True)]
    return [each for each in values if each is not _ABSENT]


def _by_name(want: list[Any], have: list[Any]) -> list[Any]:
    """The live item of each wanted one."""
    names = [_name(each) for each in want]
    there = {_name(each): each for each in have}
    if not all(names) or len(set(names)) != len(names) or len(there) != len(have):
        raise _Unclear
    return [there.get(name, _ABSENT) for name in names]


def _name(value: Any) -> str | None:
    name = members(value).get("name")
    return name if isinstance(name, str) else None
