"""Repositories whose object ids are SHA-256: fetched, read and followed like those of SHA-1."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from tests.applier.formats import FormatRepository
from tests.applier.world import MAIN, mirror
from tests.simulators.git import GitServer


def test_it_is_fetched_read_and_followed(server: GitServer, tmp_path: Path) -> None:
    repository = FormatRepository(tmp_path / "served" / "deploy.git")
    first = repository.commit(b"1")
    found = mirror(server.url("deploy"), tmp_path / "mirrors")
    found.fetch([MAIN], timeout=60)
    second = repository.commit(b"2")
    found.fetch([MAIN], timeout=60)

    assert len(second) == 64
    assert found.head(MAIN) == second
    assert found.descends(second, first)
    assert not found.descends(first, second)
    assert found.read(found.tree_of(second, ".")) == {"a": b"2"}
    assert [r.commit for r in found.history(second, ".", since=first)] == [second]


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_a_branch_that_comes_later_decides_the_format(
    server: GitServer, tmp_path: Path, kind: str
) -> None:
    """An empty repository does not say which ids it will have."""
    repository = FormatRepository(tmp_path / "served" / "deploy.git", kind)
    found = mirror(server.url("deploy"), tmp_path / "mirrors")
    found.fetch([MAIN], timeout=60)
    with pytest.raises(Failure) as raised:
        found.head(MAIN)
    assert raised.value.reason is Reason.REF_MISSING

    commit = repository.commit(b"1")
    found.fetch([MAIN], timeout=60)

    assert found.head(MAIN) == commit


def test_a_repository_that_changes_its_format_is_refused(server: GitServer, tmp_path: Path) -> None:
    """What is known of it is in ids of the other: nothing of the new one descends from that."""
    path = tmp_path / "served" / "deploy.git"
    old = FormatRepository(path, "sha1").commit(b"1")
    found = mirror(server.url("deploy"), tmp_path / "mirrors")
    found.fetch([MAIN], timeout=60)
    shutil.rmtree(path)
    FormatRepository(path).commit(b"2")

    with pytest.raises(Failure, match="algorithm") as raised:
        found.fetch([MAIN], timeout=60)

    assert raised.value.reason is Reason.GIT_REFUSED
    assert found.head(MAIN) == old
