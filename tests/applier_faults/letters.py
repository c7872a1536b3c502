"""SIGKILL before and after every write that makes a dead letter: none is lost, and none is doubled."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

from tests.applier_faults.kill import AFTER, BEFORE
from tests.applier_faults.model import Versions, await_passed, settle
from tests.applier_faults.result import Result
from tests.applier_faults.site import API, Site
from tests.applier_faults.writes import ruled
from tests.cluster.delivery import ROOT, config_map
from tests.simulators.proxy import LOST, PASS, Call, Fate

_CRDS = str(ROOT / "deploy" / "crds")
_STATE, _LETTER, _SPEC, _STATUS = "the state", "the ConfigMap", "the DeadLetter", "its status"


def write_of(call: Call) -> str:
    """Which write of a death it is, "" where none."""
    if call.method == "PUT" and b'\\"dead\\":true' in call.body:
        return _STATE
    if call.method != "PATCH":
        return ""
    if "/deadletters/" in call.path:
        return _STATUS if call.path.endswith("/status") else _SPEC
    return _LETTER if b'"letter.json"' in call.body else ""


def letters_killed(site: Site, versions: Versions, quick: bool) -> Iterator[Result]:
    """With ConfigMaps, then with objects of their own."""
    maps = (_STATE,) if quick else (_LETTER, _STATE)
    yield from (_killed(site, versions, what, at) for what in maps for at in (BEFORE, AFTER))
    site.cluster.kubectl("apply", "-k", _CRDS)
    site.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    try:
        site.restart()
        objects = (_STATUS,) if quick else (_SPEC, _STATUS, _STATE)
        yield from (_killed(site, versions, what, at) for what in objects for at in (BEFORE, AFTER))
    finally:
        site.cluster.kubectl("delete", "-k", _CRDS)
        site.restart()


def _killed(site: Site, versions: Versions, what: str, moment: str) -> Result:
    """A version that nobody may apply, given up, and a good one after it."""
    trap = _Trap(site, what, moment)
    text = config_map("other").replace("shop", "kube-system")
    with ruled(site, trap):
        commit = site.team.commit({f"{stage}/all.yaml": text for stage in site.team.stages})
        assert trap.hit.wait(60), site.delivery.log_file.read_text()[-3000:]
    started = time.monotonic()
    site.delivery.start()
    site.delivery.wait(lambda: _is_dead(site, commit), 60)
    seconds = time.monotonic() - started
    found = _letters(site, commit)
    good = versions.new()
    await_passed(site, versions.commit(good))
    end = time.monotonic() + 20
    while (left := _open(site, commit)) and time.monotonic() < end:
        time.sleep(0.2)
    wrong = [] if len(found) != 1 or found[0]["attempts"] == 4 else [f"{found[0]}"]
    wrong += [] if [each["state"] for each in found] == ["Open"] else [f"not open: {found}"]
    wrong += [f"still open: {left}"] if left else []
    return Result(
        f"killed {moment} {what} that says dead",
        seconds,
        writes=trap.writes,
        faults=1,
        lost=int(not found),
        doubled=max(0, len(found) - 1),
        wrong=tuple(wrong),
    ).beside(settle(site, good))


def _letters(site: Site, commit: str) -> list[dict[str, object]]:
    """Those of the commit, as `dlq ls` prints them."""
    done = site.delivery.run("dlq", "ls", "--output", "json")
    assert done.returncode in (0, 1), done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [each for each in found if each["revision"]["commit"] == commit]


def _open(site: Site, commit: str) -> list[dict[str, object]]:
    return [each for each in _letters(site, commit) if each["state"] == "Open"]


def _is_dead(site: Site, commit: str) -> bool:
    """By the state that is kept, not by what the log said before the kill."""
    trouble = site.state()["trouble"]
    return bool(trouble and trouble["dead"] and trouble["version"]["commit"] == commit)


class _Trap:
    """The rule that kills the applier at that write."""

    def __init__(self, site: Site, what: str, moment: str) -> None:
        self._site, self._what, self._moment = site, what, moment
        self._lock = threading.Lock()
        self.writes = 0
        self.hit = threading.Event()

    def __call__(self, door: str, call: Call) -> Fate:
        what = write_of(call) if door == API else ""
        if not what:
            return PASS
        with self._lock:
            self.writes += 1
            if self.hit.is_set() or what != self._what:
                return LOST if self.hit.is_set() else PASS
            if self._moment == AFTER:
                return Fate(answer=False, between=self._kill)
            self._kill()
            return LOST

    def _kill(self) -> None:
        self._site.delivery.kill()
        self.hit.set()
