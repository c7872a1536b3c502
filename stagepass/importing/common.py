"""What the three translations share: foreign YAML with its lines, and what is told about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stagepass import strictyaml
from stagepass.errors import InputError


@dataclass(frozen=True, slots=True)
class _Marked:
    value: Any
    line: int


@dataclass(frozen=True, slots=True)
class Node:
    """
    One value of a foreign document, with file, line (from 1) and path.

    `value` is a scalar, a dict or a list; whoever reads it as something else gets an `InputError`.
    """

    value: Any
    file: str
    line: int
    path: str = ""

    def get(self, *names: str) -> Node | None:
        """The member at the end of these names, None where one is absent or null."""
        here: Node | None = self
        for name in names:
            here = dict(here.items()).get(name) if here is not None else None
        return here

    def items(self) -> list[tuple[str, Node]]:
        """The members of a mapping, without those that are null."""
        if not isinstance(self.value, dict):
            raise self.error("is not a mapping")
        return [
            (name, _child(self, found, f"{self.path}.{name}" if self.path else name))
            for name, found in self.value.items()
            if found.value is not None
        ]

    def each(self, name: str) -> list[Node]:
        """The items of the list that is the member `name`; none where it is absent."""
        found = self.get(name)
        if found is None:
            return []
        if not isinstance(found.value, list):
            raise found.error("is not a list")
        return [_child(found, v, f"{found.path}[{i}]") for i, v in enumerate(found.value)]

    def text(self) -> str:
        """The value as text."""
        if not isinstance(self.value, str) or not self.value:
            raise self.error("is not text")
        return self.value

    def says(self, name: str, default: str = "") -> str:
        """The text of a member."""
        found = self.get(name)
        return default if found is None else found.text()

    def flag(self, name: str, *, default: bool) -> bool:
        """The truth value of a member."""
        found = self.get(name)
        if found is None:
            return default
        if not isinstance(found.value, bool):
            raise found.error("is neither true nor false")
        return found.value

    def plain(self) -> Any:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {name: child.plain() for name, child in self.items()}
        if isinstance(self.value, list):
            return [_child(self, v, self.path).plain() for v in self.value]
        return self.value

    def error(self, message: str) -> InputError:
        """That this value cannot be read."""
        return InputError(message, where=f"{self.file}:{self.line}: {self.path or 'the document'}")


def _child(parent: Node, found: _Marked, path: str) -> Node:
    return Node(found.value, parent.file, found.line, path)


def read(file: str, text: str) -> list[Node]:
    """
    The documents of a YAML or JSON file, those of a Kubernetes `List` one by one.

    Raises `InputError` for what is no YAML, and for a document that is no mapping.
    """
    found: list[Node] = []
    for marked in strictyaml.load_all(text, where=file, anchors=True, mark=_Marked):
        if marked.value is None:
            continue
        document = Node(marked.value, file, marked.line)
        kind = document.get("kind")
        is_list = kind is not None and str(kind.value).endswith("List")
        found += document.each("items") if is_list else [document]
    return found


class Effect(StrEnum):
    """What became of a piece of the source."""

    NOT_TRANSLATED = "not-translated"
    """Left out. Where it stood for something to be met, nothing meets what stands there now."""
    STRICTER = "stricter"
    """Translated into something that asks for more, or of more."""
    NOTE = "note"
    """Translated; there is something to do besides."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`message` is why, `instead` what to write or do."""

    file: str
    line: int
    path: str
    effect: Effect
    message: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: {self.message}; {self.instead}"


class Untranslatable(InputError):
    """A part that has no counterpart. Whoever catches it decides what falls with it, and reports it."""

    def __init__(self, node: Node, message: str, instead: str) -> None:
        super().__init__(message, where=f"{node.file}:{node.line}: {node.path}", hint=instead)
        self.node = node


@dataclass(slots=True)
class Report:
    """Everything that has to be told, and what the user has agreed to do without (`--accept`)."""

    accepted: frozenset[str] = frozenset()
    found: set[Finding] = field(default_factory=set)

    def left_out(self, error: Untranslatable) -> None:
        """List a part that was not translated."""
        self._add(error.node, Effect.NOT_TRANSLATED, error.message, error.hint)

    def stricter(self, node: Node, message: str, instead: str) -> None:
        """List a part that asks for more than it did."""
        self._add(node, Effect.STRICTER, message, instead)

    def note(self, node: Node, message: str, instead: str) -> None:
        """List something to do."""
        self._add(node, Effect.NOTE, message, instead)

    def without(self, node: Node, what: str, message: str) -> None:
        """Go on without what Stagepass cannot ask for, if the user agreed. Raises `Untranslatable`."""
        if what not in self.accepted:
            raise Untranslatable(node, message, f"say --accept {what} to go without it")
        self.note(node, message, f"left out, as --accept {what} says")

    def only(self, node: Node, known: Collection[str]) -> None:
        """
        List every member that the translation does not know; the first one is raised.

        What is not understood may be a condition (CVE-2025-29778): it is never passed over.
        """
        strange = [
            Untranslatable(child, "this field is not known here", "say the same in our policy")
            for name, child in node.items()
            if name not in known
        ]
        for error in strange[1:]:
            self.left_out(error)
        if strange:
            raise strange[0]

    def sorted(self) -> list[Finding]:
        """All of it, in the order of the source."""
        return sorted(self.found)

    def _add(self, node: Node, effect: Effect, message: str, instead: str) -> None:
        self.found.add(
            Finding(node.file, node.line, node.path or "document", effect, message, instead)
        )


def kept(report: Report, nodes: Iterable[Node], translate: Any) -> Iterator[Any]:
    """What `translate` makes of each node; those it cannot translate are listed and left out."""
    for node in nodes:
        try:
            yield translate(node)
        except Untranslatable as error:
            report.left_out(error)
