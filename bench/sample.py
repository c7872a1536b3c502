"""Rounds against a server, with its CPU beside them, and what pairs of rounds say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from bench.child import Child
from bench.figures import Goal, Row
from bench.load import Outcome
from bench.servers import Server


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: CPU-ms of the server's processes a review, reviews a second, milliseconds each."""

    cpu_ms: float
    per_second: float
    latencies_ms: tuple[float, ...]


def connect(load: Child, server: Server, clients: int) -> None:
    """
    A set of connections, spread evenly over the workers.

    The kernel spreads them by a hash of the ports: with eight of them one worker may get seven, and
    two servers could not be compared. So more are opened than needed, and the surplus is closed.
    """
    by_worker: dict[int, list[int]] = {}
    kept: list[int] = []
    for _ in range(20):
        load.call("connect", server.port, clients)
        by_worker = {}
        for port, worker in server.clients().items():
            by_worker.setdefault(worker, []).append(port)
        shares = [ports[: -(-clients // 2)] for ports in by_worker.values()]
        kept = [port for share in shares for port in share][:clients]
        if len(kept) == clients:
            break
    load.call("keep", server.port, kept)
    assert len(kept) == clients, f"connections are spread {by_worker}"


def take(server: Server, run: Callable[[], Outcome]) -> Sample:
    """One round. Raises `AssertionError` where an answer is not an admission."""
    before = server.cpu_seconds()
    outcome = run()
    burnt = server.cpu_seconds() - before
    assert not outcome.wrong, f"{len(outcome.wrong)} answers like {outcome.wrong[0]!r}"
    reviews = len(outcome.latencies)
    return Sample(
        cpu_ms=burnt * 1000 / reviews,
        per_second=reviews / outcome.seconds,
        latencies_ms=tuple(latency * 1000 for latency in outcome.latencies),
    )


def compare(
    measure: str, unit: str, ours: Sequence[float], reference: Sequence[float], goal: Goal | None
) -> Row:
    """
    A row of medians over rounds; the goal is about their ratio.

    That is the median ratio of rounds which followed each other, so that what else the machine did
    meanwhile cancels out.
    """
    ratio = median(a / b for a, b in zip(ours, reference, strict=True))
    return Row(measure, unit, median(ours), median(reference), ratio, goal)


def percentile(samples: Sequence[Sample], share: int) -> float:
    """Of all latencies of these rounds, in ms; `share` in percent."""
    every = [latency for sample in samples for latency in sample.latencies_ms]
    return quantiles(every, n=100, method="inclusive")[share - 1]
