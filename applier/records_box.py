"""
The dead letters as the running applier knows them: written when one is due, resolved when its cause
is gone, and what people want of them noticed.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import datetime

from applier.deadletters import Letter, why_gone
from applier.failure import Failure
from applier.records_letters import Letters
from applier.state import State, Trouble
from stagepass import log

_KEPT = 20
"""Letters of one application that are not open any more; older ones are deleted."""


class LetterBox:
    """Thread-safe. What is here is at most one `load` old, and never older than our own writes."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._known: dict[str, Letter] = {}
        self._writes = 0
        self._lock = threading.Lock()

    def load(self, now: datetime) -> None:
        """Read all of them, and close those that a person closed. Raises `Failure`."""
        writes = self._writes
        found = {letter.name: letter for letter in self._letters.all()}
        with self._lock:
            if writes == self._writes:  # else it may be older than what was written meanwhile
                self._known = found
        for letter in list(self._known.values()):
            if letter.closing and letter.state != letter.closed().state:
                self._put(letter.closed(), now)

    def of(self, application: str) -> list[Letter]:
        """Those of one application, open or not."""
        return [each for each in list(self._known.values()) if each.application == application]

    def open(self) -> Counter[str]:
        """How many are open, by application."""
        return Counter(each.application for each in list(self._known.values()) if each.is_open)

    def is_redriven(self, application: str) -> bool:
        """Whether somebody asked for another try that was not begun yet."""
        return any(letter.is_redriven for letter in self.of(application))

    def redriven(self, application: str, now: datetime) -> None:
        """The try is about to begin. Raises `Failure`."""
        for letter in self.of(application):
            if letter.is_redriven:
                self._put(replace(letter, redriven=letter.redrive, attempts=0), now)

    def dead(self, application: str, trouble: Trouble) -> Letter:
        """Keep one, and give what is kept: a closed letter stays as it is. Raises `Failure`."""
        letter = Letter.of(application, trouble)
        before = self._letters.get(letter.name)
        kept = letter.again(before)
        if kept != before:
            self._put(kept, trouble.last)
        return kept

    def look(self, application: str, state: State, now: datetime) -> None:
        """Resolve those without a cause, and write one that was lost. Raises `Failure`."""
        for letter in self.of(application):
            because = why_gone(letter, state) if letter.is_open else ""
            if because:
                self._put(letter.resolved(because), now)
                log.info("dead_letter.resolved", name=letter.name, because=because)
                self._tidy(application)
        trouble = state.trouble
        if trouble is not None and trouble.dead:
            name = Letter.of(application, trouble).name
            if name not in self._known:
                self.dead(application, trouble)

    def _put(self, letter: Letter, now: datetime) -> None:
        self._letters.put(letter, now)
        with self._lock:
            self._writes += 1
            self._known[letter.name] = letter

    def _tidy(self, application: str) -> None:
        over = sorted((e for e in self.of(application) if not e.is_open), key=lambda e: e.last)
        for letter in over[:-_KEPT]:
            try:
                self._letters.remove(letter.name)
            except Failure:
                return  # the next one to be resolved tries again
            with self._lock:
                self._writes += 1
                self._known.pop(letter.name, None)
