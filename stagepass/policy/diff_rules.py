"""
How two values of a field of the policy compare, in words and by their effect.

A change is *stricter* where, by itself, nothing is let in that was refused, and *looser* where nothing
is refused that was let in. Whatever could do both, or neither, is *changed*: no promise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from stagepass.policy.attestors import Key
from stagepass.policy.model import PolicySet


class Effect(StrEnum):
    """What a change does to what is let in."""

    STRICTER = "stricter"
    LOOSER = "looser"
    CHANGED = "changed"

    @property
    def opposite(self) -> Effect:
        """Of the same change the other way round."""
        return {Effect.STRICTER: Effect.LOOSER, Effect.LOOSER: Effect.STRICTER}.get(self, self)


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """`where` is a part of the set, `message` what is different there."""

    where: str
    effect: Effect
    message: str


@dataclass(frozen=True, slots=True)
class Both:
    """The two sets."""

    old: PolicySet
    new: PolicySet

    @property
    def sides(self) -> tuple[PolicySet, PolicySet]:
        """Old, new."""
        return self.old, self.new

    @property
    def barring(self) -> frozenset[str]:
        """The attestors whose owners some approval does not count."""
        return frozenset(
            name
            for policy in self.sides
            for pipeline in policy.pipelines
            for stage in pipeline.stages
            for approval in stage.approvals
            for name in approval.not_by
        )


Rule = Callable[[Both, str, Any, Any], Iterator[Change]]
"""(both sets, where, the old value, the new value) → the changes between different values."""
Table = Mapping[str, Rule]
"""A rule for each field of a dataclass of the model."""


def walk(table: Table, both: Both, where: str, old: Any, new: Any) -> Iterator[Change]:
    """Every change between two values of one dataclass. Raises `KeyError` for a field without a rule."""
    for name in (field.name for field in fields(old)):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield from table[name](both, where, before, after)


def silent(both: Both, where: str, old: Any, new: Any) -> Iterator[Change]:  # noqa: ARG001
    """For what names a value, or says nothing about what is let in."""
    yield from ()


def texts(patterns: Collection[Any]) -> str:
    """Patterns, as they were written."""
    return ", ".join(map(text_of, patterns))


def text_of(pattern: Any) -> str:
    """One pattern or condition, as it was written."""
    text: str = pattern.text
    return text


@dataclass(frozen=True, slots=True)
class Scale:
    """A value of which more means `up`. None is less than all others, or more where `none_is_most`."""

    word: str
    up: Effect
    show: Callable[[Any], str] = str
    none_is_most: bool = False

    def __call__(self, both: Both, where: str, old: Any, new: Any) -> Iterator[Change]:  # noqa: ARG002
        """The change from `old` to `new`."""
        effect = self.up if self._rank(new) > self._rank(old) else self.up.opposite
        yield Change(where, effect, f"{self.word} is {self._text(new)}, was {self._text(old)}")

    def _rank(self, value: Any) -> tuple[int, Any]:
        if value is None:
            return (1 if self.none_is_most else -1), 0
        return 0, value

    def _text(self, value: Any) -> str:
        return "none" if value is None else self.show(value)


@dataclass(frozen=True, slots=True)
class Items:
    """Several values, of which each one more means `more`. None is every one there could be."""

    word: str
    more: Effect
    show: Callable[[Any], str] = str

    def __call__(self, both: Both, where: str, old: Any, new: Any) -> Iterator[Change]:  # noqa: ARG002
        """One change for each that came or went."""
        if old is None or new is None:
            effect = self.more if new is None else self.more.opposite
            yield Change(where, effect, f"{self.word}: {self._all(new)}, was {self._all(old)}")
            return
        before, after = ({self.show(value) for value in values} for values in (old, new))
        for text in sorted(after - before):
            yield Change(where, self.more, f"{self.word}: {text} is added")
        for text in sorted(before - after):
            yield Change(where, self.more.opposite, f"{self.word}: {text} is gone")

    def _all(self, values: Collection[Any] | None) -> str:
        return "all" if values is None else ", ".join(sorted(map(self.show, values)))


@dataclass(frozen=True, slots=True)
class Signers:
    """Names of attestors, any of whose keys may sign: the more keys, the looser."""

    word: str

    def __call__(self, both: Both, where: str, old: Any, new: Any) -> Iterator[Change]:
        """Judged by the keys behind the names, so that a new name for the same keys is no more."""
        before, after = keys_of(both.old, old), keys_of(both.new, new)
        if set(old) != set(new):
            yield Change(where, subset_effect(before, after), _names(self.word, old, new))


@dataclass(frozen=True, slots=True)
class Barred:
    """Names of attestors whose owners do not count: the more owners, the stricter."""

    word: str

    def __call__(self, both: Both, where: str, old: Any, new: Any) -> Iterator[Change]:
        """Judged by the owners behind the names."""
        before, after = both.old.owners(old), both.new.owners(new)
        if set(old) != set(new):
            effect = subset_effect(before, after).opposite
            yield Change(where, effect, _names(self.word, old, new))


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand on evidence: stricter than none. Of two different ones neither is."""

    word: str
    show: Callable[[Any], str] = str

    def __call__(self, both: Both, where: str, old: Any, new: Any) -> Iterator[Change]:  # noqa: ARG002
        """The change from `old` to `new`, of which one may be None."""
        effect = Effect.CHANGED
        if old is None or new is None:
            effect = Effect.STRICTER if old is None else Effect.LOOSER
        before, after = ("none" if value is None else self.show(value) for value in (old, new))
        yield Change(where, effect, f"{self.word} is {after}, was {before}")


@dataclass(frozen=True, slots=True)
class Other:
    """A value that is neither more nor less than another."""

    word: str
    show: Callable[[Any], str] = str

    def __call__(self, both: Both, where: str, old: Any, new: Any) -> Iterator[Change]:  # noqa: ARG002
        """The change; gaining it is no stricter than losing it."""
        before, after = (self.show(value) if value else "none" for value in (old, new))
        yield Change(where, Effect.CHANGED, f"{self.word} is {after}, was {before}")


def subset_effect(before: frozenset[Any], after: frozenset[Any]) -> Effect:
    """Looser where there is more of what may be, stricter where less, else no promise."""
    if before < after:
        return Effect.LOOSER
    return Effect.STRICTER if after < before else Effect.CHANGED


def keys_of(policy: PolicySet, names: Collection[str]) -> frozenset[Key]:
    """Every key of these attestors."""
    return frozenset(key for name in names for key in policy.attestors[name].keys)


def _names(word: str, old: Collection[str], new: Collection[str]) -> str:
    before, after = (", ".join(names) or "nobody" for names in (old, new))
    return f"{word} is {after}; was {before}"
