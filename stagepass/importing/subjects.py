"""
Patterns of certificate subjects in ours: an anchored glob, `*` anything but `/` and `@`, `**` anything, but
no `@` before one that the pattern writes.

Neither of ours matches nothing at all. A regular expression of another gate becomes one or several
globs that match nothing it did not; whether they match less is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from math import prod

# What stands for something open, and whether ours is exactly that.
_OPEN = {
    ".+": ("**", True),
    ".*": ("**", False),
    "[^/@]+": ("*", True),
    "[^/@]*": ("*", False),
    "[^/]+": ("*", False),
    "[^/]*": ("*", False),
    "[^@]+": ("*", False),
    "[^@]*": ("*", False),
}
_TOKEN = re.compile(
    r"(?P<open>(?:\.|\[\^[/@]{1,2}\])[+*](?![?+*{]))"
    r"|\\(?P<escaped>[^\w\s])|(?P<dot>\.)"
    r"|\((?:\?:)?(?P<either>[\w/@:-]+(?:\|[\w/@:-]+)+)\)"
    r"|(?P<plain>[\w/@:,;=~%#!&' -])",
    re.ASCII,
)
MOST = 64
"""Globs of one expression: alternations multiply, and each of these is an identity to compare."""
_REPEATED = re.compile(r"[?+*{]")


@dataclass(frozen=True, slots=True)
class Globs:
    """One of which must match; `exact` says whether they match all that the source did."""

    texts: tuple[str, ...]
    exact: bool


def of_regexp(pattern: str) -> Globs | None:
    """
    A Go regular expression, found anywhere in the text unless `^` and `$` stand around it.

    Ours is always anchored: less than an open one. None for what no glob is, nor `MOST` of them.
    """
    exact = pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith("\\$")
    body = pattern[1:] if pattern.startswith("^") else pattern
    if body.endswith("$") and not body.endswith("\\$"):
        body = body[:-1]
    parts: list[tuple[str, ...]] = []
    at, was_open = 0, False
    while at < len(body):
        token = _TOKEN.match(body, at)
        if token is None or (not token["open"] and _REPEATED.match(body, token.end())):
            return None
        part, is_exact = _part(token)
        # Two open parts side by side would read as one that matches more.
        if part is None or (was_open and token["open"]):
            return None
        was_open = bool(token["open"])
        parts.append(part)
        exact, at = exact and is_exact, token.end()
    if prod(map(len, parts)) > MOST:
        return None
    texts = tuple(dict.fromkeys("".join(chosen) for chosen in product(*parts)))
    # Ours takes no "@" before one that the pattern writes.
    exact = exact and not any("**" in text.rpartition("@")[0] for text in texts)
    return Globs(texts, exact) if body else None


def literal(pattern: str) -> Globs | None:
    """A regular expression that is one text, as an issuer must be; None for one that is not."""
    found = of_regexp(pattern)
    if found is None or len(found.texts) != 1 or "*" in found.texts[0]:
        return None
    return found


def of_wildcard(pattern: str) -> Globs | None:
    """Kyverno's `*`, which is anything and also nothing; a `?` has no counterpart."""
    if "?" in pattern:
        return None
    return Globs((re.sub(r"\*+", "**", pattern),), "*" not in pattern)


def _part(token: re.Match[str]) -> tuple[tuple[str, ...] | None, bool]:
    if token["open"]:
        glob, exact = _OPEN.get(token["open"], (None, False))
        return (None if glob is None else (glob,)), exact
    if token["dot"]:
        return (".",), False
    if token["either"]:
        return tuple(token["either"].split("|")), True
    text = token["escaped"] or token["plain"]
    return (None if text == "*" else (text,)), True
