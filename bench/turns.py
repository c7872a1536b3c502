"""Turns: a set of images posted in turn, twice; the second time nothing should be read again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import sample
from bench.child import Child
from bench.figures import Goal, Is, Row, Section
from bench.load import Load, Outcome
from bench.pod import review
from bench.servers import GATE, WORKERS, Server
from bench.site import Site, namespace
from bench.store import REPOSITORY, Store

_PASSES = 3
_NONE = Goal(Is.AT_MOST, 0)
_NOTE = (
    "{images} distinct images with {passes} passes each, posted in turn, then all again;"
    " the in-memory registry counts. 'As shipped': both workers share evidence in STAGEPASS_CACHE_DIR, as"
    " in deploy/base; what comes from there is verified again. Without that directory each worker has"
    " what it read itself, and of two connections an image may take the other one the second time: no"
    " goal is set there. An API server keeps one connection, which one worker serves."
)


@dataclass(frozen=True, slots=True)
class _Way:
    """How the images are posted."""

    name: str
    clients: int
    has_cache: bool
    goal: Goal | None = None


_WAYS = (
    _Way("as shipped, 1 connection", 1, has_cache=True, goal=_NONE),
    _Way(f"as shipped, {WORKERS} workers", WORKERS, has_cache=True, goal=_NONE),
    _Way("without the directory, 1 connection", 1, has_cache=False, goal=_NONE),
    _Way(f"without the directory, {WORKERS} workers", WORKERS, has_cache=False),
)


def measure(root: Path, *, quick: bool) -> Section:
    """The table; `root` is an empty directory."""
    images = 8 if quick else 40
    rows: list[Row] = []
    with Child(Store) as store:
        host: str = store.call("host")
        site = Site.create(root / "turns", host)
        for number, way in enumerate(_WAYS):
            cache = _directory(site.root / f"cache{number}") if way.has_cache else None
            digests: list[str] = store.call("add", site, images, _PASSES)
            bodies = [
                review([f"{host}/{REPOSITORY}@{digest}"], namespace(_PASSES)) for digest in digests
            ]
            with (
                Server(GATE, site, "registry", cache) as gate,
                Child(Load, str(site.tls / "ca.crt")) as load,
            ):
                sample.connect(load, gate, way.clients)
                rows += _rows(way, [_pass(store, load, gate, way, bodies) for _ in range(2)])
    note = _NOTE.format(images=images, passes=_PASSES)
    title = "Turns: the same images again"
    return Section("turns", title, "second pass", "first pass", note, tuple(rows))


def _pass(store: Child, load: Child, gate: Server, way: _Way, bodies: list[bytes]) -> int:
    """Requests at the registry. Raises `AssertionError` where an image is not admitted."""
    before: int = store.call("requests")
    outcome: Outcome = load.call("each", gate.port, way.clients, bodies)
    assert not outcome.wrong, f"{len(outcome.wrong)} answers like {outcome.wrong[0]!r}"
    after: int = store.call("requests")
    return after - before


def _rows(way: _Way, counts: list[int]) -> list[Row]:
    return [Row(f"{way.name}: registry requests", "", counts[1], counts[0], goal=way.goal)]


def _directory(path: Path) -> Path:
    path.mkdir()
    return path
