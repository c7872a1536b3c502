"""A Git server that is down, slow, rewritten or hangs, and what those wait who do not use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.applier_faults.model import (
    Found,
    Versions,
    Wanted,
    await_passed,
    is_passed,
    settle,
    told,
)
from tests.applier_faults.neighbours import Neighbour, neighbour, said
from tests.applier_faults.result import Result
from tests.applier_faults.site import GIT, Site
from tests.applier_faults.writes import failures, ruled
from tests.simulators.git import GitServer
from tests.simulators.proxy import LOST, PASS, Call, Fate

_SHOP = "shop.test"
_HANGING, _REPOSITORIES = 4, 3
_HELD_SECONDS = 10.0
"""Less than git itself waits for a server that says nothing (`http.lowSpeedTime`, 20 s)."""


def git_in_trouble(site: Site, versions: Versions, quick: bool) -> Iterator[Result]:
    """Down, slow, and force-pushed."""
    with neighbour(site) as beside:
        seconds = [beside.deliver() for _ in range(3)]
        yield Result("nothing wrong with Git", max(seconds), note=said(seconds))
        yield _down(site, versions, beside, 4.0 if quick else 20.0)
        yield _slow(site, versions, beside, 1.0 if quick else 5.0)
        yield _forced(site, versions, beside)


def _down(site: Site, versions: Versions, beside: Neighbour, seconds: float) -> Result:
    wanted, before, rule = versions.new(), len(site.delivery.events()), _Git(0.0)
    with ruled(site, rule):
        started = time.monotonic()
        commit = versions.commit(wanted)
        took = [beside.deliver()]
        while time.monotonic() < started + seconds:
            took.append(beside.deliver())
        early = is_passed(site, commit)
    back = time.monotonic()
    await_passed(site, commit)
    return Result(
        f"Git down for {seconds:.0f} s",
        time.monotonic() - back,
        faults=rule.struck,
        failures=failures(site, before),
        wrong=("passed without Git",) if early else (),
        note=f"{said(took)} in {len(took)}",
    ).beside(settle(site, wanted))


def _slow(site: Site, versions: Versions, beside: Neighbour, seconds: float) -> Result:
    """Every answer, of which a fetch needs five."""
    wanted, before, rule = versions.new(), len(site.delivery.events()), _Git(seconds)
    with ruled(site, rule):
        started = time.monotonic()
        commit = versions.commit(wanted)
        took = []
        while not is_passed(site, commit):
            took.append(beside.deliver())
        passed = time.monotonic()
    return Result(
        f"Git answers after {seconds:.0f} s",
        passed - started,
        faults=rule.struck,
        failures=failures(site, before),
        note=f"{said(took)} in {len(took)}",
    ).beside(settle(site, wanted))


def _forced(site: Site, versions: Versions, beside: Neighbour) -> Result:
    """Refused, with the old version kept; a descendant of that one mends it."""
    kept, before = versions.new(), len(site.delivery.events())
    old = versions.commit(kept)
    await_passed(site, old)
    repository, other = site.team.repository, versions.new()
    repository.point("refs/heads/main", None)
    versions.commit(other)
    started = time.monotonic()
    site.delivery.wait(lambda: told(site, _SHOP).get("reason") == "NOT_FAST_FORWARD")
    refused = time.monotonic() - started
    site.delivery.wait(lambda: told(site, _SHOP).get("dead"), 60)
    took, wrong = [beside.deliver() for _ in range(3)], _not_kept(site, kept, old)
    repository.point("refs/heads/main", old)
    mended = versions.new()
    await_passed(site, versions.commit(mended))
    return Result(
        "force-pushed",
        refused,
        faults=1,
        failures=failures(site, before),
        wrong=wrong,
        note=f"NOT_FAST_FORWARD, {said(took)}, mended by a descendant",
    ).beside(settle(site, mended))


def _not_kept(site: Site, kept: Wanted, commit: str) -> tuple[str, ...]:
    """What differs from the old version."""
    applied = site.state()["applied"]["commit"]
    wrong = () if applied == commit else (f"applied {applied} instead of {commit}",)
    found: Found = settle(site, kept, with_trouble=True)
    return (*wrong, *found.wrong)


def git_hangs(site: Site, versions: Versions, quick: bool) -> Iterator[Result]:
    """Four servers of three repositories each take every request and never answer."""
    with _hanging(site) as (servers, urls), neighbour(site, urls) as beside:
        site.delivery.wait(lambda: all(len(server.requests) >= 2 for server in servers), 60)
        took = [beside.deliver() for _ in range(3 if quick else 10)]
        wanted = versions.new()
        started = time.monotonic()
        await_passed(site, versions.commit(wanted))
        yield Result(
            f"{_HANGING} Git servers hang",
            time.monotonic() - started,
            faults=sum(len(server.requests) for server in servers),
            wrong=(said(took),) if max(took) > _HELD_SECONDS else (),
            note=f"{said(took)} in {len(took)}",
        ).beside(settle(site, wanted))


@contextmanager
def _hanging(site: Site) -> Iterator[tuple[list[GitServer], dict[str, str]]]:
    """The servers, and URLs on them by pipeline."""
    with ExitStack() as stack:
        servers, urls = [], {}
        for number in range(_HANGING):
            folder = site.directory / f"hangs-{number}"
            folder.mkdir(exist_ok=True)
            server = stack.enter_context(GitServer(folder))
            server.faults.hang = True
            servers.append(server)
            for each in range(_REPOSITORIES):
                urls[f"hangs-{number}-{each}"] = server.url(f"repository-{each}")
        yield servers, urls


class _Git:
    """The rule: the shop's repository answers after so many seconds, or with 0 never."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.struck = 0

    def __call__(self, door: str, call: Call) -> Fate:
        if door != GIT or not call.path.startswith("/deploy.git/"):
            return PASS
        self.struck += 1
        time.sleep(self._seconds)
        return PASS if self._seconds else LOST
