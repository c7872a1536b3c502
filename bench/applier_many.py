"""One application of 2,000 ConfigMaps: cold, as it should be, and with one object drifted."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import applier_ceiling as ceiling
from bench.applier_audit import Request
from bench.applier_site import APPLIER, Applier, Cost, Site

NAME = "many"
_LOOK_SECONDS = 4.0
_IDLE_SECONDS, _IDLE_CPU = 0.1, 0.01


@dataclass(frozen=True, slots=True)
class Cold:
    """From the push to all objects live; `first` is the first one."""

    seconds: float
    first: float
    requests: Sequence[Request]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Look:
    """Of what is as it should be, from its LIST until the process rests."""

    seconds: float
    requests: Sequence[Request]


@dataclass(frozen=True, slots=True)
class Many:
    """`drifted` is from the LIST that sees the drift to the answer of the apply that mends it."""

    cold: Cold
    unchanged: Look
    drifted: Look
    peak_mib: float


def measure(site: Site, count: int) -> Many:
    """A process of its own, which looks every few seconds."""
    with Applier(site, "many-state", _LOOK_SECONDS) as applier:
        cold = _cold(site, applier, count)
        looks = [_unchanged(site, applier) for _ in range(3)]
        unchanged = sorted(looks, key=lambda look: look.seconds)[1]
        return Many(cold, unchanged, _drifted(site), applier.peak_mib)


def measure_cold(site: Site, count: int) -> Cold:
    """Only that, in a process of its own."""
    with Applier(site, "many-state") as applier:
        return _cold(site, applier, count)


def _cold(site: Site, applier: Applier, count: int) -> Cold:
    bodies = [json.dumps(ceiling.config_map(number, "fleet")) for number in range(count)]
    text = "---\n".join(f"{body}\n" for body in bodies)
    site.commit({f"{NAME}/README": "none yet\n"})
    applier.wait(lambda: f"{NAME}.live" in applier.applied)
    mark, before, start = site.audit.mark(), applier.cost(), time.time()
    commit = site.commit({f"{NAME}/objects.yaml": text})
    applier.wait_applied([NAME], commit)
    after = applier.cost()
    requests = site.audit.since(mark, APPLIER)
    writes = [r.answered for r in requests if r.wrote_in("fleet")]
    return Cold(max(writes) - start, min(writes) - start, requests, after.since(before))


def _unchanged(site: Site, applier: Applier) -> Look:
    """The first look that starts from now on."""
    mark = site.audit.mark()
    while not (found := _lists(site.audit.since(mark, APPLIER))):
        time.sleep(0.005)
    end, burnt = time.time(), applier.busy_seconds()
    while time.time() - end < _IDLE_SECONDS:
        now = applier.busy_seconds()
        if now - burnt > _IDLE_CPU:
            end, burnt = time.time(), now
        time.sleep(0.005)
    time.sleep(1.5)  # what else it asks in this look
    return Look(end - found[0].received, site.audit.since(mark, APPLIER))


def _drifted(site: Site) -> Look:
    """One object is deleted: from the LIST that shows it until it is there again, three times."""
    looks = []
    for number in range(3):
        name, mark = f"cm-{number:04}", site.audit.mark()
        site.cluster.kubectl("-n", "fleet", "delete", "configmap", name)
        while not (mended := _mended(site.audit.since(mark, APPLIER), name)):
            time.sleep(0.05)
        time.sleep(1.0)
        requests = site.audit.since(mark, APPLIER)
        lists = [r for r in _lists(requests) if r.received < mended[0].received]
        looks.append(Look(mended[0].answered - lists[-1].received, requests))
    return sorted(looks, key=lambda look: look.seconds)[1]


def _lists(requests: Sequence[Request]) -> list[Request]:
    return [r for r in requests if (r.verb, r.resource, r.namespace) == ("list", "configmaps", "")]


def _mended(requests: Sequence[Request], name: str) -> list[Request]:
    return [r for r in requests if r.wrote_in("fleet") and r.name == name]
