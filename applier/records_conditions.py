"""Conditions of the applier's own objects, as kstatus and `kubectl wait` read them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from applier.health_status import condition
from stagepass.clock import format_time

_MAX_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class Said:
    """One condition: whether `kind` holds, the code why, and a sentence."""

    kind: str
    holds: bool
    reason: str
    message: str = ""


def conditions(
    said: Sequence[Said], before: Mapping[str, Any], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """As they are written; one that holds as in the status `before` keeps its time."""
    written = []
    for each in said:
        status, old = str(each.holds), condition(before, each.kind)
        same = old.get("status") == status and old.get("lastTransitionTime")
        written.append(
            {
                "type": each.kind,
                "status": status,
                "reason": each.reason,
                "message": each.message[:_MAX_MESSAGE],
                "lastTransitionTime": same or format_time(now),
                "observedGeneration": generation,
            }
        )
    return written
