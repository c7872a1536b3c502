"""Packs that stand for far more than they are (G11): bounded, told as what they are, not asked for again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import Mirror, TreeLimits
from applier.git_refusals import Refusals
from tests.applier.world import MAIN, mirror
from tests.simulators.git import GitServer
from tests.simulators.git_bombs import chained_bomb, commit_bomb, crowded_pack
from tests.simulators.git_store import Repository

_WORDS = "takes more time, memory or room"


def _serve(server: GitServer, pack: bytes, commit: str) -> Repository:
    repository = server.create("bomb")
    repository.commit("main", {"a": b"1"})
    repository.point("refs/heads/main", commit)
    server.faults.pack = pack
    return repository


def _refused(found: Mirror, timeout: float = 120) -> str:
    with pytest.raises(Failure) as raised:
        found.fetch([MAIN], timeout=timeout)
    assert raised.value.reason is Reason.GIT_REFUSED, raised.value
    return raised.value.message


@pytest.mark.parametrize(
    ("bomb", "says"),
    [(lambda: chained_bomb(64, 64), _WORDS), (crowded_pack, "size_t overflow")],
    ids=["4 GiB by two deltas", "4 billion objects"],
)
def test_what_no_memory_would_hold_is_refused(
    bomb: Callable[[], tuple[bytes, str]], says: str, server: GitServer, tmp_path: Path
) -> None:
    pack, commit = bomb()
    _serve(server, pack, commit)

    assert says in _refused(mirror(server.url("bomb"), tmp_path / "mirrors"))

    assert len(pack) < 4 << 10
    assert not list((tmp_path / "mirrors").rglob("*.pack"))


def test_what_keeps_a_processor_busy_is_refused_and_then_left_alone(
    server: GitServer, tmp_path: Path
) -> None:
    """Each object is within the limit of memory. Again at once, and then only for something new."""
    repository = _serve(server, *chained_bomb(64, 4, copies=1000))
    limits = TreeLimits(cpu=2)
    found = mirror(server.url("bomb"), tmp_path / "mirrors", limits=limits)

    said = [_refused(found) for _ in range(4)]

    assert [text for text in said if _WORDS not in text] == []
    assert server.packs == 2
    server.faults.pack = b""
    commit = repository.commit("other", {"a": b"2"})
    repository.point("refs/heads/main", commit)
    found.fetch([MAIN], timeout=60)
    assert found.head(MAIN) == commit


def test_a_deadline_that_was_reached_by_computing_is_no_fault_of_the_network(
    server: GitServer, tmp_path: Path
) -> None:
    """As on a machine so busy that the seconds of a processor take longer than the deadline."""
    _serve(server, *chained_bomb(64, 4, copies=1000))
    found = mirror(server.url("bomb"), tmp_path / "mirrors", limits=TreeLimits(cpu=6))

    assert "takes more time" in _refused(found, timeout=6)


def test_a_commit_whose_subject_has_50_mib_is_refused_when_it_is_read(
    server: GitServer, tmp_path: Path
) -> None:
    pack, commit = commit_bomb(50)
    _serve(server, pack, commit)
    found = mirror(server.url("bomb"), tmp_path / "mirrors")
    found.fetch([MAIN], timeout=120)

    with pytest.raises(Failure) as raised:
        found.history(found.head(MAIN), ".", since=None)

    assert raised.value.reason is Reason.TREE_REFUSED
    assert "over 4194304 bytes" in raised.value.message


def test_a_damaged_pack_is_asked_for_again_at_once() -> None:
    """Once is no verdict, and neither is what the network did."""
    refusals, wanted = Refusals(), frozenset({"1" * 40})

    def fail(reason: Reason) -> None:
        with pytest.raises(Failure), refusals.guard(wanted):
            raise Failure(reason, "x")

    fail(Reason.GIT_REFUSED)
    for _ in range(3):
        fail(Reason.GIT_UNAVAILABLE)
    with refusals.guard(wanted):
        pass
