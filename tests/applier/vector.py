"""A row of the applier's table: a number of the threat list, what must come of it, and the tests for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What must come of an attack."""

    REFUSED = "refused"
    """The version stands still for a reason, as a whole; what ran before goes on."""
    INERT = "inert"
    """It is delivered as it is written, and the hostile part does nothing."""
    NOT_APPLICABLE = "not applicable"
    """There is nothing here that could be attacked so: `note` says why, the tests that it is refused."""


@dataclass(frozen=True, slots=True)
class Vector:
    """`tests` are node ids; those below tests/cluster drive a real loop and a real API server."""

    id: str
    what: str
    outcome: Outcome
    tests: tuple[str, ...]
    note: str = ""


def at(path: str, *names: str) -> tuple[str, ...]:
    """The node ids of tests in one file below `tests`."""
    return tuple(f"tests/{path}::{name}" for name in names)
