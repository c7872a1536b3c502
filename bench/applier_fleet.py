"""Many small applications in one repository: cold, unchanged, one changed, and some that wait."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.applier_audit import Request
from bench.applier_site import APPLIER, HOST, NOTHING, Applier, Cost, Site
from stagepass.digest import Digest

_REST_SECONDS = 3.0


@dataclass(slots=True)
class Fleet:
    """Seconds, and requests of the applier. What is live is so after the fetch, or after the push."""

    cold: float = 0.0
    cold_requests: Sequence[Request] = ()
    cold_cost: Cost = NOTHING
    unchanged: Cost = NOTHING
    unchanged_seconds: float = 0.0
    unchanged_requests: Sequence[Request] = ()
    changed: float = 0.0
    pushed: float = 0.0
    small: float = 0.0
    behind: float = 0.0
    beside: float = 0.0
    peak_mib: float = 0.0


def names(count: int) -> list[str]:
    """Of the applications."""
    return [f"a{number:03}" for number in range(count)]


def objects(name: str, *, colour: str = "blue", replicas: int = 0) -> str:
    """A ConfigMap, a ServiceAccount, a Service and a Deployment, by default without Pods."""
    image = f"{HOST}/{name}/web@{Digest.of(name.encode())}"
    pod = {"serviceAccountName": name, "containers": [{"name": "main", "image": image}]}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    found = [
        _object("v1", "ConfigMap", name, data={"colour": colour}),
        _object("v1", "ServiceAccount", name),
        _object("v1", "Service", name, spec={"selector": {"app": name}, "ports": ports}),
        _object("apps/v1", "Deployment", name, spec=spec),
    ]
    return "---\n".join(json.dumps(each) + "\n" for each in found)


def _object(version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "fleet"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def measure(site: Site, every: list[str]) -> Fleet:
    """One process for all of it."""
    fleet = Fleet()
    with Applier(site, "fleet-state") as applier:
        _cold(site, applier, every, fleet)
        _unchanged(site, applier, fleet)
        name = every[len(every) // 2]
        fleet.changed, fleet.pushed = _live(site, applier, {name: objects(name, colour="red")})
        _small(site, applier, every[0], fleet)
        _waiting(site, applier, every, fleet)
        fleet.peak_mib = applier.peak_mib
    return fleet


def _cold(site: Site, applier: Applier, every: list[str], fleet: Fleet) -> None:
    site.commit({f"{name}/README": "none yet\n" for name in every})
    applier.wait(lambda: all(f"{name}.live" in applier.applied for name in every))
    mark, before, start = site.audit.mark(), applier.cost(), time.time()
    commit = site.commit({f"{name}/objects.yaml": objects(name) for name in every})
    applier.wait_applied(every, commit)
    after = applier.cost()
    fleet.cold_requests = site.audit.since(mark, APPLIER)
    fleet.cold = _last_write(fleet.cold_requests) - start
    fleet.cold_cost = after.since(before)
    applier.wait(lambda: all(applier.applied[f"{name}.live"][1] is None for name in every))
    _rest(applier)


def _unchanged(site: Site, applier: Applier, fleet: Fleet) -> None:
    """A new revision that touches nobody: until the process rests after the fetch."""
    mark, before = site.audit.mark(), applier.cost()
    fetched = site.fetched_at(applier.state)
    site.commit({"README": "another revision\n"})
    while (now := site.fetched_at(applier.state)) == fetched:
        time.sleep(0.005)
    end, burnt = time.time(), applier.busy_seconds()
    while time.time() - end < 0.25:  # a look at Git burns 5 ms
        if applier.busy_seconds() - burnt > 0.02:
            end, burnt = time.time(), applier.busy_seconds()
        time.sleep(0.005)
    after = applier.cost()
    fleet.unchanged = after.since(before)
    fleet.unchanged_requests = site.audit.since(mark, APPLIER)
    fleet.unchanged_seconds = max([end, *(r.answered for r in fleet.unchanged_requests)]) - now


def _live(site: Site, applier: Applier, changes: dict[str, str]) -> tuple[float, float]:
    """Seconds until the last of those applications' objects is written: from the fetch, the push."""
    mark, start = site.audit.mark(), time.time()
    commit = site.commit({f"{name}/objects.yaml": text for name, text in changes.items()})
    applier.wait_applied(changes, commit)
    end = _last_write(site.audit.since(mark, APPLIER))
    return end - site.fetched_at(applier.state), end - start


def _small(site: Site, applier: Applier, name: str, fleet: Fleet) -> None:
    """Twenty objects, of which one changes, in an applier that has nothing else to do."""
    rest = [_object("v1", "ConfigMap", f"{name}-{n}", data={"n": str(n)}) for n in range(16)]
    more = "".join(f"---\n{json.dumps(each)}\n" for each in rest)
    _live(site, applier, {name: objects(name) + more})
    seconds = []
    for colour in ("red", "green", "white", "black", "grey"):
        _rest(applier)
        text = objects(name, colour=colour) + more
        seconds.append(_live(site, applier, {name: text})[0])
    fleet.small = sorted(seconds)[2]


def _waiting(site: Site, applier: Applier, every: list[str], fleet: Fleet) -> None:
    """Deployments whose Pods never come: behind one of them, and beside four."""
    stuck = every[1:5]
    _live(site, applier, {name: objects(name, replicas=1) for name in stuck})
    wanted = {f"{name}.live" for name in stuck}
    applier.wait(lambda: all(applier.applied[n][1] == "PROGRESSING" for n in wanted))
    fleet.behind, _ = _live(site, applier, {stuck[0]: objects(stuck[0], colour="red")})
    fleet.beside, _ = _live(site, applier, {every[-1]: objects(every[-1], colour="red")})


def _last_write(requests: Sequence[Request]) -> float:
    return max(r.answered for r in requests if r.wrote_in("fleet"))


def _rest(applier: Applier) -> None:
    """Until it has nothing to do."""
    end, burnt = time.time() + _REST_SECONDS, applier.busy_seconds()
    while time.time() < end:
        time.sleep(0.2)
        now = applier.busy_seconds()
        if now - burnt < 0.03:
            return
        burnt = now
