"""
The shape of a policy file, as data: what may stand where, and how it is read.

A *reader* turns one YAML value into a Python value, reporting every problem to `Problems` instead of
stopping at the first. After a problem it returns the void of its kind (None, an empty tuple or dict),
so that what depends on it can still be checked; the set is then refused anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stagepass.errors import InputError, did_you_mean
from stagepass.strictjson import type_name

REQUIRED: Any = object()
"""The default of a field that must be written."""
NOT_WRITTEN: Any = object()
"""The default of a field of which it matters whether it was written, be it wrongly."""
EVERY_IMAGE = "**"
"""What a Baseline's `images` may say instead of patterns."""


@dataclass(slots=True)
class Problems:
    """Every reason why a set does not load, each with file and path."""

    found: list[InputError] = field(default_factory=list)

    def add(self, at: At, message: str, hint: str = "") -> None:
        """Report one."""
        self.found.append(InputError(message, where=str(at), hint=hint))


@dataclass(frozen=True, slots=True)
class At:
    """A position: `pipeline.yaml: stages[2].after[0].soak`."""

    file: str
    path: str = ""

    def member(self, name: str) -> At:
        """Of the mapping here."""
        return At(self.file, f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> At:
        """Of the list here."""
        return At(self.file, f"{self.path}[{index}]")

    def __str__(self) -> str:
        return f"{self.file}: {self.path}" if self.path else self.file


class Reader(Protocol):
    """Anything that reads one value."""

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """The value read, or the void of its kind once a problem was reported."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A non-empty string, made into a value by `parse` (which raises `InputError`)."""

    parse: Callable[[str], Any] = str

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """The parsed text."""
        if not isinstance(value, str) or not value:
            problems.add(at, f"{_shown(value)} is not text", "put it in quotes" if value else "")
            return None
        try:
            return self.parse(value)
        except InputError as error:
            problems.add(at, error.message, error.hint)
            return None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    values: Mapping[str, Any]

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """What the word stands for."""
        if isinstance(value, str) and value in self.values:
            return self.values[value]
        words = ", ".join(self.values)
        hint = did_you_mean(value, self.values) if isinstance(value, str) else ""
        problems.add(at, f"{_shown(value)} is none of {words}", hint if "mean" in hint else "")
        return None


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number from 1."""

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """The number."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        problems.add(at, f"{_shown(value)} is not a whole number from 1")
        return 1


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`, and no other spelling."""

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """The truth value."""
        if isinstance(value, bool):
            return value
        problems.add(at, f"{_shown(value)} is neither true nor false")
        return False


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, by default not empty."""

    item: Reader
    may_be_empty: bool = False

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """A tuple of what the items read as."""
        if not isinstance(value, list):
            problems.add(at, f"{_shown(value)} is not a list", "write [ ... ]")
            return ()
        if not value and not self.may_be_empty:
            problems.add(at, "the list is empty", "name at least one, or leave the key out")
        return tuple(self.item(entry, at.item(i), problems) for i, entry in enumerate(value))


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a mapping. Without a default it must be written."""

    read: Reader
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Mapped:
    """
    A mapping with exactly these keys: an unknown one refuses to load (CVE-2025-29778).

    Of the optional keys `some_of`, at least one must be written.
    """

    fields: Mapping[str, Field]
    some_of: tuple[str, ...] = ()

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """A dict with every field, defaults filled in, and the position under `@`."""
        if not isinstance(value, dict):
            problems.add(
                at, f"{_shown(value)} is not a mapping", f"with the keys {', '.join(self.fields)}"
            )
            value = {}
        for name in (name for name in value if name not in self.fields):
            problems.add(at.member(name), "unknown key", did_you_mean(name, self.fields))
        if self.some_of and not value.keys() & set(self.some_of):
            problems.add(at, f"wants at least one of {', '.join(self.some_of)}")
        return {"@": at} | {
            name: self._member(name, wanted, value, at, problems)
            for name, wanted in self.fields.items()
        }

    def _member(
        self, name: str, wanted: Field, value: dict[str, Any], at: At, problems: Problems
    ) -> Any:
        if name in value:
            return wanted.read(value[name], at.member(name), problems)
        if wanted.default is REQUIRED:
            problems.add(at, f"the key {name!r} is missing")
            return wanted.read(None, at.member(name), Problems())
        return wanted.default


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from names of the author's choice."""

    item: Reader

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """A dict of what the members read as."""
        if not isinstance(value, dict) or not value:
            problems.add(at, f"{_shown(value)} is not a mapping of names")
            return {}
        return {name: self.item(entry, at.member(name), problems) for name, entry in value.items()}


@dataclass(frozen=True, slots=True)
class TextOr:
    """A short form (text, for the member `member`) or the whole mapping."""

    member: str
    long: Mapped

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """As the mapping reads."""
        return self.long({self.member: value} if isinstance(value, str) else value, at, problems)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A mapping with exactly one of these keys; reads as (key, what it holds)."""

    kinds: Mapping[str, Mapped]

    def __call__(self, value: Any, at: At, problems: Problems) -> Any:
        """The pair; the void of the first kind after a problem."""
        if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in self.kinds:
            (name, entry), *_ = value.items()
            return name, self.kinds[name](entry, at.member(name), problems)
        written = next(iter(value)) if isinstance(value, dict) and value else ""
        hint = did_you_mean(str(written), self.kinds)
        problems.add(at, f"wants exactly one of {', '.join(self.kinds)}", hint if written else "")
        name = next(iter(self.kinds))
        return name, self.kinds[name]({}, at, Problems())


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (dict, list)):
        return type_name(value)
    return repr(value)
