"""
What an application owns in its cluster, as data. Pure.

Written before the first write and shrunk only after a confirmed delete: forgetting either half
leaves objects that nobody prunes (fluxcd/kustomize-controller 409 and 1664).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from applier.rules import Object, identity
from stagepass import strictjson
from stagepass.errors import InputError
from stagepass.manifest import ObjectId

_FORMAT = 1
_MAX_BYTES = 4 << 20
_TEXTS = ("group", "kind", "namespace", "name", "version")


@dataclass(frozen=True, slots=True)
class Entry:
    """One object. `version` is that of its API group; `uid` None until an apply of it succeeded."""

    id: ObjectId
    version: str
    uid: str | None

    @classmethod
    def planned(cls, document: Object) -> Entry:
        """For an object that is about to be applied. Raises `InputError` where it is none."""
        return cls(ObjectId.of(document), document["apiVersion"].rpartition("/")[2], None)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Entries in the order of their identities, each identity once."""

    entries: tuple[Entry, ...] = ()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def with_planned(self, objects: Iterable[Object]) -> Inventory:
        """The union with what is about to be applied; a UID that is known stays."""
        known = {entry.id: entry for entry in self.entries}
        for document in objects:
            planned = Entry.planned(document)
            uid = known[planned.id].uid if planned.id in known else None
            known[planned.id] = replace(planned, uid=uid)
        return Inventory(tuple(sorted(known.values(), key=lambda entry: entry.id)))

    def with_uids(self, uids: Mapping[ObjectId, str]) -> Inventory:
        """With the UIDs that applies were answered with. Raises `KeyError`: it was never planned."""
        unplanned = uids.keys() - {entry.id for entry in self.entries}
        if unplanned:
            raise KeyError(identity(min(unplanned)))
        return Inventory(
            tuple(replace(e, uid=uids[e.id]) if e.id in uids else e for e in self.entries)
        )

    def without(self, ids: Collection[ObjectId]) -> Inventory:
        """After confirmed deletes, or where the objects are gone or no longer ours."""
        return Inventory(tuple(entry for entry in self.entries if entry.id not in ids))

    def to_json(self) -> str:
        """One line, the same for the same entries."""
        rows = [_row(entry) for entry in self.entries]
        return json.dumps({"format": _FORMAT, "entries": rows}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Inventory:
        """Raises `InputError`: a wrong inventory is never read as an empty one, which owns nothing."""
        document = strictjson.loads_object(
            text.encode(errors="surrogatepass"), max_bytes=_MAX_BYTES, max_depth=8
        )
        rows = document.get("entries")
        if document.get("format") != _FORMAT or set(document) != {"format", "entries"}:
            raise InputError(f"an inventory of another format than {_FORMAT}")
        if not isinstance(rows, list):
            raise InputError("entries is not a list")
        found = [_entry(row, f"entries[{index}]") for index, row in enumerate(rows)]
        if len({entry.id for entry in found}) != len(found):
            raise InputError("entries name an object twice")
        return cls(tuple(sorted(found, key=lambda entry: entry.id)))


def _row(entry: Entry) -> dict[str, str | None]:
    names = entry.id
    return {
        "group": names.group,
        "kind": names.kind,
        "namespace": names.namespace,
        "name": names.name,
        "version": entry.version,
        "uid": entry.uid,
    }


def _entry(row: object, where: str) -> Entry:
    if not isinstance(row, dict) or set(row) != {*_TEXTS, "uid"}:
        raise InputError(f"is no entry with {', '.join(_TEXTS)} and uid", where=where)
    fields: Mapping[str, Any] = row
    if not all(isinstance(fields[name], str) for name in _TEXTS):
        raise InputError(f"{', '.join(_TEXTS)} are texts", where=where)
    if not (fields["kind"] and fields["name"] and fields["version"]):
        raise InputError("kind, name or version is empty", where=where)
    uid = fields["uid"]
    if uid is not None and (not isinstance(uid, str) or not uid):
        raise InputError("uid is neither text nor null", where=where)
    names = ObjectId(fields["group"], fields["kind"], fields["namespace"], fields["name"])
    return Entry(names, fields["version"], uid)
