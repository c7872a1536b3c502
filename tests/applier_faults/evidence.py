"""The registry is away while an applier decides and while it signs, or its answer is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from tests.applier_faults.kill import write_of
from tests.applier_faults.model import Versions, await_passed, is_passed, settle, told
from tests.applier_faults.result import Result
from tests.applier_faults.site import API, REGISTRY, Rule, Site
from tests.applier_faults.writes import failures, ruled
from tests.simulators.proxy import ANSWER_LOST, LOST, PASS, Call, Fate


def registry_down(site: Site, versions: Versions, quick: bool) -> Iterator[Result]:
    """Until the applier says so, and for as long again; then it has to recover by itself."""
    seconds = 1.0 if quick else 8.0
    yield _case(site, versions, "decides", _all_lost, "UNDETERMINED", seconds)
    yield _case(site, versions, "signs", _Signing(), "SIGNING_FAILED", seconds)


def answers_lost(site: Site, versions: Versions, quick: bool) -> Iterator[Result]:  # noqa: ARG001
    """
    What was signed is stored, and the applier lives on without hearing of it.

    It tries again within the 0.25 s for which a gate keeps a listing: one from before lacks it.
    """
    site.restart(RETRY="0.1")
    try:
        yield from (_unheard(site, versions, *each) for each in enumerate(("receipt", "pass")))
    finally:
        site.restart()


def _unheard(site: Site, versions: Versions, number: int, what: str) -> Result:
    wanted, before = versions.new(), len(site.delivery.events())
    counted = _Counted(_Unheard(number))
    with ruled(site, counted):
        started = time.monotonic()
        await_passed(site, versions.commit(wanted))
    return Result(
        f"answer to the {what} lost",
        time.monotonic() - started,
        writes=counted.writes,
        faults=counted.struck,
        failures=failures(site, before),
    ).beside(settle(site, wanted))


def _case(
    site: Site, versions: Versions, when: str, rule: Rule, reason: str, seconds: float
) -> Result:
    wanted, before = versions.new(), len(site.delivery.events())
    counted = _Counted(rule)
    with ruled(site, counted):
        commit = versions.commit(wanted)
        site.delivery.wait(lambda: told(site, "shop.test").get("reason") == reason, 90)
        time.sleep(seconds)
        early = is_passed(site, commit)
        trouble = site.state()["trouble"]
    back = time.monotonic()
    await_passed(site, commit)
    wrong = [f"passed without a registry: {commit}"] if early else []
    wrong += [] if trouble and not trouble["dead"] else [f"trouble while it was down: {trouble}"]
    return Result(
        f"registry down while it {when}",
        time.monotonic() - back,
        writes=counted.writes,
        faults=counted.struck,
        failures=failures(site, before),
        wrong=tuple(wrong),
        note=f"{reason}, {trouble['attempts']} attempts" if trouble else "",
    ).beside(settle(site, wanted))


class _Counted:
    """A rule, and how often it was asked about a write and struck anything."""

    def __init__(self, rule: Rule) -> None:
        self._rule, self._lock = rule, threading.Lock()
        self.writes = self.struck = 0

    def __call__(self, door: str, call: Call) -> Fate:
        fate = self._rule(door, call)
        with self._lock:
            self.writes += write_of(door, call) is not None
            self.struck += fate is not PASS
        return fate


class _Unheard:
    """The rule: nobody hears of the manifest with that number, from 0, that the registry stores."""

    def __init__(self, number: int) -> None:
        self._number, self._lock = number, threading.Lock()
        self._stored = 0

    def __call__(self, door: str, call: Call) -> Fate:
        if door != REGISTRY or call.method != "PUT" or "/manifests/" not in call.path:
            return PASS
        with self._lock:
            self._stored += 1
            return ANSWER_LOST if self._stored == self._number + 1 else PASS


def _all_lost(door: str, _call: Call) -> Fate:
    """Whoever asks a registry gets no answer."""
    return LOST if door == REGISTRY else PASS


class _Signing:
    """The rule: no registry takes anything from the moment on that the new Deployment was applied."""

    def __init__(self) -> None:
        self._is_applied = False

    def __call__(self, door: str, call: Call) -> Fate:
        if door == API and write_of(door, call) and call.path.endswith("/deployments/web"):
            self._is_applied = True
        is_write = door == REGISTRY and write_of(door, call) is not None
        return LOST if is_write and self._is_applied else PASS
