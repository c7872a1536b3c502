"""
Listings that were read a moment ago, for the many who ask at once.

A ReplicaSet that is denied asks 13 times in 25 s, after pauses of 5 ms, 10 ms and so on. Keeping a
listing for a quarter of a second spares 5 of these and for two seconds 8; but a person who signs and
tries again takes half of one, and must not be refused for what was true before.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable

from stagepass.registry.content import Listing

LISTING_SECONDS, MAX_SECONDS = 0.25, 2.0
"""New evidence is found so much later: unless told otherwise, and at most."""

_MAX_KEPT, _MAX_ENTRIES = 1000, 1000


class Listings:
    """
    Kept for `seconds`. What was denied because of one is judged anew each time, and a listing that
    is not whole is not kept, no more than an error is. Thread-safe.
    """

    def __init__(self, seconds: float) -> None:
        if not 0 <= seconds <= MAX_SECONDS:
            raise ValueError(f"listings are kept for at most {MAX_SECONDS} s")
        self._seconds = seconds
        self._kept: OrderedDict[Hashable, tuple[float, Listing]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Listing | None:
        """The listing, if it was put here a moment ago."""
        with self._lock:
            self._drop_old()
            kept = self._kept.get(key)
        return kept[1] if kept else None

    def put(self, key: Hashable, listing: Listing, asked_at: float) -> None:
        """Keep what the registry was asked for at `asked_at` (monotonic)."""
        if listing.gap is not None or len(listing.entries) > _MAX_ENTRIES:
            return
        with self._lock:
            self._kept[key] = asked_at, listing
            self._kept.move_to_end(key)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)

    def _drop_old(self) -> None:
        oldest = time.monotonic() - self._seconds
        while self._kept and next(iter(self._kept.values()))[0] <= oldest:
            self._kept.popitem(last=False)
