"""
SIGKILL at every write of a reconcile that creates, updates and prunes: before and after each.

The proxies kill the applier's process in the middle of a call. What must hold after the restart is
judged by what lies in the API server and in the registry, not by what the applier says.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from tests.applier_faults.model import Versions, is_passed, settle
from tests.applier_faults.site import GIT, REGISTRY, Site, honest
from tests.simulators.proxy import ANSWER_LOST, LOST, PASS, Call, Fate

BEFORE, AFTER = "before", "after"
_WRITES = {"PATCH", "PUT", "POST", "DELETE"}
_KINDS = ("deployments", "configmaps", "services")


def write_of(door: str, call: Call) -> str | None:
    """What the call writes, for people; None where it writes nothing. A fetch writes the mirror."""
    if door == GIT:
        return "fetch" if b"command=fetch" in call.body else None
    if call.method not in _WRITES or "dryRun" in call.query:
        return None
    parts = [part for part in call.path.split("/") if part]
    if door == REGISTRY:
        return f"{call.method} {'/'.join(parts[3:])[:24]}"
    at = next((i for i, p in enumerate(parts) if p in {*_KINDS, "leases"} or "letter" in p), -2)
    return f"{call.method} {'/'.join(parts[at:])[:48]}"


class Trap:
    """A rule that counts writes, and kills the applier at the `at`-th. `hit` is what that one was."""

    def __init__(self, site: Site, at: int = -1, moment: str = BEFORE) -> None:
        self._site, self._at, self._moment = site, at, moment
        self._lock = threading.Lock()
        self.writes: list[str] = []
        self.hit = ""

    def __call__(self, door: str, call: Call) -> Fate:
        what = write_of(door, call)
        if what is None:
            return PASS
        with self._lock:
            self.writes.append(f"{door} {what}")
            if len(self.writes) != self._at + 1 or self.hit:
                return LOST if self.hit and self._dead() else PASS
            self.hit = self.writes[-1]
            if self._moment == AFTER:
                return Fate(answer=ANSWER_LOST.answer, between=self._site.delivery.kill)
            self._site.delivery.kill()
            return LOST

    def _dead(self) -> bool:
        """A request of the killed process that was on its way already is no write of the next one."""
        return not self._site.delivery.is_running


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one kill. `wrong` is empty where everything is as if nobody had been killed."""

    write: str
    moment: str
    wrong: tuple[str, ...]
    seconds: float

    def line(self) -> str:
        """One row of the table."""
        verdict = "; ".join(self.wrong) or "as the model"
        return f"{self.moment:6}  {self.write:64}  {self.seconds:5.1f} s  {verdict}"


class Reconciles:
    """A series of them in one cluster: each creates, updates and prunes with respect to the last."""

    def __init__(self, site: Site) -> None:
        self._site, self._versions = site, Versions(site)

    def first(self) -> list[str]:
        """Bring the first version in, then take the next one with nobody killed; its writes."""
        wanted = self._versions.new()
        commit = self._versions.commit(wanted)
        self._site.delivery.wait(lambda: self._is_done(commit), 90)
        settle(self._site, wanted)
        trap = Trap(self._site)
        outcome = self._run(trap)
        assert not outcome, outcome
        return trap.writes

    def killed(self, at: int, moment: str) -> Outcome:
        """One reconcile in which the applier dies at that write, and is started again."""
        trap = Trap(self._site, at, moment)
        started = time.monotonic()
        wrong = self._run(trap)
        seconds = time.monotonic() - started
        return Outcome(trap.hit or "(there was no such write)", moment, tuple(wrong), seconds)

    def _run(self, trap: Trap) -> list[str]:
        delivery, wanted = self._site.delivery, self._versions.new()
        self._site.rule = trap
        try:
            commit = self._versions.commit(wanted)
            end = time.monotonic() + 60
            while not (trap.hit and not delivery.is_running) and not self._is_done(commit):
                if time.monotonic() > end:
                    return ["not done in time", delivery.log_file.read_text()[-1500:]]
                time.sleep(0.02)
        finally:
            self._site.rule = honest
            if trap.hit:
                delivery.start()
        end = time.monotonic() + 60
        while not self._is_done(commit):
            if time.monotonic() > end:
                return ["not mended in time", delivery.log_file.read_text()[-1500:]]
            time.sleep(0.05)
        return list(settle(self._site, wanted).wrong)

    def _is_done(self, commit: str) -> bool:
        return self._site.delivery.is_running and is_passed(self._site, commit)
