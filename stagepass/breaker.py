"""
A breaker in front of a source that can hang: while a host is known to be dead, it says so at once.

Each review that waits for a hung registry holds a thread to its deadline, and those queued behind it
would miss the API server's timeout: a failed call in place of an explicit refusal. What fails at once
(a refused connection, a 403) holds nobody, is often about one repository only, and is left alone.

A host that is only slow opens nothing, so the number of reviews that may wait is bounded as well: the
threads beyond stay free for what memory or a directory can answer.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline, EvidenceSource
from stagepass.release.store import Blobs

T = TypeVar("T")

OPEN_SECONDS = 2.0
# Below this nobody was held up; nor may a caller who grants no time make a host look dead.
SLOW_SECONDS = 0.5
# One slow answer is an accident, of one repository perhaps.
_IN_A_ROW = 2
# Below the threads of a worker (8): more threads would cost every warm answer a fifth of its CPU.
PLACES = 6
PATIENCE_SECONDS = 1.0
_DEAD = (Code.DEADLINE, Code.REGISTRY_UNAVAILABLE)


@dataclass(slots=True)
class _Host:
    """
    How it stands with a host, in times of the monotonic clock.

    `waiting`: since when each question is under way, and until when its review had time as it began.
    That tells reviews apart: one may ask about several images at once. `until`: when it may be tried
    again.
    """

    waiting: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0
    until: float = 0.0
    code: str = ""
    message: str = ""

    @property
    def is_open(self) -> bool:
        return self.failed >= _IN_A_ROW

    def since(self, moment: float) -> int:
        """How many questions have been under way since `moment` or before."""
        return sum(since <= moment for since, _ in self.waiting)


class Breaker:
    """
    An `EvidenceSource` around another, and `Blobs` of the same hosts. Thread-safe.

    Once a host has kept two reviews waiting for nothing, and answered none between, it is not asked
    for `seconds`; then by one review at a time, until it answers. Beyond `places` reviews at once, one
    more is given `PATIENCE_SECONDS`, and nothing while its host keeps another waiting for longer.
    """

    def __init__(
        self,
        source: EvidenceSource,
        seconds: float = OPEN_SECONDS,
        places: int = PLACES,
        blobs: Blobs | None = None,
    ) -> None:
        self._source, self._seconds, self._places = source, seconds, places
        self._blobs = blobs
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._lock = threading.Lock()

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        """
        As the source. Raises `Unavailable` with the code of the last failure while it is open, and
        with `DEADLINE` where too many wait already.
        """

        def read(granted: Deadline) -> Iterator[Sequence[Candidate]]:
            return self._source.batches(image, digest, wanted, granted)

        yield from self._asked(image.host, deadline, read)

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
        """As `Blobs.blob`, and raises as `batches` does."""

        def read(granted: Deadline) -> Iterator[bytes]:
            if self._blobs is not None:
                yield self._blobs.blob(repository, digest, granted)

        for data in self._asked(repository.host, deadline, read):
            return data
        raise Unavailable(Code.REGISTRY_UNAVAILABLE, f"{repository.host} is not asked for blobs")

    def _asked(
        self, name: str, deadline: Deadline, read: Callable[[Deadline], Iterator[T]]
    ) -> Iterator[T]:
        host = self._hosts[name]
        entry, granted = self._enter(host, name, deadline)
        is_heard = False
        try:
            for found in read(granted):
                if not is_heard:
                    self._heard(host)
                is_heard = True
                yield found
            self._heard(host)
        except Unavailable as error:
            waited = time.monotonic() - entry[0]
            if not is_heard and error.code in _DEAD and waited >= SLOW_SECONDS:
                if granted is deadline:  # a time limit of ours says nothing about the host
                    self._failed(host, error)
            elif not is_heard:
                self._heard(host)
            raise
        finally:
            with self._lock:
                host.waiting.remove(entry)

    def _enter(
        self, host: _Host, name: str, deadline: Deadline
    ) -> tuple[tuple[float, float], Deadline]:
        """
        The entry in `waiting`, and until when to ask. Raises `Unavailable` while open.

        Whoever tries again keeps the others out meanwhile.
        """
        with self._lock:
            now = time.monotonic()
            if host.is_open:
                if now < host.until:
                    raise Unavailable(host.code, f"{name} is not asked just now: {host.message}")
                # By then it has failed or been heard; if it is lost, someone else tries.
                host.until = max(deadline.at, now + SLOW_SECONDS)
            granted = self._granted(host, name, deadline, now)
            entry = (now, deadline.at)
            host.waiting.append(entry)
            return entry, granted

    def _granted(self, host: _Host, name: str, deadline: Deadline, now: float) -> Deadline:
        """The review's own time limit while there are places, then a short one or `Unavailable`."""
        others = {at for each in self._hosts.values() for _, at in each.waiting} - {deadline.at}
        if len(others) < self._places:
            return deadline
        if host.since(now - PATIENCE_SECONDS):
            message = f"{name} is not asked: it keeps {len(others)} reviews waiting already"
            raise Unavailable(Code.DEADLINE, message)
        return Deadline(min(deadline.at, now + PATIENCE_SECONDS))

    def _heard(self, host: _Host) -> None:
        with self._lock:
            host.failed = 0

    def _failed(self, host: _Host, error: Unavailable) -> None:
        with self._lock:
            now = time.monotonic()
            # Those that still wait count as well: the next in the queue must not join them.
            host.failed += max(1, host.since(now - SLOW_SECONDS))
            host.until = now + self._seconds
            host.code, host.message = error.code, error.message
