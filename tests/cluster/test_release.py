"""Releases and what others say of them: an unmodified cosign, and a real API server's list of kinds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stagepass.objects import is_built_in
from stagepass.release.scopes import CLUSTER_SCOPED
from tests.cluster.controlplane import ControlPlane
from tests.cluster.shop import Shop
from tests.cluster.signer import Cosign
from tests.release.samples import COMMIT, OBJECTS
from tests.simulators.registry import STAGE_PASSED, Registry

pytestmark = pytest.mark.cluster

RELEASE = "https://stagepass.dev/attestation/release/v1"


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("cosign"))


@pytest.fixture(params=[True, False], ids=["referrers-api", "fallback-tag"])
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    with Registry() as running:
        running.faults.referrers = request.param
        yield running


@pytest.fixture
def shop(registry: Registry, tmp_path: Path) -> Shop:
    return Shop(tmp_path, registry.host)


def test_cosign_verifies_a_release_by_its_artifact_and_by_its_line(
    cosign: Cosign, shop: Shop
) -> None:
    (shop.directory / "all.yaml").write_text(yaml.safe_dump_all(OBJECTS))
    built, name = str(shop.directory / "built"), f"{shop.host}/shop/releases"
    what = ("--pipeline", "shop", "--stage", "test", "--path", "test")
    source = ("--source", f"{COMMIT.uri}@{COMMIT.commit}")
    files = (str(shop.directory / "all.yaml"), "--output-dir", built)
    shop.stagepass("release", "build", *files, *what, *source)
    where = ("--key", str(shop.key), "--repository", name, "--output", "json")
    signed = json.loads(shop.stagepass("release", "attest", built, *where).stdout)
    key = shop.directory / "test.pub"

    for subject in (signed["artifact"], signed["line"]):
        image = f"{name}@{subject}"
        assert cosign.accepts(image, key, RELEASE)
        assert not cosign.accepts(image, cosign.public, RELEASE)
        assert not cosign.accepts(image, key, STAGE_PASSED)


def test_the_cluster_scoped_kinds_are_those_of_the_api_server(control_plane: ControlPlane) -> None:
    """A kind that is missing could not be part of a release; one too many would lose its namespace."""
    namespaced, cluster = (
        _kinds(control_plane.kubectl("api-resources", f"--namespaced={each}", "--no-headers"))
        for each in ("true", "false")
    )

    assert cluster, "the API server lists kinds without a namespace"
    assert cluster - CLUSTER_SCOPED == set()
    assert namespaced & CLUSTER_SCOPED == set()


def _kinds(done: subprocess.CompletedProcess[str] | str) -> set[tuple[str, str]]:
    """(group, kind) of built-in kinds: the last three columns are apiVersion, namespaced, kind."""
    text = done if isinstance(done, str) else done.stdout
    found = set()
    for line in text.splitlines():
        version, _, kind = line.split()[-3:]
        group = version.rpartition("/")[0]
        if is_built_in(group):
            found.add((group, kind))
    return found
