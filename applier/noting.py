"""What a step's end means for the application: when to come back, what is kept, and when it is given up."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from applier.application import Application
from applier.backoff import delay
from applier.failure import Failure, Kind, Reason
from applier.plan import Fields, Plan
from applier.records_wishes import Wishes
from applier.state import State, Trouble, Version
from applier.store import StateStore

MAX_ATTEMPTS = 4
"""Failures of a permanent kind before the dead letter: by default 5 + 10 + 20 s apart."""
_SOON = timedelta(seconds=1)
_GRAVITY = {Kind.PERMANENT: 2, Kind.TRANSIENT: 1, Kind.BLOCKED: 0}


class Reporter(Protocol):
    """Who is told of what happens, and knows what people want."""

    def wishes(self, name: str) -> Wishes:
        """What is wanted of an application now. Never raises."""

    def applied(self, application: Application, planned: Plan, *, is_new: bool) -> None:
        """All of a plan was carried out: of a new version, or against drift. Never raises."""

    def drifted(self, application: Application, fields: Fields | None, now: datetime) -> None:
        """What was applied is no longer so: `fields` of objects; None for no news. Never raises."""

    def redriven(self, application: Application, now: datetime) -> None:
        """The try that somebody asked for begins. Raises `Failure`."""

    def stepped(self, application: Application, state: State, now: datetime) -> None:
        """A step is over, and this is its state. Never raises."""

    def dead(self, application: Application, trouble: Trouble) -> None:
        """It is given up for this version. Raises `Failure` where that cannot be kept."""


class Notes:
    """
    The ends of steps, written to the state.

    `interval` is between two looks at what is well, `retry` before the first try again.
    """

    def __init__(
        self, store: StateStore, reporter: Reporter, interval: timedelta, retry: timedelta
    ) -> None:
        self._store, self._reporter = store, reporter
        self._interval, self._retry = interval, retry

    def settled(self, application: Application, now: datetime) -> datetime:
        """Nothing is wrong and nothing waited for. Raises `Failure` where that cannot be kept."""
        state = self._store.get(application.name)
        if state.trouble is not None:
            self._store.put(application.name, replace(state, trouble=None))
        return now + (self._reporter.wishes(application.name).interval or self._interval)

    def begin_again(self, application: Application, now: datetime) -> None:
        """Attempts start at zero. Raises `Failure`; done twice, it is done once."""
        state = self._store.get(application.name)
        self._store.put(application.name, replace(state, trouble=None))
        self._reporter.redriven(application, now)

    def failed(
        self, application: Application, version: Version, failure: Failure, now: datetime
    ) -> datetime:
        """Keep the failure, count it where it is one, and say when to try again. Raises `Failure`."""
        state = self._store.get(application.name)
        before = state.trouble
        if before is not None and _is_early(before, failure, version, now):
            return before.retry or now + self._interval
        trouble = Trouble.of(failure, version, now, before)
        if failure.reason.kind is Kind.BLOCKED:
            wake = self.blocked_until(failure, now)
            trouble = replace(trouble, attempts=0, retry=failure.wakes)
        elif trouble.dead:
            wake = now + self._interval
            trouble = replace(trouble, attempts=before.attempts if before else 0, retry=None)
        else:
            jitter = random.random()  # noqa: S311  # no secret
            wake = now + delay(trouble.attempts, jitter=jitter, base=self._retry)
            trouble = replace(trouble, retry=wake)
            if failure.reason.kind is Kind.PERMANENT and trouble.attempts >= MAX_ATTEMPTS:
                trouble = replace(trouble, retry=None, dead=True)
                self._reporter.dead(application, trouble)
        noted = replace(state, apply=application.source.apply_rule)
        if noted != state or not _same(before, trouble):
            self._store.put(application.name, replace(noted, trouble=trouble))
        return wake

    def blocked_until(self, failure: Failure, now: datetime) -> datetime:
        """When to look again at what only time or somebody else can change."""
        if failure.reason is Reason.PROGRESSING:
            return now + min(_SOON, self._interval)
        latest = now + self._interval
        return max(now, min(failure.wakes, latest)) if failure.wakes else latest


def gravest(failures: list[tuple[Version, Failure]]) -> tuple[Version, Failure] | None:
    """The one to tell people of: the first among those that are least likely to pass by themselves."""
    return max(failures, key=lambda each: _GRAVITY[each[1].reason.kind], default=None)


def _is_early(before: Trouble, failure: Failure, version: Version, now: datetime) -> bool:
    """
    Whether it is the failure of before, seen again ahead of its time.

    Something else of the application had to be looked at: that is no attempt. A passing failure of
    what is dead already changes nothing, either, or its letter would never be closed.
    """
    if before.version != version:
        return False
    if before.reason is not failure.reason:
        return before.dead and failure.reason.kind is Kind.TRANSIENT
    waits = failure.reason.kind is not Kind.BLOCKED and not before.dead
    return waits and before.retry is not None and now < before.retry


def _same(before: Trouble | None, after: Trouble) -> bool:
    """Whether nothing worth a write happened: waiting on is no news."""
    return before is not None and replace(after, last=before.last) == before
