"""
Admitted decisions, kept in memory for as long as nothing that made them can have changed.

Only *admitted* is kept: a denial must see the evidence that arrives a second later, and
*undetermined* is no answer to repeat. The key holds the policy revision, so a new set starts empty.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

from stagepass.decision import Answer, Decision
from stagepass.evidence import Deadline
from stagepass.flights import Flights

# Without an edge of its own (a stage that asks for nothing timed) an entry is judged again hourly.
_MAX_AGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Entry:
    decision: Decision
    since: datetime
    until: datetime


class DecisionCache:
    """Thread-safe, bounded, least recently used first out; one computation per key at a time."""

    def __init__(self, max_entries: int = 10_000) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._flights = Flights()
        self._lock = threading.Lock()

    def get(self, key: Hashable, now: datetime) -> Decision | None:
        """The kept decision, unless `now` is past its edge or before it was made (a stepped clock)."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or not entry.since <= now < entry.until:
                return None
            self._entries.move_to_end(key)
            return entry.decision

    def get_or_decide(
        self, key: Hashable, now: datetime, deadline: Deadline, decide: Callable[[], Decision]
    ) -> Decision:
        """The kept decision, or that of `decide`, which runs once however many ask at the same time."""
        if (kept := self.get(key, now)) is not None:
            return kept
        with self._flights.one(key, deadline):
            if (kept := self.get(key, now)) is not None:
                return kept
            decision = decide()
            if decision.answer is Answer.ADMITTED:
                self._put(key, decision, now)
            return decision

    def _put(self, key: Hashable, decision: Decision, now: datetime) -> None:
        until = min(now + _MAX_AGE, decision.valid_until or now + _MAX_AGE)
        with self._lock:
            self._entries[key] = _Entry(decision, now, until)
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
