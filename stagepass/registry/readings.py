"""
What was read behind the digests that a line of releases lists, for whoever reads the line again.

A stage's line is read at every object that no known release holds, and all but its newest entries are
those of the time before. A digest names its content for ever, so nothing here is ever out of date.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence

from stagepass.evidence import Candidate

_MAX_ENTRIES, _MAX_BYTES = 512, 32 << 20


class Readings:
    """Least recently used out first; at most 512, of 32 MiB together. Thread-safe."""

    def __init__(self, max_entries: int = _MAX_ENTRIES, max_bytes: int = _MAX_BYTES) -> None:
        self._max_entries, self._max_bytes, self._size = max_entries, max_bytes, 0
        self._kept: OrderedDict[Hashable, Sequence[Candidate]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Sequence[Candidate] | None:
        """What was read; () for junk, None where nobody has read it."""
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, found: Sequence[Candidate]) -> None:
        """Keep what was read whole."""
        with self._lock:
            self._size += _size(found) - _size(self._kept.get(key, ()))
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > self._max_entries or self._size > self._max_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._size -= _size(oldest)


def _size(found: Sequence[Candidate]) -> int:
    return sum(len(candidate.data) for candidate in found)
