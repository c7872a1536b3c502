"""Memory: what a worker holds after many reviews of many digests."""

from __future__ import annotations

from pathlib import Path
from random import Random

from bench import processes, sample
from bench.child import Child
from bench.figures import Goal, Is, Row, Section
from bench.load import Load, Outcome
from bench.pod import review
from bench.servers import GATE, WORKERS, Server
from bench.site import Site, namespace
from stagepass.digest import Digest

_HOST, _PASSES = "registry.example.com", 1
_NAME = f"{_HOST}/shop/checkout"
_HELD = Goal(Is.AT_MOST, 128)
_FLAT = Goal(Is.AT_MOST, 1.02)
_NOTE = (
    "VmRSS of the largest of {workers} workers after {reviews} reviews over {digests} digests ({size}),"
    " shuffled anew each time round. Each image has one pass in an evidence directory and is admitted,"
    " so every decision is kept: that on the image and that on the Pod, at most 10,000 of each. No"
    " registry is asked. To each worker half of the digests come each time round: after five times, and"
    " so after half of the reviews, 1 in 32 has never come to it. These are what is still gained."
)


def measure(root: Path, *, quick: bool, long: bool) -> Section:
    """The table; `root` is an empty directory."""
    turns, count, size = 10, 500, "--long: 100,000 over 10,000"
    if quick:
        count, size = 50, "--quick"
    elif long:
        count, size = 10_000, "--long"
    site = Site.create(root / "memory", _HOST)
    evidence = site.root / "evidence"
    bodies = [_review(site, evidence, number) for number in range(count)]
    held: list[float] = []
    with (
        Server(GATE, site, f"dir:{evidence}") as gate,
        Child(Load, str(site.tls / "ca.crt")) as load,
    ):
        sample.connect(load, gate, WORKERS)
        held.append(_held(gate))
        for turn in range(turns):
            _post(load, gate, Random(turn).sample(bodies, count))  # noqa: S311  # an order
            held.append(_held(gate))
    note = _NOTE.format(workers=WORKERS, reviews=turns * count, digests=count, size=size)
    rows = _rows(held, turns * count)
    return Section("memory", "Memory: one worker", "at the end", "earlier", note, rows)


def _review(site: Site, evidence: Path, number: int) -> bytes:
    """Of a Pod whose image has its pass in the evidence directory."""
    digest = Digest.of(b"%d" % number)
    folder = evidence / f"sha256-{digest.hex}"
    folder.mkdir(parents=True)
    (bundle,) = site.sign(_NAME, digest, _PASSES)
    (folder / "0.sigstore.json").write_bytes(bundle)
    return review([f"{_NAME}@{digest}"], namespace(_PASSES))


def _post(load: Child, gate: Server, bodies: list[bytes]) -> None:
    outcome: Outcome = load.call("each", gate.port, WORKERS, bodies)
    assert not outcome.wrong, f"{len(outcome.wrong)} answers like {outcome.wrong[0]!r}"


def _held(gate: Server) -> float:
    """MiB of the worker that holds most."""
    return max(processes.resident_mib(pid) for pid in set(gate.clients().values()))


def _rows(held: list[float], reviews: int) -> tuple[Row, ...]:
    turns = len(held) - 1
    start, half, end = held[0], held[turns // 2], held[-1]
    later = range(turns // 2, turns)
    return (
        Row(f"after {reviews} reviews (at the start)", "MiB", end, start, goal=_HELD),
        *(Row(f"after {turn * 100 // turns} %", "MiB", held[turn], start) for turn in later),
        Row("over the last half", "MiB", end, half, end / half, goal=_FLAT),
    )
