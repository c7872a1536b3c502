"""Manifests that nobody attested, sent to a real API server that asks a real gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.manifests_attacks import subresources
from tests.manifests_attacks.apiserver import ApiServer, attacked
from tests.manifests_attacks.row import ADMITTED, BY_THE_API, REFUSED
from tests.manifests_attacks.table import ROWS
from tests.manifests_attacks.tried import at_api

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def server(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    with attacked(control_plane, tmp_path_factory.mktemp("attacked")) as running:
        yield running


def test_what_was_not_released_is_refused(server: ApiServer) -> None:
    """2,000 requests; the gate refuses most, and what the API server refuses it need not."""
    tried = list(at_api(server, ROWS))
    counted = Counter(BY_THE_API if g.startswith(BY_THE_API) else g for _, _, g in tried)

    wrong = [(row.name, str(verb), got) for row, verb, got in tried if not row.is_expected(got)]
    assert wrong == []
    assert counted[REFUSED] > 10 * counted[ADMITTED]
    assert counted[REFUSED] > 5 * counted[BY_THE_API]


@pytest.mark.parametrize("way", subresources.ROWS, ids=lambda way: way.name)
def test_what_goes_round_the_object_is_refused_or_known(
    server: ApiServer, way: subresources.Way
) -> None:
    assert way.is_expected(way.go(server))
    assert (way.expected == ADMITTED) == bool(way.why)


def test_controllers_went_on_meanwhile(server: ApiServer) -> None:
    """The Pods of the release are there, and their claims: nothing of it was refused."""
    server.await_pods()
    claims = f"/api/v1/namespaces/{server.site.applied}/persistentvolumeclaims/data-db-0"

    assert server.send("GET", claims)[0] == 200
