"""
Whether an object has become what was asked for: the rules of kstatus, on one object. Pure.

Stricter than kstatus where a promotion hangs on it: a workload whose controller has not looked yet
is in progress, and so is a Job until it is complete.
"""

from __future__ import annotations

from collections.abc import Iterable

from applier.health_builtin import BUILT_IN
from applier.health_status import (
    CURRENT,
    Health,
    Status,
    condition,
    failed,
    in_progress,
    is_true,
    text,
    whole,
)
from applier.rules import Object, entries, is_built_in, members
from stagepass.errors import InputError
from stagepass.manifest import ObjectId

__all__ = ["Health", "Status", "health", "worst"]

_ORDER = (Status.FAILED, Status.TERMINATING, Status.IN_PROGRESS)


def health(obj: Object) -> Health:
    """Its state as `obj` itself tells it. Never raises: what makes no sense is in progress."""
    try:
        found = ObjectId.of(obj)
    except InputError as error:
        return in_progress("NotAnObject", str(error))
    metadata, status = members(obj.get("metadata")), members(obj.get("status"))
    if metadata.get("deletionTimestamp") is not None:
        return Health(Status.TERMINATING, "Terminating", "it is being deleted")
    generation, observed = whole(metadata.get("generation")), status.get("observedGeneration")
    if observed is not None and whole(observed) < generation:
        return in_progress(
            "LatestGenerationNotObserved", f"generation {generation}, {observed} seen"
        )
    rule = BUILT_IN.get((found.group, found.kind))
    if rule is not None:
        return rule(obj)
    return CURRENT if is_built_in(found.group) else _custom(status, generation)


def worst(states: Iterable[Health]) -> Health:
    """The first of the worst: failed, then terminating, then in progress; current for none."""
    found = list(states)
    for status in _ORDER:
        for each in found:
            if each.status is status:
                return each
    return CURRENT


def _custom(status: Object, generation: int) -> Health:
    """By the conditions Stalled, Reconciling and Ready; without any, current as kstatus has it."""
    for each in entries(status.get("conditions")):
        seen = each.get("observedGeneration")
        if seen is not None and whole(seen) < generation:
            kind = text(each.get("type"))
            return in_progress("LatestGenerationNotObserved", f"condition {kind} is of {seen}")
    stalled = condition(status, "Stalled")
    if is_true(stalled):
        return failed(text(stalled.get("reason")) or "Stalled", text(stalled.get("message")))
    reconciling = condition(status, "Reconciling")
    if is_true(reconciling):
        reason = text(reconciling.get("reason")) or "Reconciling"
        return in_progress(reason, text(reconciling.get("message")))
    ready = condition(status, "Ready") or condition(status, "Available")
    if ready and not is_true(ready):
        return in_progress(text(ready.get("reason")) or "NotReady", text(ready.get("message")))
    return CURRENT
