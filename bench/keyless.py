"""Keyless: a certificate verified beside sigstore's own verifier, and what identities cost a gate."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random

from bench import keyless_verify, processes, sample
from bench.child import Child
from bench.figures import Goal, Is, Row, Section
from bench.keyless_site import KeylessSite, write
from bench.load import Load, Outcome
from bench.pod import review
from bench.sample import Sample
from bench.servers import GATE, WORKERS, Server
from bench.site import Site, namespace
from stagepass.digest import Digest

_HOST, _PASSES = "registry.example.com", 3
_NAME = f"{_HOST}/shop/checkout"
_SAME = Goal(Is.AT_MOST, 1.05)
_PLAIN, _WITH = Goal(Is.AT_MOST, 60), Goal(Is.AT_MOST, 110)
_NOTE = (
    "CPU a bundle: bytes to Attestation by the key ring (strict reading, chain, log, time, signature,"
    " identity with a claim, statement), beside sigstore's Verifier.verify_dsse(Bundle.from_json(...)) with"
    " policy.Identity on the same bundle of a private instance, alternating in one process, {pairs} pairs."
    " Warm: one gate ({workers} workers, TLS) whose attestors have a key and an identity each, a Pod of one"
    " image with three passes by identities, beside the same with passes by keys, {rounds} rounds. Memory:"
    " VmRSS of the largest worker at the start and after {reviews} reviews of {digests} digests in an"
    " evidence directory, of a set with keys alone and of one with identities and one trust root."
)


def measure(root: Path, *, quick: bool) -> Section:
    """The table; `root` is an empty directory."""
    pairs, rounds, seconds = (3, 1, 0.2) if quick else (40, 8, 1.0)
    digests, turns = (20, 1) if quick else (1000, 4)
    rows: list[Row] = [
        *keyless_verify.measure(rounds=pairs, batch=2 if quick else 10),
        *_warm(root / "keyless-warm", rounds, seconds),
        *_memory(root / "keyless-memory", digests, turns),
    ]
    note = _NOTE.format(
        pairs=pairs, workers=WORKERS, rounds=rounds, reviews=digests * turns, digests=digests
    )
    title = "Keyless: certificates instead of keys"
    return Section("keyless", title, "keyless", "reference", note, tuple(rows))


def _warm(root: Path, rounds: int, seconds: float) -> list[Row]:
    keyless = KeylessSite.create(root, _HOST)
    evidence = keyless.site.root / "evidence"
    bodies = []
    for who, sign in (("identity", keyless.sign), ("key", keyless.site.sign)):
        digest = Digest.of(who.encode())
        write(evidence, digest, sign(_NAME, digest, _PASSES))
        bodies.append(review([f"{_NAME}@{digest}"], namespace(_PASSES)))
    taken: tuple[list[Sample], list[Sample]] = ([], [])
    with (
        Server(GATE, keyless.site, f"dir:{evidence}") as gate,
        Child(Load, str(keyless.site.tls / "ca.crt")) as load,
    ):
        clients = WORKERS * 4
        sample.connect(load, gate, clients)
        for body in bodies:
            load.call("hold", gate.port, clients, body, 0.3)
        for turn in range(rounds):
            for index in (0, 1) if turn % 2 else (1, 0):
                hold = partial(load.call, "hold", gate.port, clients, bodies[index], seconds)
                taken[index].append(sample.take(gate, hold))
    cpu = [[each.cpu_ms for each in samples] for samples in taken]
    rate = [[each.per_second for each in samples] for samples in taken]
    return [
        sample.compare("warm, reference keys: CPU a review", "ms", cpu[0], cpu[1], _SAME),
        sample.compare("warm, reference keys: reviews a second", "1/s", rate[0], rate[1], None),
    ]


def _memory(root: Path, digests: int, turns: int) -> list[Row]:
    plain = Site.create(root / "keys", _HOST)
    keyless = KeylessSite.create(root / "identities", _HOST)
    rows = []
    for what, site, sign, goal in (
        ("keys alone", plain, plain.sign, _PLAIN),
        ("identities", keyless.site, keyless.sign, _WITH),
    ):
        evidence = site.root / "evidence"
        bodies = []
        for number in range(digests):
            digest = Digest.of(b"%d" % number)
            write(evidence, digest, sign(_NAME, digest, 1))
            bodies.append(review([f"{_NAME}@{digest}"], namespace(1)))
        start, end = _held(site, evidence, bodies, turns)
        rows.append(Row(f"worker, {what} (at the start)", "MiB", end, start, goal=goal))
    return rows


def _held(site: Site, evidence: Path, bodies: list[bytes], turns: int) -> tuple[float, float]:
    """MiB of the worker that holds most, before and after the reviews."""
    with (
        Server(GATE, site, f"dir:{evidence}") as gate,
        Child(Load, str(site.tls / "ca.crt")) as load,
    ):
        sample.connect(load, gate, WORKERS)
        workers = set(gate.clients().values())
        start = max(map(processes.resident_mib, workers))
        for turn in range(turns):
            shuffled = Random(turn).sample(bodies, len(bodies))  # noqa: S311  # an order
            outcome: Outcome = load.call("each", gate.port, WORKERS, shuffled)
            assert not outcome.wrong, f"{len(outcome.wrong)} answers like {outcome.wrong[0]!r}"
        return start, max(map(processes.resident_mib, workers))
