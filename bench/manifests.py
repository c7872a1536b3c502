"""Manifests: what it costs that an object must be as it was released, beside judging its images alone."""

from __future__ import annotations

from pathlib import Path

from bench import manifests_build, manifests_cold, manifests_gate
from bench.figures import Row, Section

_NOTE = (
    "python -m webhook (2 workers, TLS, keep-alive), a Deployment of 50 KB with two images of three passes"
    " each. The reference of the first rows is the same gate and object in a stage that judges images"
    " alone, alternating, {rounds} rounds: 'unchanged' posts one creation again and again; 'changed' posts"
    " updates to the released object that each note another revision, so that none is in the cache of"
    " objects and each is compared, with the release and the images in memory. The reference of the"
    " digest is the rfc8785 package. A release is built, signed into a directory and verified by whole"
    " processes. Cold: {releases} releases of one small object, each with an image of three passes, asked"
    " for once at a gate that has just started; the reference has the registry alone."
)


def measure(root: Path, *, quick: bool) -> Section:
    """The table; `root` is an empty directory."""
    rounds, releases = (1, 4) if quick else (6, 40)
    seconds, updates, objects = (0.2, 10, 40) if quick else (1.0, 100, 1000)
    own = root / "manifests"
    rows: list[Row] = [
        *manifests_gate.measure(own, rounds=rounds, seconds=seconds, updates=updates),
        *manifests_build.digests(rounds=rounds),
        *manifests_build.release(own, objects=objects),
        *manifests_cold.measure(own, releases=releases),
    ]
    note = _NOTE.format(rounds=rounds, releases=releases)
    title = "Manifests: an object as it was released"
    return Section("manifests", title, "manifest", "reference", note, tuple(rows))
