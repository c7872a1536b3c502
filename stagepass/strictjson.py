"""
JSON in which one text has one meaning.

Duplicate keys, NaN, byte-order marks, lone surrogates, trailing bytes and bottomless nesting are
refused: each has let two readers of the same signed bytes see two different documents.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import orjson

from stagepass.errors import InputError

# orjson refuses to write what is nested deeper, so what it wrote needs no second look.
_WRITTEN_DEPTH = 254
_GO_ESCAPES = ((b"\\u0026", b"&"), (b"\\u003c", b"<"), (b"\\u003e", b">"))

Json = dict[str, Any] | list[Any] | str | int | float | bool | None


def loads(data: bytes, *, max_bytes: int, max_depth: int) -> Any:
    """
    The value `data` (UTF-8) stands for. Raises `InputError`, saying what is wrong.

    `max_bytes` bounds the text, `max_depth` the nesting of objects and arrays.
    """
    if len(data) > max_bytes:
        raise InputError(f"{len(data)} bytes of JSON; at most {max_bytes} are read")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"not JSON: {error}") from error
    is_unambiguous = _is_unambiguous(value, data)
    is_bounded = is_unambiguous and max_depth >= _WRITTEN_DEPTH
    if not is_bounded and data.count(b"{") + data.count(b"[") > max_depth:  # an upper bound
        _bound_depth(value, max_depth)
    return value if is_unambiguous else _loads_watching_keys(data)


def _is_unambiguous(value: Any, data: bytes) -> bool:
    """
    Whether `data` is what `value` is written as, byte for byte: then it holds no duplicate key.

    Go's encoder writes `&`, `<` and `>` as escapes; undone, a text that agrees has the same tokens.
    The check costs a third of a second parse. What does not agree (spaces, other escapes, floats) is
    parsed again by the slower decoder, which sees duplicates and keeps big integers whole.
    """
    text = data.rstrip()
    try:
        written = orjson.dumps(value)
    except TypeError:  # nested deeper than orjson writes, though not deeper than it reads
        return False
    if written == text or b"\\u00" not in text:
        return written == text
    for escape, character in _GO_ESCAPES:
        text = text.replace(escape, character)
    return written == text


def loads_object(data: bytes, *, max_bytes: int, max_depth: int) -> dict[str, Any]:
    """`loads`, and anything but an object is an `InputError`."""
    value = loads(data, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise InputError(f"a JSON object is wanted, this is {type_name(value)}")
    return value


def dumps(value: Json) -> bytes:
    """Compact UTF-8 JSON, keys in the order given."""
    return orjson.dumps(value)


def type_name(value: object) -> str:
    """What a person calls the JSON type of `value`."""
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")


def _loads_watching_keys(data: bytes) -> Any:
    try:
        return json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:  # ValueError: an integer of over 4,300 digits
        raise InputError(f"not JSON: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # set.add in a search
        raise InputError(f"the key {twice!r} stands twice in one object")
    return found


def _bound_depth(value: Any, max_depth: int) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(max_depth):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    if level:
        raise InputError(f"nested more than {max_depth} levels deep")


def base64_bytes(value: object) -> bytes:
    """What standard, padded base64 text stands for; b"" for whatever is none."""
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""
