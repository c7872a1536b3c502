"""Applier: what Git brings, beside raw server-side applies and kubectl on the same API server."""

from __future__ import annotations

import os
from pathlib import Path

from bench import applier_ceiling as ceiling
from bench import applier_fleet as fleet
from bench import applier_many as many
from bench.applier_ceiling import Ceiling
from bench.applier_fleet import Fleet
from bench.applier_many import Cold, Many
from bench.applier_site import POLL_SECONDS, Site
from bench.figures import Goal, Is, Row, Section
from tests.cluster import tools

_WHAT_CAN_BE, _ALL_OR_NOTHING = "what-can-be", "all-or-nothing"
_NEEDED = {"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"}
_TITLE = "Applier: from Git to the cluster"
_MISSING = "Not measured: the control plane is not built (`make tools` needs a Go toolchain)."
_NOTE = (
    "python -m applier, Git over smart HTTP, a real API server with its audit log at Metadata. The"
    " reference is, of {count} ConfigMaps, raw server-side apply over four kept connections ('raw') or"
    " `kubectl apply --server-side`, run just before. Cold is from the push, with a poll of {poll:g} s;"
    " a look from its LIST until the process rests; 'live' from the fetch to the answer of the last apply."
    " Requests are those in the audit log by user agent; CPU of the applier includes git. Sources apply"
    " what can be; all-or-nothing, the default, rehearses each object first. In brackets: Flux's"
    " kustomize-controller 1.9.5, measured earlier on such a machine, for the order of magnitude. Load"
    " average before, after the reference, after the one application, at the end: {load}."
)
_ZERO = Goal(Is.EXACTLY, 0)
_PEAK = Goal(Is.AT_MOST, 120)


def measure(root: Path, *, quick: bool) -> Section:
    """The table; `root` is an empty directory. Without a control plane it has no rows."""
    if not tools.binaries().keys() >= _NEEDED:
        return Section("applier", _TITLE, "applier", "", _MISSING, ())
    count, applications = (100, 8) if quick else (2000, 200)
    loads = [os.getloadavg()[0]]
    with Site(root / "many", [many.NAME], _WHAT_CAN_BE) as site:
        raw, kubectl = ceiling.raw(site.cluster, count), ceiling.kubectl(site.cluster, count, root)
        loads.append(os.getloadavg()[0])
        one = many.measure(site, count)
    loads.append(os.getloadavg()[0])
    with Site(root / "whole", [many.NAME], _ALL_OR_NOTHING) as site:
        whole = many.measure_cold(site, count)
    every = fleet.names(applications)
    with Site(root / "fleet", every, _WHAT_CAN_BE) as site:
        small = fleet.measure(site, every)
    loads.append(os.getloadavg()[0])
    rows = (
        *_cold_rows(one.cold, count, raw, kubectl),
        *_whole_rows(whole, count, raw),
        *_same_rows(one, count, raw, kubectl),
        *_fleet_rows(small, applications, raw.cold / count),
        *_waiting_rows(small),
    )
    load = " / ".join(f"{each:.1f}" for each in loads)
    note = _NOTE.format(count=count, poll=POLL_SECONDS, load=load)
    return Section("applier", _TITLE, "applier", "reference", note, rows)


def _cold_rows(cold: Cold, count: int, raw: Ceiling, kubectl: Ceiling) -> list[Row]:
    who, rate = f"{count} ConfigMaps cold", count / cold.seconds
    return [
        Row(f"{who} [20.7]", "s", cold.seconds, raw.cold, goal=_at_most(9)),
        Row(f"{who}: beside raw", "obj/s", rate, count / raw.cold, raw.cold / cold.seconds),
        Row(
            *(f"{who}: beside kubectl", "obj/s", rate, count / kubectl.cold),
            kubectl.cold / cold.seconds,
        ),
        Row(f"{who}: the first is live", "s", cold.first),
        Row(f"{who}: requests [6011]", "", len(cold.requests), count, goal=_at_most(count + 50)),
        Row(f"{who}: CPU, applier [8.8]", "s", cold.cost.applier),
        Row(f"{who}: CPU, API server [13.5]", "s", cold.cost.apiserver),
    ]


def _whole_rows(cold: Cold, count: int, raw: Ceiling) -> list[Row]:
    who = f"{count} cold, all-or-nothing"
    return [
        Row(f"{who} [20.7]", "s", cold.seconds, raw.cold),
        Row(f"{who}: requests [6011]", "", len(cold.requests), 2 * count),
    ]


def _same_rows(one: Many, count: int, raw: Ceiling, kubectl: Ceiling) -> list[Row]:
    same, writes = one.unchanged, sum(r.writes for r in one.unchanged.requests)
    who = f"{count} unchanged"
    return [
        Row(f"{who} [12.7]", "s", same.seconds, kubectl.unchanged, goal=_at_most(1)),
        Row(
            *(f"{who}: beside raw", "s", same.seconds, raw.unchanged),
            same.seconds / raw.unchanged,
        ),
        Row(f"{who}: requests [4009]", "", len(same.requests), count, goal=_at_most(5)),
        Row(f"{who}: writes", "", writes, goal=_ZERO),
        Row(f"one of {count} missing, live [11.2]", "s", one.drifted.seconds, goal=_at_most(1)),
        Row(f"{count} objects: peak memory [178]", "MiB", one.peak_mib, goal=_PEAK),
    ]


def _fleet_rows(small: Fleet, applications: int, raw: float) -> list[Row]:
    """`raw`: seconds for one ConfigMap."""
    who, objects = f"{applications} applications", 4 * applications
    requests = len(small.unchanged_requests)
    return [
        Row(f"{who} x 4 objects cold [27.1]", "s", small.cold, raw * objects, goal=_at_most(10)),
        Row(
            *(f"{who} cold: beside raw", "obj/s", objects / small.cold, 1 / raw),
            raw * objects / small.cold,
        ),
        Row(f"{who} cold: requests [4600]", "", len(small.cold_requests), objects),
        Row(f"{who} cold: CPU, applier [26.2]", "s", small.cold_cost.applier),
        Row(f"{who} cold: CPU, API server [18.9]", "s", small.cold_cost.apiserver),
        Row(f"{who}, unchanged [24.5]", "s", small.unchanged_seconds, goal=_at_most(2)),
        Row(f"{who}, unchanged: requests [3401]", "", requests, goal=_at_most(10)),
        Row(f"{who}, unchanged: CPU, applier [25.3]", "s", small.unchanged.applier),
        Row(f"one of {applications} changed, live [17.8]", "s", small.changed, goal=_at_most(1)),
        Row("the same, from the push", "s", small.pushed, goal=_at_most(POLL_SECONDS + 2)),
        Row(f"{who}: peak memory [220]", "MiB", small.peak_mib, goal=_PEAK),
    ]


def _waiting_rows(small: Fleet) -> list[Row]:
    return [
        Row("one of 20 objects changed, live [0.24-0.30]", "s", small.small, goal=_at_most(0.3)),
        Row("good revision behind one that waits [286]", "s", small.behind, goal=_at_most(2)),
        Row("application beside four that wait [44]", "s", small.beside, goal=_at_most(2)),
    ]


def _at_most(limit: float) -> Goal:
    return Goal(Is.AT_MOST, limit)
