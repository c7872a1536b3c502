"""
Every error this package raises on purpose.

    StagepassError
    ├── InputError         what a person wrote cannot be used; says where, what, and what to write instead
    ├── AttestationError   one piece of evidence does not count; never stops the search for better ones
    └── Unavailable        we could not find out; becomes *undetermined*, never *denied*

The last two carry a `stagepass.decision.Code` by value, so that this module imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

_MAX_QUOTED = 300


class StagepassError(Exception):
    """The root: whatever is not one of these is a bug of ours."""


class InputError(StagepassError):
    """A file, argument or setting cannot be used. `where` names it; `hint` says what to write."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class AttestationError(StagepassError):
    """
    A bundle was read and does not count. `code` is the reason code, as text.

    The message may quote what a stranger wrote, so it is cut: 50 bundles of 1 MiB are one answer.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message if len(message) <= _MAX_QUOTED else f"{message[:_MAX_QUOTED]}..."
        super().__init__(self.message)


class Unavailable(StagepassError):
    """No answer: registry, deadline or limit. `code` is the reason code, as text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def did_you_mean(text: str, known: Collection[str]) -> str:
    """A hint for a misspelt name: the closest known one, else the list of all of them."""
    close = get_close_matches(text, list(known), n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(sorted(known))}" if known else ""
