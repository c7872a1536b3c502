"""
What judging a condition could cost at most, from its text and the size of a predicate.

The engine counts loop steps and not what a step does: a loop over 9,000 numbers that searches a text
of 1 MB took 43 s, and one that joins it ended the process for want of memory. Bounds are upper ones;
a condition that only looks at what it loops over stays linear in the predicate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MAX_UNITS = 64_000_000
"""About 5 ns each, the cost of a byte in a simple search: a third of a second."""
_NODE = 32
"""Units to compare one number, or to step to one member: 0.2 µs."""
_STATE = 4
"""Units for a byte and a state of a pattern that the regex engine must simulate: 20 ns."""
_COPY = 10
"""Units for each member of a list that `map` or `filter` makes, at each next one: it is copied."""
_MAX_REPEAT = 1_000
"""RE2 refuses a pattern whose counted repetitions multiply to more."""
_MAX_STEPS = 10_000
"""The engine's own budget of loop steps."""

_TOKEN = re.compile(
    r"""(?P<text>(?:[bB]?[rR]|[rR][bB])(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
       |[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<comment>//[^\n]*)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||[=!<>]=|[^\s\w])
    |(?P<number>[0-9][0-9a-fA-FxXuU.]*)""",
    re.VERBOSE | re.DOTALL,
)
_LOOPS = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
_WORK = frozenset({"==", "!=", "<", "<=", ">", ">=", "+", "in"})
_REPEAT = re.compile(r"\{([0-9]{0,9}),?([0-9]{0,9})\}")


@dataclass(frozen=True, slots=True)
class Size:
    """Of a predicate: `units` in all, the characters of its longest text, the members of its widest node."""

    units: int
    longest: int
    widest: int

    @classmethod
    def of(cls, levels: Iterator[Sequence[Any]]) -> Size:
        """From the values of each level, keys included."""
        units = longest = widest = 0
        for level in levels:
            texts = [len(each) for each in level if type(each) is str]
            units += _NODE * len(level) + sum(texts)
            longest = max(longest, *texts, 0)
            widest = max(widest, *(len(e) for e in level if type(e) in (dict, list)), 0)
        return cls(units, longest, widest)


@dataclass(frozen=True, slots=True)
class Cost:
    """
    Of a text. `work` counts the operations that may read a whole value, `states` those of its patterns.

    `products` are the loops that look at more than their own member, of the worst of the parts that
    `&&` and `||` join, `collects` those that make a list, `literals` the members of lists that it
    writes out, `joins` its `+`.
    """

    work: int
    states: int | None
    loops: int
    products: int
    collects: int
    literals: int
    joins: int

    @classmethod
    def of(cls, text: str) -> Cost:
        """Of a text that compiles."""
        tokens = [m for m in _TOKEN.finditer(text) if m.lastgroup != "comment"]
        words = [m.group() if m.lastgroup != "text" else '"' for m in tokens]
        found = list(_loops(words))
        calls = sum(a.isidentifier() and b == "(" for a, b in pairwise(words))
        return cls(
            work=max(1, calls + sum(word in _WORK for word in words)),
            states=_states(words, [m.group() for m in tokens]),
            loops=len(found),
            products=_products(words, found),
            collects=_collects(found),
            literals=words.count(",") + 1,
            joins=words.count("+"),
        )

    def units(self, size: Size) -> int:
        """An upper bound for a predicate of that size."""
        # Without a loop nothing is named twice, so a text joined by n `+` is n + 1 times as long.
        growth = 1 << min(self.joins, 40) if self.loops else self.joins + 1
        each = (size.widest + self.literals) * growth
        steps = min(int(each ** min(self.products, 3)), _MAX_STEPS)
        states = size.longest * _MAX_REPEAT if self.states is None else self.states
        searched = size.units if self.loops else size.longest
        copied = _COPY * min(each, _MAX_STEPS) * min(each * self.collects, _MAX_STEPS)
        return copied + growth * steps * (self.work * size.units + _STATE * states * searched)


@dataclass(frozen=True, slots=True)
class _Loop:
    """`range.all(name, body)`: where the body stands among the words."""

    name: str
    start: int
    end: int
    is_plain: bool
    collects: bool


def _loops(words: Sequence[str]) -> Iterator[_Loop]:
    for at in range(1, len(words) - 3):
        if words[at] in _LOOPS and (words[at - 1], words[at + 1], words[at + 3]) == (".", "(", ","):
            # A written-out list repeats what it holds: `[p, p, p].all(x, ...)`.
            is_plain = words[at - 2] not in ("]", "}")
            end, collects = _closing(words, at + 1), words[at] in ("map", "filter")
            yield _Loop(words[at + 2], at + 4, end, is_plain, collects)


def _collects(loops: Sequence[_Loop]) -> int:
    """How many lists are made as long as the widest; of a loop in a loop, any number."""
    inner = any(each.collects and a.start < each.start < a.end for each in loops for a in loops)
    return _MAX_STEPS if inner else sum(loop.collects for loop in loops)


def _products(words: Sequence[str], loops: Sequence[_Loop]) -> int:
    """The most loops of one part that read more than their own member."""
    cuts = [0, *_joints(words), len(words)]
    return max(
        sum(
            start <= loop.start < end and (not loop.is_plain or _looks_out(words, loop))
            for loop in loops
        )
        for start, end in pairwise(cuts)
    )


def _looks_out(words: Sequence[str], loop: _Loop) -> bool:
    """Whether the body names a value from outside, or writes a list of values, as `[x, x, x]`."""
    inner = {each.name for each in _loops(words[loop.start : loop.end])}
    named = {at for at in range(loop.start, loop.end) if _is_value(words, at)}
    if any(words[at] not in {loop.name, *inner} for at in named):
        return True
    return any(
        words[at] in ("[", "{")
        and not (words[at - 1].isidentifier() or words[at - 1] in (")", "]"))
        and any(at < each < _closing(words, at) for each in named)
        for at in range(loop.start, loop.end)
    )


def _is_value(words: Sequence[str], at: int) -> bool:
    """Fields and functions are none; of fixed size are the others."""
    fixed = words[at] in ("true", "false", "null", "in", "now")
    is_name = words[at].isidentifier() and not fixed
    return is_name and words[at - 1] != "." and words[at + 1] != "("


def _joints(words: Sequence[str]) -> Iterator[int]:
    depth = 0
    for at, word in enumerate(words):
        depth += (word in "([{") - (word in ")]}")
        if depth == 0 and word in ("&&", "||"):
            yield at


def _closing(words: Sequence[str], opening: int) -> int:
    depth = 0
    for at in range(opening, len(words)):
        depth += (words[at] in "([{") - (words[at] in ")]}")
        if depth == 0:
            return at
    return len(words)


def _states(words: Sequence[str], texts: Sequence[str]) -> int | None:
    """Of all patterns together; None where one is not written out."""
    total = 0
    for at, word in enumerate(words):
        if word == "matches":
            end = _closing(words, at + 1)
            if words[end - 1] != '"' or words[end - 2] not in ("(", ","):
                return None
            total += _pattern_states(texts[end - 1])
    return total


def _pattern_states(pattern: str) -> int:
    count = 1
    for bound in _REPEAT.finditer(pattern):
        count *= max(1, *(int(number or 1) for number in bound.groups()))
    return len(pattern) * max(1, min(count, _MAX_REPEAT))


def levels(document: Mapping[str, Any], depth: int) -> Iterator[list[Any]]:
    """The values of a document, with the keys among them, level by level; at most `depth` levels."""
    level: list[Any] = [document]
    for _ in range(depth):
        if not level:
            return
        yield level
        keys = [key for node in level if type(node) is dict for key in node]
        inner = [
            x
            for node in level
            if type(node) in (dict, list)
            for x in (node.values() if type(node) is dict else node)
        ]
        level = [*keys, *inner]
