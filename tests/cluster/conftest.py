from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.controlplane import ControlPlane


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One control plane for the whole session; take a fresh `namespace()` per test."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as running:
        yield running
