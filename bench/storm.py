"""Storm: many reviews of one new digest at the same moment, as when a large Deployment rolls out."""

from __future__ import annotations

from pathlib import Path

from bench.child import Child
from bench.figures import Goal, Is, Row, Section
from bench.load import Load, Outcome
from bench.pod import review
from bench.servers import GATE, WORKERS, Server
from bench.site import Site, namespace
from bench.store import REPOSITORY, Store

LATENCY_SECONDS = 0.02
_PASSES = 3
_READS = WORKERS * (1 + 2 * _PASSES)
_NONE = Goal(Is.AT_MOST, 0)
_NOTE = (
    "{clients} kept connections post one review each at once, all of one new digest with {passes} passes;"
    " python -m webhook has {workers} workers, the in-memory registry waits {latency:g} ms before each"
    " answer and counts. The reference is one listing, N manifests and N blobs for each worker. 'As"
    " shipped': the workers share evidence in STAGEPASS_CACHE_DIR. The worst of {rounds} storms."
)


def measure(root: Path, *, quick: bool) -> Section:
    """The table; `root` is an empty directory."""
    clients, rounds = (40, 1) if quick else (500, 3)
    rows: list[Row] = []
    with Child(Store) as store:
        host: str = store.call("host")
        site = Site.create(root / "storm", host)
        store.call("slow_down", LATENCY_SECONDS)
        shared = root / "storm-cache"
        shared.mkdir()
        for way, cache in (("as shipped", shared), ("without the directory", None)):
            with (
                Server(GATE, site, "registry", cache) as gate,
                Child(Load, str(site.tls / "ca.crt")) as load,
            ):
                load.call("keep", gate.port, load.call("connect", gate.port, clients))
                storms = [_storm(store, load, gate, site, clients) for _ in range(rounds)]
            rows += _rows(f"{way}, {clients} reviews", storms)
    note = _NOTE.format(
        clients=clients,
        passes=_PASSES,
        workers=WORKERS,
        latency=LATENCY_SECONDS * 1000,
        rounds=rounds,
    )
    return Section("storm", "Storm: one new digest", "gate", "a set a worker", note, tuple(rows))


def _storm(
    store: Child, load: Child, gate: Server, site: Site, clients: int
) -> tuple[int, Outcome]:
    """Requests at the registry, and what the clients saw."""
    (digest,) = store.call("add", site, 1, _PASSES)
    body = review([f"{store.call('host')}/{REPOSITORY}@{digest}"], namespace(_PASSES))
    before: int = store.call("requests")
    outcome: Outcome = load.call("each", gate.port, clients, [body] * clients)
    after: int = store.call("requests")
    return after - before, outcome


def _rows(who: str, storms: list[tuple[int, Outcome]]) -> tuple[Row, ...]:
    counts = [count for count, _ in storms]
    wrong = max(len(outcome.wrong) for _, outcome in storms)
    slowest = max(latency for _, outcome in storms for latency in outcome.latencies)
    goal = Goal(Is.AT_MOST, _READS)
    return (
        Row(f"{who}: registry requests", "", max(counts), _READS, goal=goal),
        Row(f"{who}: not admitted", "", wrong, goal=_NONE),
        Row(f"{who}: the slowest", "ms", slowest * 1000),
    )
