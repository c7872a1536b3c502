"""
The loop: which application is stepped when, and which repository is fetched when.

Waiting holds no worker: a step says when to come back, and a heap remembers it. Git has threads of its
own, and no host more than a few of them, so that a server that hangs delays nobody who does not need it.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from applier.application import Application, applications
from applier.failure import Failure
from applier.fetching import THREADS, Turns
from applier.reconcile import Reconciler
from applier.repositories import Repositories
from applier.store import StateStore
from stagepass import log
from stagepass.verifier import Verifier

_WORKERS = 8
_POLL = 4.0
"""Seconds, at most, until what people want is noticed."""
_ASLEEP = 1.0
_AGAIN = timedelta(seconds=4)


@dataclass(frozen=True, slots=True)
class Pace:
    """
    In seconds: how often Git is asked, and an application that waits for nothing looked at; and how
    long after a first failure it is tried again.
    """

    fetch: float = 15.0
    look: float = 60.0
    retry: float = 5.0


class Records(Protocol):
    """What people want, in objects of the cluster."""

    def is_suspended(self, name: str) -> bool:
        """Whether the application is not to be stepped. Never raises."""

    def poll(self, applications: Mapping[str, Application]) -> Collection[str]:
        """Read them again; the applications of which something else is wanted than before."""


class Loop:
    """
    Runs until `stop` is set. `verifier` gives the policy in force, None while there is none.

    Applications come from that policy alone; those it no longer names are left as they are.
    """

    def __init__(
        self,
        cluster: str,
        verifier: Callable[[], Verifier | None],
        reconciler: Reconciler,
        repositories: Repositories,
        store: StateStore,
        pace: Pace,
        records: Records,
        only: str = "",
    ) -> None:
        self._cluster, self._verifier, self._pace = cluster, verifier, pace
        self._reconciler, self._repositories, self._store = reconciler, repositories, store
        self._records, self._only = records, only
        self._polled, self._polling = float("-inf"), False
        self._applications: dict[str, Application] = {}
        self._revision = ""
        self._due: list[tuple[float, int, str]] = []
        self._wakes: dict[str, float] = {}
        self._count = 0
        self._busy: set[str] = set()
        self._turns = Turns(pace.fetch)
        self._changed = threading.Condition()

    def run(self, stop: threading.Event, beat: Callable[[], object] = lambda: None) -> None:
        """Returns once `stop` is set and every step that had begun is over; `beat` hears of each turn."""
        workers = ThreadPoolExecutor(_WORKERS, "step")
        fetchers = ThreadPoolExecutor(THREADS, "fetch")
        try:
            while not stop.is_set():
                beat()
                self._take_policy()
                for url in self._stale():
                    fetchers.submit(self._fetch, url)
                for name in self._ready():
                    workers.submit(self._step, name)
                if self._is_poll_due():
                    workers.submit(self._poll)
                self._sleep()
        finally:
            fetchers.shutdown(wait=True, cancel_futures=True)
            workers.shutdown(wait=True, cancel_futures=True)

    def poke(self, name: str) -> None:
        """Something changed for it: step it as soon as a worker is free."""
        self._schedule(name, 0.0)

    def _take_policy(self) -> None:
        verifier = self._verifier()
        if verifier is None or verifier.policy.revision == self._revision:
            return
        self._revision = verifier.policy.revision
        found = applications(verifier.policy, self._cluster)
        self._applications = {n: a for n, a in found.items() if self._only in ("", n)}
        log.info("applier.applications", names=sorted(self._applications), revision=self._revision)
        for name, application in self._applications.items():
            if self._turns.was_fetched(application.source.git):
                self.poke(name)

    def _sources(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for application in self._applications.values():
            found.setdefault(application.source.git, set()).add(application.source.ref)
        return {url: frozenset(refs) for url, refs in found.items()}

    def _beats(self, url: str) -> frozenset[str]:
        """The refs of the heartbeats in a repository."""
        sources = (application.source for application in self._applications.values())
        return frozenset(s.heartbeat.ref for s in sources if s.git == url and s.heartbeat)

    def _stale(self) -> list[str]:
        """Repositories that are due, marked as being fetched."""
        with self._changed:
            return self._turns.take(self._sources(), time.monotonic())

    def _fetch(self, url: str) -> None:
        try:
            refs = self._sources().get(url, frozenset())
            moved = self._repositories.fetch(url, refs, self._beats(url))
            moved = moved or not self._turns.was_fetched(url)
            if moved:
                for ref in refs:
                    self._spread(url, ref)
        except Exception:  # the next fetch may do better; nobody else waits for this one
            log.exception("applier.fetch_failed", url=url)
        finally:
            with self._changed:
                self._turns.done(url, time.monotonic())
                self._changed.notify_all()

    def _spread(self, url: str, ref: str) -> None:
        """Poke those that the new head concerns: an unchanged tree is not even looked at."""
        here = {
            name: application
            for name, application in self._applications.items()
            if (application.source.git, application.source.ref) == (url, ref)
        }
        self._repositories.look_at(url, ref, {a.source.root for a in here.values()})
        for name, application in here.items():
            applied = self._store.get(name).applied
            tree = self._repositories.known_tree(application.source)
            if applied is None or tree is None or tree != applied.tree or name not in self._wakes:
                self.poke(name)

    def _ready(self) -> list[str]:
        """Applications whose time has come and that nobody is at, marked as being stepped."""
        now, found = time.monotonic(), []
        with self._changed:
            while self._due and self._due[0][0] <= now:
                when, _, name = heapq.heappop(self._due)
                if self._wakes.get(name) != when:
                    continue  # it was scheduled anew
                if name in self._busy:
                    continue  # it schedules itself when it is through
                if name in self._applications:
                    self._busy.add(name)
                    found.append(name)
        return found

    def _step(self, name: str) -> None:
        started = self._wakes.get(name)
        wake = timedelta(seconds=self._pace.look)
        try:
            application, verifier = self._applications.get(name), self._verifier()
            if (
                application is not None
                and verifier is not None
                and not self._records.is_suspended(name)
            ):
                now = datetime.now(UTC)
                wake = self._reconciler.step(application, verifier, now) - datetime.now(UTC)
        except Failure as failure:  # its state could not be kept: the next step starts from it anew
            log.error("applier.state_lost", application=name, message=str(failure))
            wake = _AGAIN * (0.5 + random.random() / 2)  # noqa: S311  # no secret
        except Exception:  # a poison application must not take the loop along
            log.exception("applier.step_failed", application=name)
        finally:
            with self._changed:
                self._busy.discard(name)
                poked = self._wakes.get(name) != started
            self._schedule(name, 0.0 if poked else max(0.05, wake.total_seconds()))

    def _is_poll_due(self) -> bool:
        """Whether the records are to be read now; true once for each time."""
        with self._changed:
            every = min(self._pace.look, _POLL)
            if self._polling or time.monotonic() - self._polled < every:
                return False
            self._polling = True
            return True

    def _poll(self) -> None:
        try:
            for name in self._records.poll(self._applications):
                self.poke(name)
        except Exception:  # the next one may do better
            log.exception("applier.poll_failed")
        finally:
            with self._changed:
                self._polled, self._polling = time.monotonic(), False

    def _schedule(self, name: str, seconds: float) -> None:
        with self._changed:
            when = time.monotonic() + seconds
            self._wakes[name] = when
            self._count += 1
            heapq.heappush(self._due, (when, self._count, name))
            self._changed.notify_all()

    def _sleep(self) -> None:
        """Until the next thing is due, or something changed; at most a second, for the policy's sake."""
        with self._changed:
            now = time.monotonic()
            waits = [_ASLEEP, self._turns.next(self._sources(), now)]
            waits += [self._due[0][0] - now] if self._due else []
            self._changed.wait(max(0.0, min(waits)))
