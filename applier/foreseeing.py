"""Until when the evidence of what runs admits it, looked up now and then and told in `status`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from applier.application import Application
from applier.deciding import allowed_until
from applier.failure import Failure
from applier.rules import Object
from applier.state import State
from stagepass.verifier import Verifier

_SOON = timedelta(seconds=10)
"""A registry's listing may be 2 s old, and the receipt that was just stored not be on it."""
_LATER = timedelta(hours=1)


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
