"""YAML text to Kubernetes objects, with one meaning only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from applier.failure import Failure, Reason
from stagepass import strictyaml
from stagepass.errors import InputError
from stagepass.manifest import ObjectId

Object = Mapping[str, Any]
_MAX_OBJECTS = 10_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = range(-(1 << 63), 1 << 63)


def text_of(content: bytes, where: str) -> str:
    """Strict UTF-8. Raises RENDER_REFUSED."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused(f"{where}: not UTF-8 at byte {error.start}") from error


def load(content: bytes, where: str) -> list[Any]:
    """Every document, empty ones left out. Raises RENDER_REFUSED with file and line."""
    try:
        found = strictyaml.load_all(text_of(content, where), where=where, anchors=True)
        return [document for document in found if document is not None]
    except InputError as error:
        raise refused(str(error)) from error


def objects(content: bytes, where: str) -> Iterator[Object]:
    """The objects of a manifest; a `v1` List gives its items. Raises RENDER_REFUSED."""
    for document in load(content, where):
        if _is_list(document, where):
            for item in _items(document, where):
                if _is_list(item, where):
                    raise refused(f"{where}: a List inside a List")
                yield _object(item, where)
        else:
            yield _object(document, where)


def distinct(found: Iterator[tuple[str, Object]]) -> tuple[Object, ...]:
    """All of them, in order, each identity once. `found` is (where, object). Raises RENDER_REFUSED."""
    seen: dict[ObjectId, str] = {}
    result: list[Object] = []
    for where, each in found:
        identity = ObjectId.of(each)
        if identity in seen:
            shown = "/".join(filter(None, (identity.kind, identity.namespace, identity.name)))
            raise refused(f"{where}: {shown} stands in {seen[identity]} already")
        seen[identity] = where
        result.append(each)
        if len(result) > _MAX_OBJECTS:
            raise Failure(Reason.RENDER_LIMIT, f"over {_MAX_OBJECTS} objects")
    return tuple(result)


def refused(message: str) -> Failure:
    """Say what a renderer may not do, or may not be given."""
    return Failure(Reason.RENDER_REFUSED, message)


def _is_list(document: Any, where: str) -> bool:
    if not isinstance(document, dict):
        raise refused(f"{where}: a document is not a mapping")
    kind = document.get("kind")
    if not isinstance(kind, str) or not kind.endswith("List") or "items" not in document:
        return False
    if (document.get("apiVersion"), kind) != ("v1", "List"):
        raise refused(f"{where}: {kind}: write its items out, or use kind: List of apiVersion: v1")
    return True


def _items(document: Object, where: str) -> list[Any]:
    items = document["items"]
    if not isinstance(items, list):
        raise refused(f"{where}: the items of a List are not a list")
    return items


def _object(document: Object, where: str) -> Object:
    try:
        identity = ObjectId.of(document)
    except InputError as error:
        raise refused(f"{where}: {error}") from error
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        raise refused(
            f"{where}: {identity.kind}: metadata.name is missing (generateName is no name)"
        )
    if identity.group == "kustomize.config.k8s.io":
        raise refused(f"{where}: a kustomization; let the path be its directory")
    _check_values(document, f"{where}: {identity.kind}/{name}")
    return document


def _check_values(value: Any, where: str) -> None:
    """
    What JSON between us and an API server cannot carry as it stands.

    It reads whole numbers as int64, and half of a surrogate pair is no text: beyond these, what we judged
    would not be what it stores.
    """
    if isinstance(value, dict):
        for key, each in value.items():
            _check_values(key, where)
            _check_values(each, where)
    elif isinstance(value, list):
        for each in value:
            _check_values(each, where)
    elif isinstance(value, int) and value not in _INT64:
        raise refused(f"{where}: the number {value} does not fit into 64 bits")
    elif isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
        raise refused(f"{where}: half of a surrogate pair in a text")
