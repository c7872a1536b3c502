"""What an API server makes of an object: the table applied as a model, member by member."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import orjson

from stagepass.manifest import Path
from stagepass.manifests import quantity
from stagepass.manifests.table import Table, table

TYPES: Mapping[str, Mapping[str, Mapping[str, Any]]] = orjson.loads(
    resources.files("stagepass.manifests").joinpath("defaults.json").read_bytes()
)["types"]


def filled(source: Any, group: str, kind: str, type_name: str) -> Any:
    """A copy as the server keeps it: zero values that vanish gone, defaults there, quantities spelled."""
    found = table(group, kind)
    assert found is not None
    return _filled(source, found, (), type_name)


def _filled(value: Any, known: Table, path: Path, type_name: str | None) -> Any:
    if isinstance(value, dict):
        return _members(value, known, path, type_name)
    if isinstance(value, list):
        return [_filled(each, known, (*path, "*"), type_name) for each in value]
    if known.is_quantity(path) and (number := quantity.parse(value)) is not None:
        return f"{number * 10**9}n" if (number * 10**9).denominator == 1 else value
    return value


def _members(value: dict[str, Any], known: Table, path: Path, type_name: str | None) -> Any:
    is_map, found = known.is_map(path), {}
    types = TYPES.get(type_name or "", {})
    for name, each in value.items():
        below = (*path, "*" if is_map else name)
        zero = each in ("", 0, [], {}) and known.vanishes(below)
        types_there = {type(default) for default in known.defaults(below)}
        if each is None or (
            (path or name != "spec") and zero and type(each) in (types_there or {type(each)})
        ):
            continue
        entry = types.get(name, {})
        inner = types.get(f"{name}/*", {}) if isinstance(each, list) else entry
        found[name] = _filled(each, known, below, inner.get("type"))
    for name in () if is_map else types:
        if (name == "emptyDir" and found.keys() - {"name"}) or known.conditional((*path, name)):
            continue
        if "/" not in name and name not in found:
            for default in known.defaults((*path, name))[:1]:
                items = types.get(f"{name}/*", {}) if isinstance(default, list) else types[name]
                inner_type = items.get("type")
                found[name] = _filled(default, known, (*path, name), inner_type)
    return found
