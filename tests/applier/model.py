"""
A cluster as plain data, for laws: server-side apply by its rules, small enough to be read.

It merges maps and lists of named items, replaces other lists, adds a default beside what was sent,
drops empty members that Go would omit, and records who set what in FieldsV1. The real API server
judges the same code in tests/cluster/test_applier_compare.py.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterable
from typing import Any

from applier.inventory import Entry, Inventory
from applier.plan import Plan
from applier.rules import FIELD_MANAGER, Object
from stagepass.manifest import ObjectId

DEFAULT = "defaulted"
_UNTRACKED = {"apiVersion", "kind"}
_UNTRACKED_METADATA = {"name", "namespace"}


class Cluster:
    """Objects by identity. UIDs are counted."""

    def __init__(self) -> None:
        self.objects: dict[ObjectId, dict[str, Any]] = {}
        self._uids = itertools.count(1)

    def apply(self, desired: Object, manager: str = FIELD_MANAGER) -> dict[str, Any]:
        """One server-side apply without conflicts; the stored object."""
        found = ObjectId.of(desired)
        old = self.objects.get(found, {})
        record = record_of(desired)
        before = next((m["fieldsV1"] for m in _managers(old) if m["manager"] == manager), {})
        live = _merge(desired, _without(old, before, record))
        live["metadata"]["uid"] = old.get("metadata", {}).get("uid") or f"uid-{next(self._uids)}"
        live["metadata"]["managedFields"] = [
            *(m for m in _managers(old) if m["manager"] != manager),
            managed(record, manager, desired["apiVersion"]),
        ]
        self.objects[found] = live
        return live

    def carry_out(self, plan: Plan, owned: Inventory) -> Inventory:
        """Every write of a plan, the inventory kept as an applier must."""
        owned = owned.with_planned([*plan.create, *plan.update])
        for document in [*plan.create, *plan.update]:
            stored = self.apply(document)
            owned = owned.with_uids({ObjectId.of(document): stored["metadata"]["uid"]})
        for entry in plan.prune:
            assert self.objects[entry.id]["metadata"]["uid"] == entry.uid
            del self.objects[entry.id]
            owned = owned.without({entry.id})
        for entry in plan.forgotten:
            owned = owned.without({entry.id})
        return owned


def managed(record: Object, manager: str, version: str) -> dict[str, Any]:
    """An entry of managedFields."""
    return {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": version,
        "fieldsType": "FieldsV1",
        "fieldsV1": record,
    }


def record_of(desired: Object) -> dict[str, Any]:
    """The FieldsV1 tree of what is sent."""
    body = {k: v for k, v in desired.items() if k not in _UNTRACKED}
    if "metadata" in body:
        names = body.pop("metadata")
        rest = {k: v for k, v in names.items() if k not in _UNTRACKED_METADATA}
        return _tree(body) | ({"f:metadata": _tree(rest)} if rest else {})
    return _tree(body)


def entries_of(objects: Iterable[dict[str, Any]]) -> Inventory:
    """An inventory that owns them as they are."""
    return Inventory(
        tuple(
            Entry(ObjectId.of(o), o["apiVersion"].rpartition("/")[2], o["metadata"]["uid"])
            for o in sorted(objects, key=ObjectId.of)
        )
    )


def is_keyed(value: Any) -> bool:
    """Whether a list is merged by the names of its items."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return False
    names = [each.get("name") for each in value]
    return (
        bool(names) and all(n and isinstance(n, str) for n in names) and len({*names}) == len(names)
    )


def _mark(item: Object) -> str:
    return "k:" + json.dumps({"name": item["name"]}, separators=(",", ":"))


def _tree(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"f:{key}": _tree(each) for key, each in value.items()}
    if is_keyed(value):
        return {_mark(item): {".": {}, **_tree(item)} for item in value}
    return {}


def _managers(live: Object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = live.get("metadata", {}).get("managedFields", [])
    return found


def _merge(desired: Any, live: Any) -> Any:
    if isinstance(desired, dict):
        have = live if isinstance(live, dict) else {}
        merged = {**copy.deepcopy(have)}
        for key, value in desired.items():
            if value in ("", None) or value == {} or value == []:
                merged.pop(key, None)
            else:
                merged[key] = _merge(value, have.get(key))
        if desired:
            merged.setdefault("addedByTheServer", DEFAULT)
        return merged
    if is_keyed(desired):
        have = {
            each["name"]: each for each in live or [] if isinstance(each, dict) and "name" in each
        }
        ours = [_merge(item, have.pop(item["name"], None)) for item in desired]
        return [*ours, *have.values()]
    return copy.deepcopy(desired)


def _without(live: Any, before: Object, now: Object) -> Any:
    """`live` without what the manager set before and sets no more."""
    if isinstance(live, dict):
        return {
            key: _without(value, before.get(f"f:{key}", {}), now.get(f"f:{key}", {}))
            for key, value in live.items()
            if f"f:{key}" not in before or f"f:{key}" in now
        }
    if is_keyed(live):
        return [
            _without(item, before.get(_mark(item), {}), now.get(_mark(item), {}))
            for item in live
            if _mark(item) not in before or _mark(item) in now
        ]
    return live
