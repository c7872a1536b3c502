"""
A breaker in front of a source that can hang: while a host is known to be dead, it says so at once.

Each review that waits for a hung registry holds a thread to its deadline, and those queued behind it
would miss the API server's timeout: a failed call in place of an explicit refusal. What fails at once
(a refused connection, a 403) holds nobody, is often about one repository only, and is left alone.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline, EvidenceSource

OPEN_SECONDS = 2.0
# Below this nobody was held up; nor may a caller who grants no time make a host look dead.
SLOW_SECONDS = 0.5
# One slow answer is an accident, of one repository perhaps.
_IN_A_ROW = 2
_DEAD = (Code.DEADLINE, Code.REGISTRY_UNAVAILABLE)


@dataclass(slots=True)
class _Host:
    """
    How it stands with a host, in times of the monotonic clock.

    `waiting`: since when each review that has not heard from it waits. `until`: when it may be tried
    again.
    """

    waiting: list[float] = field(default_factory=list)
    failed: int = 0
    until: float = 0.0
    code: str = ""
    message: str = ""

    @property
    def is_open(self) -> bool:
        return self.failed >= _IN_A_ROW


class Breaker:
    """
    An `EvidenceSource` around another. Thread-safe.

    Once a host has kept two reviews waiting for nothing, and answered none between, it is not asked
    for `seconds`; then by one review at a time, until it answers.
    """

    def __init__(self, source: EvidenceSource, seconds: float = OPEN_SECONDS) -> None:
        self._source, self._seconds = source, seconds
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._lock = threading.Lock()

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        """As the source. Raises `Unavailable` with the code of the last failure while it is open."""
        host = self._hosts[image.host]
        started = self._enter(host, image.host, deadline)
        is_heard = False
        try:
            for batch in self._source.batches(image, digest, wanted, deadline):
                if not is_heard:
                    self._heard(host)
                is_heard = True
                yield batch
            self._heard(host)
        except Unavailable as error:
            waited = time.monotonic() - started
            if not is_heard and error.code in _DEAD and waited >= SLOW_SECONDS:
                self._failed(host, error)
            elif not is_heard:
                self._heard(host)
            raise
        finally:
            with self._lock:
                host.waiting.remove(started)

    def _enter(self, host: _Host, name: str, deadline: Deadline) -> float:
        """Raises `Unavailable` while open. Whoever tries again keeps the others out meanwhile."""
        with self._lock:
            now = time.monotonic()
            if host.is_open:
                if now < host.until:
                    raise Unavailable(host.code, f"{name} is not asked just now: {host.message}")
                # By then it has failed or been heard; if it is lost, someone else tries.
                host.until = max(deadline.at, now + SLOW_SECONDS)
            host.waiting.append(now)
            return now

    def _heard(self, host: _Host) -> None:
        with self._lock:
            host.failed = 0

    def _failed(self, host: _Host, error: Unavailable) -> None:
        with self._lock:
            now = time.monotonic()
            # Those that still wait count as well: the next in the queue must not join them.
            slow = sum(since <= now - SLOW_SECONDS for since in host.waiting) - 1
            host.failed += 1 + slow
            host.until = now + self._seconds
            host.code, host.message = error.code, error.message
