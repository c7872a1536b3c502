"""The API server dies in the middle of an apply, and a tenth of all writes goes wrong."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle

from applier.failure import Kind, Reason
from tests.applier_faults.kill import write_of
from tests.applier_faults.model import (
    Found,
    Versions,
    await_applied,
    await_passed,
    doubled,
    evidence,
    settle,
)
from tests.applier_faults.result import Result
from tests.applier_faults.site import API, GIT, REGISTRY, Rule, Site, honest
from tests.simulators.proxy import ANSWER_LOST, LOST, PASS, Call, Fate

_SIZE, _DOWN_SECONDS = 40, 3.0
_SHARE = 0.1
_SEED = 20


@contextmanager
def ruled(site: Site, rule: Rule) -> Iterator[None]:
    """By that rule inside the block, honest after it."""
    site.rule = rule
    try:
        yield
    finally:
        site.rule = honest


def failures(site: Site, since: int) -> int:
    """How many failures, of those that are no waiting, the log has told of since that event."""
    events = site.delivery.events()[since:]
    found = (e.get("reason") for e in events if e["event"] == "application")
    noted = sum(1 for name in found if name and Reason[name].kind is not Kind.BLOCKED)
    return noted + sum(1 for e in events if e["event"] == "applier.state_lost")


def api_server_killed(site: Site, versions: Versions, quick: bool) -> Iterator[Result]:
    """SIGKILL to it at the middle write of an apply, before and after that one took effect."""
    for moment in ("after",) if quick else ("before", "after"):
        strike = _Strike(site, moment == "after")
        versions.size += _SIZE
        wanted, before = versions.new(), len(site.delivery.events())
        with ruled(site, strike):
            commit = versions.commit(wanted)
            site.delivery.wait(strike.hit.is_set, 60)
            killed = time.monotonic()
            time.sleep(_DOWN_SECONDS)
            site.cluster.restart("kube-apiserver")
            restarted = time.monotonic()
            await_applied(site, commit)
            applied = time.monotonic()
            # The controllers' own wait, up to 30 s and more, is no doing of the applier.
            site.delivery.wait(partial(_is_rolled_out, site, wanted.image), 120)
            rolled_out = time.monotonic()
            await_passed(site, commit)
        ended = time.monotonic()
        yield Result(
            f"API server killed {moment} a write of an apply",
            ended - killed,
            writes=strike.writes,
            faults=1,
            failures=failures(site, before),
            note=f"back after {restarted - killed:.1f} s, applied {applied - restarted:.1f} s later,"
            f" rolled out by controllers {rolled_out - applied:.1f} s later,"
            f" passed {ended - rolled_out:.1f} s later",
        ).beside(settle(site, wanted))


def _is_rolled_out(site: Site, image: str) -> bool:
    """By what the Deployment's controller says of the newest version."""
    live = site.delivery.live("deployment", "web")
    status = live.get("status", {})
    (container,) = live["spec"]["template"]["spec"]["containers"]
    seen = status.get("observedGeneration") == live["metadata"]["generation"]
    counts = [status.get(each, 0) for each in ("replicas", "updatedReplicas", "availableReplicas")]
    return seen and container["image"] == image and counts == [1, 1, 1]


class _Strike:
    """The rule that kills the API server once, at the middle of the ConfigMaps that are created."""

    def __init__(self, site: Site, after: bool) -> None:
        self._site, self._after = site, after
        self._lock = threading.Lock()
        self._applies = 0
        self.writes = 0
        self.hit = threading.Event()

    def __call__(self, door: str, call: Call) -> Fate:
        if door == GIT or write_of(door, call) is None:
            return PASS
        with self._lock:
            self.writes += 1
            self._applies += door == API and call.method == "PATCH" and "/base-" in call.path
            if self._applies != _SIZE // 2 or self.hit.is_set():
                return PASS
            if self._after:
                return Fate(answer=False, between=self._kill)
            self._kill()
            return LOST

    def _kill(self) -> None:
        self._site.cluster.kill("kube-apiserver")
        self.hit.set()


def a_tenth_of_the_writes(site: Site, versions: Versions, quick: bool) -> Iterator[Result]:
    """409, 422, 500 and answers that are lost, while versions are delivered one after the other."""
    tenth, before = _Tenth(), len(site.delivery.events())
    wanted = [versions.new() for _ in range(5 if quick else 20)]
    started = time.monotonic()
    with ruled(site, tenth):
        for each in wanted:
            await_passed(site, versions.commit(each))
        found = settle(site, wanted[-1])
    seconds = time.monotonic() - started
    listed = [evidence(site, each.image) for each in wanted]
    yield Result(
        f"a tenth of all writes, {len(wanted)} versions",
        seconds,
        writes=tenth.writes,
        faults=sum(tenth.struck.values()),
        failures=failures(site, before),
        lost=sum(each["stage-passed"] == 0 for each in listed),
        doubled=sum(map(doubled, listed[:-1])),
        note=", ".join(f"{count} x {what}" for what, count in sorted(tenth.struck.items())),
    ).beside(Found(found.wrong, found.orphans, found.doubled))


class _Tenth:
    """The rule: by a seed, one write of ten, with each kind of fault in its turn."""

    def __init__(self) -> None:
        self._random, self._lock = random.Random(_SEED), threading.Lock()  # noqa: S311  # no secret
        self._fates = {API: cycle(_API_FATES.items()), REGISTRY: cycle(_REGISTRY_FATES.items())}
        self.writes = 0
        self.struck: dict[str, int] = {}

    def __call__(self, door: str, call: Call) -> Fate:
        if door == GIT or write_of(door, call) is None:
            return PASS
        with self._lock:
            self.writes += 1
            if self._random.random() >= _SHARE:
                return PASS
            what, fate = next(self._fates[door])
            self.struck[what] = self.struck.get(what, 0) + 1
            return fate


def _status(code: int, reason: str, message: str) -> Fate:
    """A Status as an API server sends it, in its place."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return Fate(forward=False, status=code, body=json.dumps(body).encode())


_API_FATES = {
    "409": _status(409, "Conflict", "Operation cannot be fulfilled: the object has been modified"),
    "lost answer": ANSWER_LOST,
    "500": _status(500, "InternalError", "Internal error occurred: etcdserver: request timed out"),
    "422": _status(422, "Invalid", "admission plugin of the moment: Invalid value"),
    "lost request": LOST,
}
_REGISTRY_FATES = {
    "lost answer": ANSWER_LOST,
    "500": Fate(forward=False, status=500, body=b"{}"),
}
Fault = Callable[[Site, Versions, bool], Iterator[Result]]
"""(site, versions, whether a short form will do) -> what came of it, one by one."""
