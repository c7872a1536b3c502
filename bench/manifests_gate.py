"""One gate, one object of 50 KB: judged against its release, and by its images alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

from bench import released, sample, workload
from bench.child import Child
from bench.figures import Goal, Is, Row
from bench.load import Load, Outcome
from bench.pod import review_of
from bench.released import LIVE, PLAIN
from bench.sample import Sample
from bench.servers import GATE, WORKERS, Server
from stagepass.digest import Digest

_HOST = "registry.example.com"
_CPU = Goal(Is.AT_MOST, 2)
_OTHER = Digest.of(b"the image before")
_IMAGES = [f"{_HOST}/{name}@{Digest.of(name.encode())}" for name in ("shop/checkout", "shop/proxy")]

Run = Callable[[], Outcome]


def measure(root: Path, *, rounds: int, seconds: float, updates: int) -> list[Row]:
    """`updates` a round, each a new object of the same release."""
    site = released.create(root / "gate", _HOST)
    evidence = site.root / "evidence"
    signed = released.Signed.make(site, _HOST, [workload.deployment(_IMAGES, LIVE)])
    signed.write(evidence)
    revisions = count(2)
    rows: list[Row] = []
    with (
        Server(GATE, site, f"dir:{evidence}") as gate,
        Child(Load, str(site.tls / "ca.crt")) as load,
    ):
        for clients in (1, WORKERS * 4):
            who = f"{clients} client{'s' * (clients > 1)}"
            sample.connect(load, gate, clients)
            hold: list[Run] = [
                partial(load.call, "hold", gate.port, clients, _create(where), seconds)
                for where in (LIVE, PLAIN)
            ]
            kept = _rounds(gate, hold, rounds)
            rows += _rows(f"unchanged, {who}", kept)

            def changed(where: str, clients: int = clients) -> Outcome:
                bodies = [_update(where, next(revisions)) for _ in range(updates)]
                outcome: Outcome = load.call("each", gate.port, clients, bodies)
                return outcome

            fresh = _rounds(gate, [partial(changed, where) for where in (LIVE, PLAIN)], rounds)
            rows += _rows(f"changed, {who}", fresh)
            load.call("close", gate.port, clients)
    return rows


def _create(where: str) -> bytes:
    return review_of(workload.live(workload.deployment(_IMAGES, where)), "apps", "deployments")


def _update(where: str, revision: int) -> bytes:
    new = workload.live(workload.deployment(_IMAGES, where), revision)
    return review_of(new, "apps", "deployments", workload.before(new, _OTHER))


def _rounds(gate: Server, runs: list[Run], rounds: int) -> tuple[list[Sample], list[Sample]]:
    """Manifest and image alone in turn; who begins alternates. A first turn of each is not counted."""
    taken: tuple[list[Sample], list[Sample]] = ([], [])
    for run in runs:
        run()
    for turn in range(rounds):
        for index in (0, 1) if turn % 2 else (1, 0):
            taken[index].append(sample.take(gate, runs[index]))
    return taken


def _rows(who: str, taken: tuple[list[Sample], list[Sample]]) -> list[Row]:
    ours, reference = taken
    cpu = [[s.cpu_ms for s in samples] for samples in taken]
    p50 = [sample.percentile(samples, 50) for samples in (ours, reference)]
    return [
        sample.compare(f"{who}: CPU a review", "ms", cpu[0], cpu[1], _CPU),
        Row(f"{who}: latency p50", "ms", p50[0], p50[1], p50[0] / p50[1]),
    ]
