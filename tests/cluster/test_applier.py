"""One cluster, one applier: a commit becomes objects, and healthy objects become a pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.delivery import (
    Delivery,
    Team,
    config_map,
    one_cluster,
)

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    directory = tmp_path_factory.mktemp("delivery")
    with one_cluster(directory) as (server, cluster, _):
        team = Team(directory / "team", server, ("test", "staging"))
        with Delivery(team, "test", cluster, directory / "applier") as running:
            yield running


def passes(team: Team, image: str) -> int:
    """How many statements of the test cluster lie beside the image."""
    listed = team.stagepass("evidence", "ls", image, "--evidence", f"dir:{team.evidence}")
    return listed.count("stage-passed")


def test_an_attested_commit_is_applied_and_passed_once(delivery: Delivery) -> None:
    team = delivery.team
    image = team.attest(team.image())
    commit = team.deploy(image, more=config_map("settings", colour="blue"))

    delivery.wait_passed(commit)

    assert delivery.live("deployment", "web")["status"]["readyReplicas"] == 1
    assert delivery.live("configmap", "settings")["data"] == {"colour": "blue"}
    assert passes(team, image) == 1


def test_what_is_not_attested_is_not_applied(delivery: Delivery) -> None:
    team = delivery.team
    before = delivery.live("deployment", "web")
    team.deploy(team.image())

    delivery.wait_reason("NOT_ADMITTED")

    assert delivery.live("deployment", "web")["spec"] == before["spec"]
