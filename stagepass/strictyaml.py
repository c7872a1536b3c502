"""
YAML in which one text has one meaning: the core schema, less what differs between parsers.

Octal, hexadecimal and sexagesimal numbers stay text, and so do dates, `yes`, `on` and `0777`
(building-blocks section 9 lists where PyYAML and the API server disagree). Duplicate and non-string
keys, tags, merge keys and bottomless nesting are refused. Anchors are refused in policy files; in
Kubernetes manifests they may stand, with their *expanded* size bounded (CVE-2019-11253).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import isinf
from typing import Any

import yaml
from yaml import CSafeLoader  # absent where PyYAML was built without libyaml: then we do not start

from stagepass.errors import InputError

MAX_BYTES = 4 << 20
MAX_NODES = 200_000
MAX_DEPTH = 64


class _Resolved(str):
    """A tag that the loader gave. One that the text spells out stays a plain `str`."""

    __slots__ = ()


class _Loader(CSafeLoader):
    """Core-schema scalars only, and tags that tell who gave them."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own type

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> _Resolved:
        """The tag of a node whose text has none."""
        return _Resolved(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]  # PyYAML's stubs


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]{1,3})?|(?:0|[1-9][0-9]*)[eE][-+]?[0-9]{1,3})",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(f"(?:{_pattern})\\Z"),
        ["" if c == "\0" else c for c in _first],
    )


def load_all(
    text: str,
    *,
    where: str,
    anchors: bool = False,
    max_bytes: int = MAX_BYTES,
    mark: Callable[[Any, int], Any] | None = None,
) -> Iterator[Any]:
    """
    Every document of `text`. Raises `InputError` with file, line and what to write instead.

    `anchors=True` lets `&`/`*` stand (manifests); their expansion still counts against `MAX_NODES`,
    which bounds each document, as `max_bytes` bounds the text. `mark` makes of each value and its line
    (from 1) what stands in its place; keys stay plain.
    """
    if len(text) > max_bytes:
        raise InputError(f"{len(text)} characters; at most {max_bytes} are read", where=where)
    loader = _Loader(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            yield _Builder(where, anchors, mark).build(node, 0)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise InputError(f"line {line}: not YAML: {error.problem}", where=where) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"not YAML: {error}", where=where) from error
    finally:
        loader.dispose()


class _Builder:
    """Turns one document's node graph into values, counting every node it visits."""

    def __init__(
        self, where: str, anchors: bool, mark: Callable[[Any, int], Any] | None = None
    ) -> None:
        self._where, self._anchors, self._mark = where, anchors, mark
        self._nodes = 0
        self._seen: set[int] = set()

    def build(self, node: yaml.Node, depth: int) -> Any:
        """The value of `node`. An anchor's second use is visited again: that is what bounds a bomb."""
        value = self._plain(node, depth)
        return value if self._mark is None else self._mark(value, node.start_mark.line + 1)

    def _plain(self, node: yaml.Node, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise self._error(node, f"over {MAX_NODES} nodes or {MAX_DEPTH} levels once expanded")
        if not self._anchors and id(node) in self._seen:
            raise self._error(node, "anchors are not allowed here; write the value out")
        self._seen.add(id(node))
        if not isinstance(node.tag, _Resolved):
            raise self._error(node, f"the tag {node.tag!r} is not allowed")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, depth + 1) for child in node.value]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._plain(key_node, depth + 1)
            if not isinstance(key, str):
                raise self._error(key_node, f"the key {key!r} is not text; put it in quotes")
            if key == "<<" and not key_node.style:
                raise self._error(key_node, "merge keys are not allowed; write the members out")
            if key in found:
                raise self._error(key_node, f"the key {key!r} stands twice")
            found[key] = self.build(value_node, depth + 1)
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        text: str = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text)
            case "float":
                if isinf(value := float(text)):
                    raise self._error(node, f"the number {text} is too large")
                return value
        return text

    def _error(self, node: yaml.Node, message: str) -> InputError:
        return InputError(f"line {node.start_mark.line + 1}: {message}", where=self._where)
