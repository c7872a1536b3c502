"""One at a time for each key: who comes second waits, and finds what the first has left behind."""

from __future__ import annotations

import math
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from stagepass.evidence import Deadline


class Flights:
    """Thread-safe; holds nothing for keys that nobody is at."""

    def __init__(self) -> None:
        self._flying: dict[Hashable, tuple[threading.Lock, list[int]]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def one(self, key: Hashable, deadline: Deadline, patience: float = math.inf) -> Iterator[None]:
        """
        Alone with `key` inside the block.

        Who has waited for `patience` seconds goes on all the same, and who waits until the deadline
        fails at whatever it asks next. Raises `Unavailable` where the deadline has passed before.
        """
        with self._lock:
            flight, waiting = self._flying.setdefault(key, (threading.Lock(), [0]))
            waiting[0] += 1
            deadline.used |= waiting[0] > 1
        try:
            held = flight.acquire(timeout=min(deadline.remaining(), patience))
            try:
                yield
            finally:
                if held:
                    flight.release()
        finally:
            with self._lock:
                waiting[0] -= 1
                if not waiting[0]:
                    self._flying.pop(key, None)
