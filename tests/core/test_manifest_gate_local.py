"""What lies beside the gate is read before a registry is asked, and what it knows starts no thread."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stagepass.cache import DecisionCache
from stagepass.decision import Answer
from stagepass.diskcache import EvidenceCache
from stagepass.release.book import ReleaseBook
from stagepass.release.shelf import Shelf
from stagepass.release.store import ReleaseSource
from stagepass.verifier import Verifier
from tests.core.gated import World, gated
from tests.core.test_manifest_gate_sources import Counted, source_of
from tests.release.samples import CONFIG, DEPLOYMENT, altered

REPOSITORY = {"from": ["ci"], "repository": "registry.example.com/shop/releases"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "here", gated({"pipeline.stages.2.release": REPOSITORY}))


def coloured(number: int) -> dict[str, object]:
    return altered(CONFIG, data__colour=str(number))


@pytest.mark.parametrize("count", [2, 12])
def test_every_release_of_a_directory_is_found_without_a_registry(world: World, count: int) -> None:
    """Also those that were listed with another one, and not opened."""
    for number in range(count):
        world.released(coloured(number), altered(DEPLOYMENT, spec__replicas=number + 3))
    remote = Counted(world.root)
    sources = ReleaseSource.directory(world.root), source_of(remote, is_remote=True)
    verifier = world.verifier(*sources)

    for number in reversed(range(count)):
        assert world.judge(coloured(number), verifier=verifier).answer is Answer.ADMITTED
        replicas = altered(DEPLOYMENT, spec__replicas=number + 3)
        assert world.judge(replicas, verifier=verifier).answer is Answer.ADMITTED
    assert remote.asked == []


def test_what_a_directory_does_not_hold_is_asked_for(world: World, tmp_path: Path) -> None:
    world.released(coloured(1), DEPLOYMENT)
    elsewhere = World(tmp_path / "there", world.policy)
    elsewhere.released(coloured(2), DEPLOYMENT)
    remote = Counted(elsewhere.root)
    sources = ReleaseSource.directory(world.root), source_of(remote, is_remote=True)
    verifier = world.verifier(*sources)

    assert world.judge(coloured(1), verifier=verifier).answer is Answer.ADMITTED
    assert world.judge(coloured(2), verifier=verifier).answer is Answer.ADMITTED
    assert (remote.lists, remote.blobs) == (1, 1)


def test_what_a_store_kept_is_found_while_a_registry_hangs(world: World, tmp_path: Path) -> None:
    """Known, and no longer open: its objects are on the disk."""
    for number in range(3):
        world.released(coloured(number), altered(DEPLOYMENT, spec__replicas=number + 3))
    (tmp_path / "cache").mkdir()
    store, remote = EvidenceCache(tmp_path / "cache"), Counted(world.root)
    source = source_of(remote, is_remote=True)
    book = ReleaseBook(world.policy, (source,), Shelf(max_bytes=1), store)

    def verifier() -> Verifier:
        """With nothing decided."""
        return Verifier(world.policy, [source.bundles], DecisionCache(), store, releases=book)

    for number in range(3):
        assert world.judge(coloured(number), verifier=verifier()).answer is Answer.ADMITTED
    remote.asked.clear()
    remote.slow = threading.Event()

    for number in range(3):
        found = world.judge(coloured(number), verifier=verifier(), seconds=1.5)
        assert found.answer is Answer.ADMITTED
    assert remote.asked == []


def test_images_that_are_known_start_no_thread(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each update of an object names images that were admitted before."""
    world.released(DEPLOYMENT, altered(DEPLOYMENT, metadata__name="second"))
    verifier = world.verifier()
    assert world.judge(DEPLOYMENT, verifier=verifier).answer is Answer.ADMITTED
    started: list[threading.Thread] = []

    def start(thread: threading.Thread) -> None:
        started.append(thread)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    second = altered(DEPLOYMENT, metadata__name="second")

    assert world.judge(second, verifier=verifier).answer is Answer.ADMITTED
    assert started == []
