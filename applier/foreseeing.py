"""What is looked up now and then of what runs: until when its evidence admits it, and its release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from applier.application import Application
from applier.deciding import allowed_until
from applier.failure import Failure
from applier.releases import look_up
from applier.rules import Object
from applier.state import State
from stagepass.evidence import Deadline
from stagepass.verifier import Verifier

_SOON = timedelta(seconds=10)
"""A registry's listing may be 2 s old, and the receipt that was just stored not be on it."""
_LATER = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was looked at (commit and policy revision), and when to do so again."""

    given: tuple[str, str]
    again: datetime


class Standings:
    """Of all applications; one call at a time for each, which is the caller's to keep."""

    def __init__(self) -> None:
        self._looked: dict[str, _Looked] = {}

    def until(
        self,
        application: Application,
        verifier: Verifier,
        state: State,
        objects: Sequence[Object],
        now: datetime,
    ) -> datetime | None:
        """
        `State.admitted_until` of what is applied, `objects`; as it was while it need not be looked up.

        Evidence is asked for it when something else is applied, when policy changes, and hourly.
        """
        if state.applied is None:
            return None
        given = state.applied.commit, verifier.policy.revision
        looked = self._looked.get(application.name)
        is_same = looked is not None and looked.given == given
        if looked is not None and is_same and now < looked.again:
            return state.admitted_until
        self._looked[application.name] = _Looked(given, now + (_LATER if is_same else _SOON))
        try:
            commit = state.applied.commit
            found = allowed_until(application, verifier, objects, now, commit=commit)
        except Failure:  # what could not be read ends no admission
            return state.admitted_until
        # Known as refused before: since then, not since the last look.
        was = state.admitted_until
        return was if found == now and was is not None and was <= now else found


class Latecomers:
    """Releases that were signed after their version was applied, where none is required for that."""

    def __init__(self) -> None:
        self._again: dict[str, datetime] = {}

    def recognised(
        self,
        application: Application,
        verifier: Verifier,
        state: State,
        objects: Sequence[Object],
        now: datetime,
    ) -> State:
        """
        The state with the release of what is applied, `objects`, where it is signed by now.

        It has still to pass then: a pass that names no release is none of it. Asks once a minute.
        """
        if state.applied is None or now < self._again.get(application.name, now):
            return state
        self._again[application.name] = now + _MINUTE
        book, commit = verifier.releases, state.applied.commit
        deadline = Deadline.after(_SECONDS)
        found = look_up(application, book, objects, commit, now, deadline)
        if found.named is None:
            return replace(state, unreleased=found.problem.message if found.problem else "")
        return replace(state, release=found.named, unreleased="", passed=None, passed_at=None)
