"""Cold manifest decisions: each of a release nobody has asked about, from the mirror or the registry."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bench import released, sample, workload
from bench.child import Child
from bench.figures import Goal, Is, Row
from bench.load import Load
from bench.pod import review_of
from bench.released import LIVE, Signed
from bench.sample import Sample
from bench.servers import GATE, WORKERS, Server
from bench.site import Site
from bench.store import REPOSITORY, Store

_NONE = Goal(Is.EXACTLY, 0)
_SETTINGS = 5


def measure(root: Path, *, releases: int) -> list[Row]:
    """As many releases, each of one object with an image of its own; at most 50 fit into a line."""
    with Child(Store) as store:
        host: str = store.call("host")
        site = released.create(root / "cold", host)
        digests: list[str] = store.call("add", site, releases, 0)
        objects = [
            workload.deployment([f"{host}/{REPOSITORY}@{digest}"], LIVE, _SETTINGS)
            for digest in digests
        ]
        mirror = site.root / "mirror"
        mirror.mkdir()
        for number, each in enumerate(objects):
            signed = Signed.make(site, host, [each])
            signed.pack(mirror, f"app-{number}")
            signed.push(host)
        bodies = [review_of(workload.live(each), "apps", "deployments") for each in objects]
        ours = _ask(site, store, f"mirror:{mirror},registry", bodies)
        registry = _ask(site, store, "registry", bodies)
    return _rows(ours, registry)


def _ask(site: Site, store: Child, evidence: str, bodies: list[bytes]) -> tuple[Sample, float]:
    """All of `bodies` once, at a gate that has just started; requests a review at the registry."""
    with Server(GATE, site, evidence) as gate, Child(Load, str(site.tls / "ca.crt")) as load:
        sample.connect(load, gate, WORKERS)
        before: int = store.call("requests")
        taken = sample.take(gate, partial(load.call, "each", gate.port, WORKERS, bodies))
        after: int = store.call("requests")
    return taken, (after - before) / len(bodies)


def _rows(ours: tuple[Sample, float], registry: tuple[Sample, float]) -> list[Row]:
    p50 = [sample.percentile([taken], 50) for taken, _ in (ours, registry)]
    return [
        Row("cold, mirror: registry requests a review", "", ours[1], registry[1], goal=_NONE),
        Row("cold, mirror: CPU a review", "ms", ours[0].cpu_ms, registry[0].cpu_ms),
        Row("cold, mirror: latency p50", "ms", p50[0], p50[1]),
    ]
