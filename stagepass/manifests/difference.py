"""
What is said of a difference: its place in Kubernetes field-path notation, what was got, what is wanted.

The object that is judged was written by a stranger, so what is quoted of it is one line of printable
ASCII, cut. Of a Secret no value is quoted, nor an annotation: `kubectl` writes the values there too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

ABSENT: Final[Any] = object()
"""No value. None is a value: JSON null."""

REDACTED = "(redacted)"
MAX_QUOTED = 80
_MAX_KEY = 320  # a label key has at most 253 + 1 + 63 characters
_MAX_BITS = 128  # int to text costs the square of the digits
_SHOWN_ITEMS, _SHOWN_DEPTH = 8, 4
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` like `spec.template.spec.containers[0].command[1]`; the others as JSON, or `absent`."""

    path: str
    got: str
    want: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a map whose keys are free, like labels: written in brackets."""

    text: str


Step = str | int | Key


def spelled_path(steps: Iterable[Step]) -> str:
    """Members with dots, items and free keys in brackets."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif isinstance(step, str) and len(step) <= _MAX_KEY and _PLAIN.fullmatch(step):
            path += f".{step}" if path else step
        else:
            path += f"[{_escaped(step if isinstance(step, str) else step.text)}]"
    return path


def quoted(value: Any) -> str:
    """One printable line of at most `MAX_QUOTED` characters."""
    text = _quoted(value, _SHOWN_DEPTH)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


def _escaped(key: str) -> str:
    cut = key if len(key) <= _MAX_KEY else f"{key[:_MAX_KEY]}..."
    return _text(cut)[1:-1].replace("]", "\\u005d")


def _quoted(value: Any, depth: int) -> str:
    if value is ABSENT:
        return "absent"
    if isinstance(value, str):
        return _text(value[: MAX_QUOTED + 1])
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, dict | list):
        return _of_many(value, depth)
    return json.dumps(value)


def _of_many(value: dict[str, Any] | list[Any], depth: int) -> str:
    opened, closed = "{}" if isinstance(value, dict) else "[]"
    if not value:
        return opened + closed
    if depth == 0:
        return f"{opened}...{closed}"
    if isinstance(value, dict):
        first = list(value.items())[:_SHOWN_ITEMS]
        shown = [f"{_text(key[:MAX_QUOTED])}:{_quoted(each, depth - 1)}" for key, each in first]
    else:
        shown = [_quoted(each, depth - 1) for each in value[:_SHOWN_ITEMS]]
    rest = ["..."] if len(value) > _SHOWN_ITEMS else []
    return f"{opened}{','.join(shown + rest)}{closed}"


def _text(value: str) -> str:
    return json.dumps(value).replace("\x7f", "\\u007f")
