"""The faults, by name: each is done to a site under load for some seconds, and counted."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial

from certs.issue import issue as reissue
from certs.names import Names
from tests.faults import clock, disk, policy
from tests.faults.load import Load
from tests.faults.result import Result
from tests.faults.site import Site
from tests.faults.tally import Kind, Rules, Tally, Window
from tests.simulators.registry import Faults
from tests.webhook.server import Server, wait_until

Fault = Callable[[str, Site, float], Result]

_KILL_SECONDS = 2.0
_LIE_SECONDS = 0.1
_ROTATIONS = 100
_DRAIN_LATENCY, _SLOW_LATENCY = 0.3, 2.0
_AT_ONCE = 100


def _healthy(name: str, site: Site, seconds: float) -> Result:
    with Load(site.gate, site.images()) as load:
        time.sleep(seconds)
    return Result.of(name, [load.tally])


def _registry(
    fault: Callable[[Site], AbstractContextManager[None]],
    name: str,
    site: Site,
    seconds: float,
    *,
    hidden: bool = False,
) -> Result:
    """A registry with a fault for `seconds`, and how long the gate needs to be well afterwards."""
    images = site.images()
    with fault(site), Load(site.gate, images, Rules(hidden=hidden)) as load:
        time.sleep(seconds)
    return Result.of(name, [load.tally], site.recovered(site.gate))


def _behaving(faults: Faults, *, hidden: bool = False) -> Fault:
    return partial(_registry, lambda site: site.faulty(faults), hidden=hidden)


@contextmanager
def _now_and_then_a_lie(site: Site) -> Iterator[None]:
    """Honest and lying in turn, `_LIE_SECONDS` each."""
    stop = threading.Event()

    def alternate() -> None:
        while not stop.wait(_LIE_SECONDS):
            faults.lie = not faults.lie

    faults = Faults(lie=True)
    thread = threading.Thread(target=alternate)
    with site.faulty(faults):
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _killed(name: str, site: Site, seconds: float) -> Result:
    """A worker is killed at once and then every `_KILL_SECONDS`, oldest first."""
    gate, cuts = site.gate, list[Window]()
    with Load(gate, site.images()) as load:
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            if workers := gate.workers():
                os.kill(workers[0], signal.SIGKILL)
                # Its end takes a moment: what is connected meanwhile is cut as well.
                wait_until(partial(_is_gone, gate, workers[0]))
                cuts.append((now, time.monotonic()))
            time.sleep(
                max(0.0, min(end - time.monotonic(), now + _KILL_SECONDS - time.monotonic()))
            )
    wait_until(lambda: len(gate.workers()) == 2)
    note = f"{len(cuts)} killed; {site.recovered(gate)}"
    return Result.of(name, [load.tally], note, cuts)


def _drained(name: str, site: Site, seconds: float) -> Result:
    """One gate after another gets SIGTERM while it owes answers, for about `seconds` of load."""
    share = min(seconds, 1.5)
    tallies, owed, codes = list[Tally](), 0, set[int]()
    with site.faulty(Faults(latency=_DRAIN_LATENCY)):
        for _ in range(max(1, round(seconds / share))):
            with site.new_gate() as gate, Load(gate, site.images()) as load:
                time.sleep(share)
                owed += load.stop()
                gate.terminate()
                codes.add(gate.wait(20))
            tallies.append(load.tally)
    note = f"{len(tallies)} drains, {owed} in flight at SIGTERM, exit codes {sorted(codes)}"
    return Result.of(name, tallies, note)


def _rotated(name: str, site: Site, seconds: float) -> Result:
    directory = site.gate.tls
    names = Names.of_certificate(directory / "tls.crt")
    with Load(site.gate, site.images(), fresh=True) as load:
        for _ in range(_ROTATIONS):
            reissue(directory, names, days=1, replace=True, now=datetime.now(UTC))
            time.sleep(seconds / _ROTATIONS)
    note = f"{_ROTATIONS} rotations, {len(load.certificates)} certificates shown"
    return Result.of(name, [load.tally], note)


def _is_gone(gate: Server, worker: int) -> bool:
    return worker not in gate.workers()


def _at_once(
    faults: Faults, name: str, site: Site, seconds: float, *, different: int = _AT_ONCE
) -> Result:
    """A hundred reviews in one moment, each on a connection of its own; the usual time limit of 8 s."""
    _ = seconds
    images = [(Kind.REGISTRY, site.image(Kind.REGISTRY)) for _ in range(different)]
    with site.faulty(faults), site.new_gate(DEADLINE="8") as gate:
        with Load(gate, images, clients=_AT_ONCE, most=_AT_ONCE, fresh=True) as load:
            pass
        overdue = re.findall(
            rb"^stagepass_overdue_reviews_total (.+)$", gate.get("/metrics").body, re.M
        )
    return Result.of(name, [load.tally], f"{float(overdue[0]):.0f} got no thread in time")


FAULTS: Mapping[str, Fault] = {
    "none": _healthy,
    "registry refused": partial(_registry, lambda site: site.refused()),
    "registry hung": _behaving(Faults(hang=True)),
    "registry 1 byte/s": _behaving(Faults(trickle=1.0)),
    "registry truncating": _behaving(Faults(truncate=True)),
    "registry wrong digest": _behaving(Faults(lie=True)),
    "registry 401": _behaving(Faults(basic=("user", "password"))),
    "registry 403": _behaving(Faults(status=403)),
    "registry 404": _behaving(Faults(status=404), hidden=True),
    "registry 429": _behaving(Faults(status=429)),
    "registry 500": _behaving(Faults(status=500)),
    "registry lying now and then": partial(_registry, _now_and_then_a_lie),
    "1,000 policy writes": policy.replaced_faster,
    "1,000 policy reloads": policy.reloaded,
    "certificate rotated 100 x": _rotated,
    "worker killed (-9)": _killed,
    "SIGTERM drain": _drained,
    "disk full": disk.full,
    "cache read-only": disk.read_only,
    "cache is a file": disk.replaced,
    "clock stepped": clock.stepped,
    "100 at once, registry hung": partial(_at_once, Faults(hang=True)),
    "100 at once, registry slow": partial(_at_once, Faults(latency=_SLOW_LATENCY)),
    "100 of one image, hung": partial(_at_once, Faults(hang=True), different=1),
}
"""Each is given its name, a site that is well, and how long to last in seconds."""
