from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import Gate
from tests.cluster.shop import Shop


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One control plane for the whole session; take a fresh `namespace()` per test."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as running:
        yield running


@pytest.fixture(scope="module")
def running_gate(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gate]:
    """One gate for a module's tests; its evidence lies in a directory."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    with Gate(control_plane, shop, tmp_path_factory.mktemp("gate")) as running:
        yield running


@pytest.fixture
def gate(running_gate: Gate, control_plane: ControlPlane) -> Gate:
    """The gate, in a new namespace of the stage `staging`."""
    running_gate.namespace = control_plane.namespace("gate")
    return running_gate
