"""Warm: decisions from the cache, beside a static answer on the same server stack."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bench import sample
from bench.child import Child
from bench.figures import Goal, Is, Row, Section
from bench.load import Load
from bench.pod import review
from bench.sample import Sample
from bench.servers import GATE, STATIC, Server
from bench.site import Site, namespace
from stagepass.digest import Digest

_HOST, _PASSES = "registry.example.com", 3
_CPU = Goal(Is.AT_MOST, 1.25)
_RATE = Goal(Is.AT_LEAST, 0.85)
_NOTE = (
    "python -m webhook (2 workers, TLS, keep-alive), a Pod of {size} bytes with two images of three"
    " passes each, cache warm; the reference is a flask application that reads the body and answers"
    " one thing, under the same gunicorn settings (the gate answers reviews before flask"
    " sees them). {rounds} rounds of {seconds:g} s each, alternating;"
    " CPU is that of all processes of the server."
)


def measure(root: Path, *, quick: bool) -> Section:
    """The table; `root` is an empty directory."""
    rounds, seconds = (1, 0.2) if quick else (6, 1.2)
    site = Site.create(root / "warm", _HOST)
    evidence = site.root / "evidence"
    body = _review(site, evidence)
    rows: list[Row] = []
    with (
        Server(GATE, site, f"dir:{evidence}") as gate,
        Server(STATIC, site, f"dir:{evidence}") as static,
        Child(Load, str(site.tls / "ca.crt")) as load,
    ):
        for clients in (1, 8, 50):
            ours, reference = _rounds((gate, static), load, clients, body, rounds, seconds)
            rows += _rows(clients, ours, reference)
    note = _NOTE.format(size=len(body), rounds=rounds, seconds=seconds)
    return Section("warm", "Warm: a cached decision", "gate", "static", note, tuple(rows))


def _review(site: Site, evidence: Path) -> bytes:
    """Of a Pod whose two images have their passes in the evidence directory."""
    images = []
    for repository in ("shop/checkout", "shop/proxy"):
        name, digest = f"{_HOST}/{repository}", Digest.of(repository.encode())
        folder = evidence / f"sha256-{digest.hex}"
        folder.mkdir(parents=True)
        for number, bundle in enumerate(site.sign(name, digest, _PASSES)):
            (folder / f"{number}.sigstore.json").write_bytes(bundle)
        images.append(f"{name}@{digest}")
    return review(images, namespace(_PASSES))


def _rounds(
    servers: tuple[Server, Server],
    load: Child,
    clients: int,
    body: bytes,
    rounds: int,
    seconds: float,
) -> tuple[list[Sample], list[Sample]]:
    """Rounds on the gate and on the reference, in turn; who begins alternates too."""
    taken: tuple[list[Sample], list[Sample]] = ([], [])
    for server in servers:
        sample.connect(load, server, clients)
        load.call("hold", server.port, clients, body, 0.3)
    for turn in range(rounds):
        for index in (0, 1) if turn % 2 else (1, 0):
            hold = partial(load.call, "hold", servers[index].port, clients, body, seconds)
            taken[index].append(sample.take(servers[index], hold))
    for server in servers:
        load.call("close", server.port, clients)
    return taken


def _rows(clients: int, ours: list[Sample], reference: list[Sample]) -> list[Row]:
    cpu = [[s.cpu_ms for s in samples] for samples in (ours, reference)]
    rate = [[s.per_second for s in samples] for samples in (ours, reference)]
    who = f"{clients} client{'s' if clients > 1 else ''}"
    of_rate = _RATE if clients > 1 else None
    rows = [
        sample.compare(f"{who}: CPU a review", "ms", cpu[0], cpu[1], _CPU),
        sample.compare(f"{who}: reviews a second", "1/s", rate[0], rate[1], of_rate),
    ]
    for share in (50, 99):
        gate, static = sample.percentile(ours, share), sample.percentile(reference, share)
        rows.append(Row(f"{who}: latency p{share}", "ms", gate, static, gate / static))
    return rows
