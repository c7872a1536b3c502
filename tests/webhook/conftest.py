from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webhook.server import Server
from tests.webhook.shop import Shop


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gate of two workers with evidence in a directory, for whoever leaves it as it was."""
    directory = tmp_path_factory.mktemp("gate")
    with Server(directory, Shop(directory / "shop"), workers=2) as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """One of its own, for a test that changes files or starts a gate."""
    return Shop(tmp_path / "shop")
