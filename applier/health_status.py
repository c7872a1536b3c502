"""The words of health, and how a status is read that somebody else wrote. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from applier.rules import Object, entries

_MAX_MESSAGE = 300


class Status(StrEnum):
    """The words of kstatus."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"


@dataclass(frozen=True, slots=True)
class Health:
    """`reason` is one word in CamelCase; `message` is for people, and cut."""

    status: Status
    reason: str = ""
    message: str = ""


CURRENT = Health(Status.CURRENT)


def failed(reason: str, message: str = "") -> Health:
    """Waiting will not help."""
    return Health(Status.FAILED, reason, message[:_MAX_MESSAGE])


def in_progress(reason: str, message: str = "") -> Health:
    """Waiting may help."""
    return Health(Status.IN_PROGRESS, reason, message[:_MAX_MESSAGE])


def condition(status: Object, kind: str) -> Object:
    """The condition of that type, {} where there is none."""
    found = (each for each in entries(status.get("conditions")) if each.get("type") == kind)
    return next(found, {})


def is_true(found: Object) -> bool:
    """Whether a condition holds."""
    return found.get("status") == "True"


def is_false(found: Object) -> bool:
    """Whether a condition is said not to hold; absent and Unknown say nothing."""
    return found.get("status") == "False"


def whole(value: Any, default: int = 0) -> int:
    """A count; anything else is `default`."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def text(value: Any) -> str:
    """A text; anything else is empty."""
    return value if isinstance(value, str) else ""
