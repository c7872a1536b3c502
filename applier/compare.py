"""
Whether an apply would change anything, from one LIST and no request. Pure.

Server-side apply records in `metadata.managedFields` what each manager applied last. That record is
the schema here: it says which lists have merge keys, which are replaced whole, and what we set
once and no longer want. A member is unchanged when it is ours *and* equal; whatever else the live
object has is the API server's default, or somebody else's. Any write of another value by somebody
takes the member out of our record, so leniency about spelling can hide no drift.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from applier.rules import CRD, Object, is_built_in
from stagepass.manifests import quantity
from stagepass.objects import folded_secret

_ABSENT = object()
_RECORD = ".metadata.managedFields"
_UNTRACKED = {"apiVersion", "kind", "metadata"}
_UNTRACKED_METADATA = {"name", "namespace"}

# Empty maps that are merged member by member. Anywhere else `{}` replaces all: `podSelector: {}`.
_MERGED = {
    *("annotations", "labels", "data", "binaryData", "limits", "requests", "resources"),
    *("securityContext", "affinity", "strategy", "emptyDir"),
}
# What an API server adds inside lists and maps that are replaced whole, where no record can tell it
# from a member that we no longer want.
_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "apiGroup": ("rbac.authorization.k8s.io",),
    "apiVersion": ("v1",),
    "divisor": ("0",),
    "expirationSeconds": (3600,),
    "kind": ("PersistentVolumeClaim",),
    "name": ("",),
    "phase": ("Pending",),
    "protocol": ("TCP",),
    "resources": ({},),
    "scope": ("*",),
    "status": ({"phase": "Pending"},),
    "volumeMode": ("Filesystem",),
}


def differs(desired: Object, live: Object, manager: str) -> tuple[str, ...]:
    """
    The paths that an apply of `desired` by `manager` would change, sorted; () for none.

    `desired` as `objects.prepare` makes it; `live` as read in the same API version. An object that
    `manager` never applied differs in its `managedFields`. What cannot be told apart counts as a
    difference: that costs one apply, which then changes nothing.
    """
    owned = _record(live, manager, desired["apiVersion"])
    if owned is None:
        return (_RECORD,)
    group, slash, _ = desired["apiVersion"].partition("/")
    kind = (group if slash else "", desired["kind"])
    wanted = folded_secret(desired) if kind == ("", "Secret") else desired
    compare = _Compare(quantities=is_built_in(kind[0]) and kind != CRD)
    body = {key: value for key, value in wanted.items() if key not in _UNTRACKED}
    metadata = wanted.get("metadata") or {}
    names = {key: value for key, value in metadata.items() if key not in _UNTRACKED_METADATA}
    ours = owned.get("f:metadata", {})
    rest = {key: value for key, value in owned.items() if key != "f:metadata"}
    found = compare.merged(names, live.get("metadata") or {}, ours, "metadata")
    paths = [f".metadata{path}" for path in found]
    return tuple(sorted([*paths, *compare.merged(body, live, rest, "")]))


def _record(live: Object, manager: str, version: str) -> Mapping[str, Any] | None:
    """What the last apply by `manager` set, as a FieldsV1 tree; None if it was in another version."""
    for each in (live.get("metadata") or {}).get("managedFields") or ():
        if each.get("manager") == manager and each.get("operation") == "Apply":
            if each.get("subresource") or each.get("fieldsType") != "FieldsV1":
                continue
            fields = each.get("fieldsV1")
            same = each.get("apiVersion") == version
            return fields if same and isinstance(fields, dict) else None
    return None


class _Compare:
    """One comparison. Its methods return paths below what they are given, [] for no difference."""

    def __init__(self, *, quantities: bool) -> None:
        self._quantities = quantities

    def merged(self, want: Object, have: Object, owned: Object, name: str) -> list[str]:
        """Of a map that is merged member by member."""
        found: list[str] = []
        matched = 0
        for key, value in want.items():
            ours = owned.get(f"f:{key}")
            if ours is None:
                found.append(f".{key}")
                continue
            matched += 1
            below = have.get(key, _ABSENT)
            if type(value) is type(below) is str:  # most leaves: half of the time of a pass
                if value != below and not self._same(name, key, value, below):
                    found.append(f".{key}")
            else:
                found += [f".{key}{p}" for p in self._value(value, below, ours, name, key)]
        if matched != len(owned) - ("." in owned):
            found += [f".{mark[2:]}" for mark in owned if mark[:2] == "f:" and mark[2:] not in want]
            if any(mark[:2] not in ("f:", ".") for mark in owned):
                found.append("")
        return found

    def _value(self, want: Any, have: Any, ours: Object, parent: str, key: str) -> Sequence[str]:
        if isinstance(want, dict):
            if ours:
                if have is _ABSENT or have is None:
                    have = {}
                return self.merged(want, have, ours, key) if isinstance(have, dict) else ("",)
            if not want and (have is _ABSENT or (key in _MERGED and isinstance(have, dict))):
                return ()
        elif isinstance(want, list):
            if ours:
                have = [] if have is _ABSENT or have is None else have
                return self._keyed(want, have, ours, key) if isinstance(have, list) else ("",)
            if not want and have is _ABSENT:
                return ()
        elif ours:
            return ("",)
        elif have is _ABSENT:  # ours, and not kept: fields with omitempty drop "", 0 and false
            return () if not want else ("",)
        return self._whole(want, have, parent, key)

    def _whole(self, want: Any, have: Any, parent: str, key: str) -> Sequence[str]:
        """Of a value that is replaced whole: every member counts, but for known defaults."""
        if isinstance(want, dict):
            if not isinstance(have, dict):
                return ("",)
            found = [
                f".{name}{path}"
                for name, value in want.items()
                for path in self._member(value, have.get(name, _ABSENT), key, name)
            ]
            return found + [
                f".{name}"
                for name, value in have.items()
                if name not in want and not _is_default(name, value)
            ]
        if isinstance(want, list):
            if not isinstance(have, list) or len(want) != len(have):
                return ("",)
            return [
                f"[{index}]{path}"
                for index, (left, right) in enumerate(zip(want, have, strict=True))
                for path in self._whole(left, right, parent, key)
            ]
        if want == have and isinstance(want, bool) == isinstance(have, bool):
            return ()
        return () if self._same(parent, key, want, have) else ("",)

    def _member(self, want: Any, have: Any, parent: str, key: str) -> Sequence[str]:
        if have is _ABSENT:
            return () if want is None else ("",)
        return self._whole(want, have, parent, key)

    def _keyed(self, want: list[Any], have: list[Any], owned: Object, name: str) -> list[str]:
        """Of a list whose items are merged by key (`k:`) or that is a set (`v:`)."""
        marks = [mark for mark in owned if mark != "."]
        if all(mark[:2] == "v:" for mark in marks):
            return _set(want, have, marks)
        if not all(mark[:2] == "k:" for mark in marks):
            return [""]
        pairs = _matched(want, marks)
        if pairs is None or len(pairs) != len(want):
            return [""]
        places: list[int] = []
        found: list[str] = []
        live = _places(have, _fields(marks[0]))
        for index, mark in sorted(pairs.items()):
            place = live.get(_key(mark))
            if place is None:
                found.append(f"[{index}]")
                continue
            places.append(place)
            found += [
                f"[{index}]{path}"
                for path in self.merged(want[index], have[place], owned[mark], name)
            ]
        # An apply puts the items in its own order, which init containers and variables run in.
        return [*found, ""] if any(a > b for a, b in pairwise(places)) else found

    def _same(self, parent: str, key: str, want: Any, have: Any) -> bool:
        return self._quantities and quantity.same(parent, key, want, have)


def _is_default(name: str, value: Any) -> bool:
    return value is None or value in _DEFAULTS.get(name, ())


def _set(want: list[Any], have: list[Any], marks: list[str]) -> list[str]:
    owned = {_parsed(mark[2:]) for mark in marks}
    wanted = {_exact(each) for each in want}
    return [] if wanted == owned and wanted <= {_exact(each) for each in have} else [""]


def _matched(want: list[Any], marks: list[str]) -> dict[int, str] | None:
    """
    Index in `want` -> its mark in the record; None where they do not pair off one to one.

    An item may leave a key out that has a default (`protocol`): it takes what is left over.
    """
    names = _fields(marks[0])
    if not all(isinstance(each, dict) for each in want):
        return None
    exact = _places(want, names)
    if len(exact) != len(want) or len(marks) != len(want):
        return None
    pairs: dict[int, str] = {}
    left: list[str] = []
    for mark in marks:
        index = exact.get(_key(mark))
        if index is None:
            left.append(mark)
        else:
            pairs[index] = mark
    for index, item in enumerate(want):
        if index not in pairs:
            fits = [mark for mark in left if _fits(item, names, _key(mark))]
            if not fits:
                return None
            pairs[index] = fits[0]
            left.remove(fits[0])
    return pairs


def _fits(item: Object, names: tuple[str, ...], key: tuple[str, ...]) -> bool:
    return all(
        name not in item or _exact(item[name]) == part
        for name, part in zip(names, key, strict=True)
    )


def _places(items: list[Any], names: tuple[str, ...]) -> dict[tuple[str, ...], int]:
    """Key -> index, of the items that are maps."""
    return {
        tuple(_exact(item[name]) if name in item else "" for name in names): index
        for index, item in enumerate(items)
        if isinstance(item, dict)
    }


def _exact(value: Any) -> str:
    """A text that tells 1 from "1" and from true."""
    return f'"{value}"' if isinstance(value, str) else json.dumps(value, sort_keys=True)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> str:
    return _exact(json.loads(text))


@lru_cache(maxsize=4096)
def _fields(mark: str) -> tuple[str, ...]:
    return tuple(sorted(json.loads(mark[2:])))


@lru_cache(maxsize=4096)
def _key(mark: str) -> tuple[str, ...]:
    return tuple(_exact(value) for _, value in sorted(json.loads(mark[2:]).items()))
