"""How an application stands, as the status of its `Application` object and as events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from applier.failure import Kind, Reason
from applier.health_status import condition
from applier.records_conditions import Said, conditions
from applier.records_wishes import Record
from applier.rules import members
from applier.state import State, Trouble, Version
from stagepass.clock import format_time

# Of these, a sentence that differs is no news: it counts replicas.
_TALKATIVE = {Reason.PROGRESSING.name}
# Blocked, and worth an alarm: whether what runs is the newest is not known.
_ALARMING = {Reason.HEARTBEAT_MISSING}
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Event:
    """A change worth telling; `reason` is what happened, or the reason code."""

    warning: bool
    reason: str
    message: str


def is_ready(state: State) -> bool:
    """
    Whether the newest version that may run here does so, healthy.

    A newer one that waits for a pass, a window or the soak takes nothing from that.
    """
    trouble = state.trouble
    if state.applied is None or trouble is None:
        return state.applied is not None
    unwell = trouble.reason is Reason.PROGRESSING or trouble.reason in _ALARMING
    waits = trouble.reason.kind is Kind.BLOCKED and not unwell
    return waits and state.healthy_since is not None


def is_stalled(trouble: Trouble | None) -> bool:
    """Whether only a person can help."""
    return trouble is not None and trouble.dead


def status_of(record: Record, state: State, now: datetime) -> dict[str, Any]:
    """The whole status of a record that counts."""
    trouble = state.trouble
    found: dict[str, Any] = {
        "observedGeneration": record.generation,
        "conditions": conditions(_said(record, state), record.status, record.generation, now),
        "applied": _version(state.applied, state.applied_at),
        "healthySince": state.healthy_since and format_time(state.healthy_since),
        "admittedUntil": state.admitted_until and format_time(state.admitted_until),
        "release": release_of(state),
        "passed": _version(state.passed, state.passed_at),
        "waiting": _waiting(trouble),
        "apply": state.apply or None,
        "superseded": len(state.superseded),
    }
    return {key: value for key, value in found.items() if value is not None}


def release_of(state: State) -> dict[str, str] | None:
    """The digests of the release that runs, None where it is none or nobody looks at releases."""
    found = state.release
    return {"digest": str(found.digest), "imageSet": str(found.image_set)} if found else None


def refusal_of(record: Record, reason: Reason, message: str, now: datetime) -> dict[str, Any]:
    """The status of a record that does not count."""
    said = [
        Said("Ready", False, reason.name, message),
        Said("Reconciling", False, reason.name),
        Said("Stalled", True, reason.name, message),
    ]
    return {
        "observedGeneration": record.generation,
        "conditions": conditions(said, record.status, record.generation, now),
    }


def is_news(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the status is worth a write."""
    return _settled(before) != _settled(after)


def events(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Event]:
    """What changed between two statuses: applied, passed, and why it does not go on."""
    found = []
    for what, said in (("applied", "Applied"), ("passed", "Passed")):
        commit = members(after.get(what)).get("commit")
        if commit and commit != members(before.get(what)).get("commit"):
            found.append(Event(False, said, commit))
    released, old = condition(after, "Released"), condition(before, "Released")
    if released.get("status") == "False" != old.get("status"):
        found.append(Event(True, "Unreleased", str(released.get("message") or "")))
    ready, old = condition(after, "Ready"), condition(before, "Ready")
    stalled = condition(after, "Stalled").get("status") == "True"
    was_stalled = condition(before, "Stalled").get("status") == "True"
    reason = str(ready.get("reason"))
    told = reason in Reason.__members__ and reason not in _TALKATIVE
    if told and (reason != old.get("reason") or stalled != was_stalled):
        warns = Reason[reason].kind is not Kind.BLOCKED or Reason[reason] in _ALARMING
        warning = stalled or warns
        found.append(Event(warning, reason, str(ready.get("message") or "")))
    return found


def _said(record: Record, state: State) -> list[Said]:
    trouble, suspended = state.trouble, record.wishes.suspended
    reason, message = _why(state)
    ready, stalled = is_ready(state), is_stalled(trouble)
    if suspended:
        ready, reason, message = False, Reason.SUSPENDED.name, "suspended by spec.suspend"
    moving = not ready and not stalled and not suspended
    passed = state.passed is not None and state.passed == state.applied
    return [
        Said("Ready", ready, reason, message),
        Said("Reconciling", moving, reason if moving else "Idle"),
        Said("Stalled", stalled, reason if stalled else "Idle"),
        Said("Passed", passed, "Passed" if passed else reason),
        *_released(state),
    ]


def _released(state: State) -> list[Said]:
    """Nothing where the stage does not look at releases."""
    if state.release is not None:
        return [Said("Released", True, "Signed", str(state.release.digest))]
    missing = Reason.RELEASE_MISSING.name
    return [Said("Released", False, missing, state.unreleased)] if state.unreleased else []


def _why(state: State) -> tuple[str, str]:
    trouble = state.trouble
    if trouble is not None:
        about = trouble.version.commit[:_SHORT]
        return trouble.reason.name, f"{about}: {trouble.message}" if about else trouble.message
    if state.applied is None:
        return "Unknown", "not looked at yet"
    return "Applied", f"{state.applied.commit[:_SHORT]} runs"


def _version(version: Version | None, at: datetime | None) -> dict[str, Any] | None:
    if version is None:
        return None
    found = {"commit": version.commit, "tree": version.tree}
    return {**found, "at": format_time(at)} if at else found


def _waiting(trouble: Trouble | None) -> dict[str, Any] | None:
    if trouble is None:
        return None
    # Of a failure the next try is not told: it would be a write for each try.
    until = trouble.retry if trouble.reason.kind is Kind.BLOCKED else None
    found: dict[str, Any] = {
        "reason": trouble.reason.name,
        "commit": trouble.version.commit,
        "since": format_time(trouble.first),
        "until": until and format_time(until),
        "objects": list(trouble.objects),
    }
    return {key: value for key, value in found.items() if value}


def _settled(status: Mapping[str, Any]) -> dict[str, Any]:
    """Without what may differ and be no news."""
    waiting = members(status.get("waiting"))
    talks = waiting.get("reason") in _TALKATIVE
    said = {
        each.get("type"): (
            each.get("status"),
            each.get("reason"),
            each.get("observedGeneration"),
            "" if talks else each.get("message"),
        )
        for each in status.get("conditions") or []
    }
    quiet = {k: v for k, v in waiting.items() if not (talks and k == "objects")}
    return {**status, "conditions": said, "waiting": quiet}
