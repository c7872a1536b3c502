"""Packs that were refused: what it costs much to refuse is asked for a third time later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from applier.failure import Failure, Reason

_TIMES = 20.0
_LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class _Refused:
    wanted: frozenset[str]
    failure: Failure
    times: int
    until: float


class Refusals:
    """
    Of one repository. Who holds its lock asks.

    Once is no verdict: a proxy may have damaged the pack. From the second time on the same objects are
    left alone for 20 times as long as it took to refuse them, at most 10 minutes, so that a pack of 34 kB
    that keeps a processor busy for a minute has it for a tenth of the time.
    """

    def __init__(self) -> None:
        self._last: _Refused | None = None

    @contextmanager
    def guard(self, wanted: frozenset[str]) -> Iterator[None]:
        """Around the fetch of those object ids. Raises what refused them last while that stands."""
        last = self._last if self._last is not None and self._last.wanted == wanted else None
        started = time.monotonic()
        if last is not None and started < last.until:
            raise last.failure
        try:
            yield
        except Failure as failure:
            if failure.reason is Reason.GIT_REFUSED:
                now, times = time.monotonic(), last.times + 1 if last else 1
                rest = min((now - started) * _TIMES, _LONGEST) if times > 1 else 0.0
                self._last = _Refused(wanted, failure, times, now + rest)
            raise
        self._last = None
