"""Cold: every review a new digest, beside a bare loop that fetches and verifies the same passes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench import processes, sample
from bench.child import Child
from bench.figures import Goal, Is, Row, Section
from bench.load import Load
from bench.loop import Loop
from bench.pod import review
from bench.sample import Sample
from bench.servers import GATE, Server
from bench.site import Site, namespace
from bench.store import REPOSITORY, Store

LATENCY_SECONDS = 0.02
_CPU = Goal(Is.AT_MOST, 1.5)
# Listing, manifests and blobs are three deep; half a round trip for all that is not waiting.
_TRIPS = Goal(Is.AT_MOST, 3.5)
_NOTE = (
    "python -m webhook (2 workers) asks an in-memory registry in a process of its own, which waits 0 or"
    " {latency:g} ms before each answer; a Pod with one image of N passes, every review a new digest."
    " The reference is one process that gets the referrers, N manifests and N blobs over one kept"
    " connection, hashes them, and verifies N signatures: no server, no policy. CPU is that of all"
    " processes of the gate, or of the loop; {rounds} rounds on the same images, alternating."
)


@dataclass(frozen=True, slots=True)
class _Cell:
    """One way to ask: the registry's latency in seconds, clients, rounds, images a round."""

    latency: float
    clients: int
    rounds: int
    images: int


_FULL = (_Cell(0, 1, 5, 50), _Cell(0, 8, 5, 80), _Cell(LATENCY_SECONDS, 1, 4, 16))
_QUICK = (_Cell(0, 1, 1, 4), _Cell(0, 8, 1, 8), _Cell(LATENCY_SECONDS, 1, 1, 2))


@dataclass(frozen=True, slots=True)
class _Rounds:
    """What the rounds of one cell gave: ours, the loop's, and requests a review at the registry."""

    ours: list[Sample]
    loop: list[Sample]
    requests: list[float]


@dataclass(frozen=True, slots=True)
class _Bench:
    """Everything that runs."""

    site: Site
    host: str
    gate: Server
    load: Child
    store: Child
    loop: Child

    def rounds(self, cell: _Cell, passes: int) -> _Rounds:
        self.store.call("slow_down", 0.0)
        spare = self._reviews(self._images(8 * cell.clients, passes), passes)
        sample.connect(self.load, self.gate, cell.clients)
        self.load.call("each", self.gate.port, cell.clients, spare)
        self.store.call("slow_down", cell.latency)
        ours, loop, counts = list[Sample](), list[Sample](), list[float]()
        for _ in range(cell.rounds):
            digests = self._images(cell.images, passes)
            bodies = self._reviews(digests, passes)
            before: int = self.store.call("requests")
            run = partial(self.load.call, "each", self.gate.port, cell.clients, bodies)
            ours.append(sample.take(self.gate, run))
            asked: int = self.store.call("requests") - before
            counts.append(asked / len(digests))
            loop.append(self._loop(digests, passes))
        self.load.call("close", self.gate.port, cell.clients)
        return _Rounds(ours, loop, counts)

    def _images(self, count: int, passes: int) -> list[str]:
        digests: list[str] = self.store.call("add", self.site, count, passes)
        return digests

    def _reviews(self, digests: list[str], passes: int) -> list[bytes]:
        images = (f"{self.host}/{REPOSITORY}@{digest}" for digest in digests)
        return [review([image], namespace(passes)) for image in images]

    def _loop(self, digests: list[str], passes: int) -> Sample:
        before = processes.cpu_seconds([self.loop.pid])
        took: list[float] = self.loop.call("verify", digests, passes)
        burnt = processes.cpu_seconds([self.loop.pid]) - before
        return Sample(
            burnt * 1000 / len(took), len(took) / sum(took), tuple(t * 1000 for t in took)
        )


def measure(root: Path, *, quick: bool) -> Section:
    """The table; `root` is an empty directory."""
    cells = _QUICK if quick else _FULL
    rows: list[Row] = []
    with Child(Store) as store:
        host: str = store.call("host")
        site = Site.create(root / "cold", host)
        with (
            Server(GATE, site, "registry") as gate,
            Child(Load, str(site.tls / "ca.crt")) as load,
            Child(Loop, host, REPOSITORY, site.public_keys()) as loop,
        ):
            bench = _Bench(site, host, gate, load, store, loop)
            for passes in (1, 3, 6):
                rows += _rows(passes, {cell: bench.rounds(cell, passes) for cell in cells})
    note = _NOTE.format(latency=LATENCY_SECONDS * 1000, rounds=cells[0].rounds)
    return Section("cold", "Cold: a new digest", "gate", "loop", note, tuple(rows))


def _rows(passes: int, by_cell: dict[_Cell, _Rounds]) -> list[Row]:
    who = f"{passes} pass{'es' if passes > 1 else ''}"
    rows = [_requests(who, passes, [count for r in by_cell.values() for count in r.requests])]
    for cell, rounds in by_cell.items():
        how = f"{who}, {cell.latency * 1000:g} ms, {cell.clients} client{'s' * (cell.clients > 1)}"
        cpu = [[s.cpu_ms for s in samples] for samples in (rounds.ours, rounds.loop)]
        rows.append(sample.compare(f"{how}: CPU a review", "ms", cpu[0], cpu[1], _CPU))
        if cell.clients > 1:
            rate = median(s.per_second for s in rounds.ours)
            rows.append(Row(f"{how}: reviews a second", "1/s", rate))
            continue
        ours, loop = (sample.percentile(samples, 50) for samples in (rounds.ours, rounds.loop))
        rows.append(Row(f"{how}: latency p50", "ms", ours, loop))
        if cell.latency:
            unit = cell.latency * 1000
            rows.append(
                Row(f"{how}: p50 in round trips", "", ours / unit, loop / unit, goal=_TRIPS)
            )
    return rows


def _requests(who: str, passes: int, counts: list[float]) -> Row:
    """Of all rounds, the figure that is furthest from the goal."""
    wanted = 1 + 2 * passes
    worst = max(counts, key=lambda count: abs(count - wanted))
    goal = Goal(Is.EXACTLY, wanted)
    return Row(f"{who}: requests a review", "", worst, wanted, goal=goal)
