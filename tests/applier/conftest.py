"""A repository behind a real Git server, and a mirror of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from applier.git import Mirror
from tests.applier.world import mirror
from tests.simulators.git import GitServer
from tests.simulators.git_store import Repository


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "served") as running:
        yield running


@pytest.fixture
def repository(server: GitServer) -> Repository:
    return server.create("deploy")


@pytest.fixture
def deploy(server: GitServer, repository: Repository, tmp_path: Path) -> Mirror:
    assert repository.path.exists()
    return mirror(server.url("deploy"), tmp_path / "mirrors")
