"""
What an application should run now: chosen anew where something changed, and what runs where nothing newer
may enter.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from applier.application import Application
from applier.failure import Failure
from applier.goal import Chooser, Goal
from applier.heartbeat import Heartbeats
from applier.repositories import Repositories
from applier.state import State, Version
from stagepass.verifier import Verifier

_CHOICE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Choice:
    """A goal with a problem, and what it was chosen from: it stands for a while."""

    given: tuple[str, str, Version | None]
    goal: Goal
    until: datetime


class Choices:
    """Goals of all applications; one call at a time for each, which is the caller's to keep."""

    def __init__(
        self,
        repositories: Repositories,
        heartbeats: Heartbeats,
        chooser: Chooser,
        interval: timedelta,
    ) -> None:
        self._repositories, self._heartbeats, self._chooser = repositories, heartbeats, chooser
        self._interval = interval
        self._choices: dict[str, _Choice] = {}

    def forget(self, name: str) -> None:
        """What is chosen for the application is found out anew, and what was wrong with it."""
        self._chooser.forget(name)
        self._choices.pop(name, None)

    def choose(
        self, application: Application, verifier: Verifier, state: State, now: datetime
    ) -> Goal:
        """The goal; where Git gives none, what was applied stays it. Raises `Failure` without that."""
        source, repositories, chooser = application.source, self._repositories, self._chooser
        try:
            commit = repositories.head(source)
            self._heartbeats.check(source, now)
            given = commit, verifier.policy.revision, state.applied
            known = self._choices.get(application.name)
            if known is not None and known.given == given and now < known.until:
                return known.goal
            head = Version(commit, repositories.tree(source, commit))
            mirror = repositories.mirror(source.git)
            goal = chooser.choose(application, verifier, mirror, head, state, now)
        except Failure as failure:
            if state.applied is None:
                raise
            with suppress(Failure):
                mirror = repositories.mirror(source.git)
                held = chooser.rendered(application, mirror, state.applied)
                return Goal(held, problem=(state.applied, failure))
            raise
        until = now + min(self._interval, _CHOICE)
        if goal.wakes is not None:
            until = min(until, goal.wakes)
        if goal.problem is not None and goal.decided is None:
            self._choices[application.name] = _Choice(given, goal, until)
        return goal
