"""Three clusters promote a version to production; between them lie Git and a registry, nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import ci
from tests.cluster.fleet import STAGES, Fleet

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    # A short path: etcd's Unix socket has room for 107 characters.
    with (
        tempfile.TemporaryDirectory(prefix="fleet-") as directory,
        Fleet(Path(directory)) as running,
    ):
        yield running


def test_a_version_goes_through_every_stage_by_its_passes_alone(fleet: Fleet) -> None:
    team = fleet.team
    image = team.attest(team.image())
    commit = team.deploy(image)
    released = ci.release(team, commit)

    for stage in STAGES:
        fleet.deliveries[stage].wait(
            lambda stage=stage: fleet.deliveries[stage].last().get("passed") == commit, 60
        )

    listed = team.stagepass("evidence", "ls", image, "--evidence", "registry")
    assert listed.count("stage-passed") == len(STAGES)
    assert {stage: fleet.deliveries[stage].last()["release"] for stage in STAGES} == released
    production = fleet.deliveries["production"].live("deployment", "web")
    assert production["status"]["readyReplicas"] == 1


def test_what_ci_did_not_attest_stops_before_test_and_says_why(fleet: Fleet) -> None:
    team = fleet.team
    image = team.image()
    team.deploy(image)

    for stage in STAGES:
        fleet.deliveries[stage].wait_reason("RELEASE_MISSING")
    assert "REQUIREMENT_MISSING" in fleet.deliveries["test"].last()["message"]
    assert "PASS_MISSING: no pass of stage 'test'" in fleet.deliveries["staging"].last()["message"]
    refused = fleet.gates["production"].refusal("-n", "shop", "run", "evil", "--image", image)
    assert "PASS_MISSING" in refused
    assert "MANIFEST_DIFFERS" in refused


def test_what_runs_may_be_changed_by_another_release_alone(fleet: Fleet) -> None:
    """Also from one that passed: the image is the same, and so are its passes."""
    team, production = fleet.team, fleet.deliveries["production"]
    commit = team.deploy(team.attest(team.image()))
    ci.release(team, commit)
    production.wait(lambda: production.last().get("passed") == commit, 60)

    changes = ("set", "env", "deployment/web", "LD_PRELOAD=/lib/x.so")
    refused = fleet.gates["production"].refusal("-n", "shop", *changes)

    assert "MANIFEST_DIFFERS" in refused
    path = "spec.template.spec.containers[0].env"
    assert f'{path}: got [{{"name":"LD_PRELOAD","value":"/lib/x.so"}}], attested absent' in refused
    container = production.live("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert "env" not in container
