"""
A cluster that is lost with everything in it comes back from Git, evidence, policy and its key alone.

Entry into its stage is shut when that happens: the pass of the stage before has grown too old, and then
a window is closed as well. What had entered comes back all the same, and nothing else gets in.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import Delivery, Team, config_map
from tests.simulators.git import GitServer
from tests.simulators.kubelet import Kubelet

pytestmark = pytest.mark.cluster

_STAGES = ("test", "staging")
_MAX_AGE = timedelta(seconds=20)
_SETTINGS = config_map("settings", colour="blue")
_OURS = ("deployment/web", "configmap/settings")
_STAGEPASS = Path(sys.executable).with_name("stagepass")


@dataclass(frozen=True, slots=True)
class Lost:
    """What there was in a cluster, and what it had signed; `twin` was tested, and never came."""

    image: str
    twin: str
    commit: str
    objects: dict[str, Any]
    signed: dict[str, int]
    uid: str


class Site:
    """The cluster `staging` of a team, of which nothing outlives `lose` but Git, evidence and files."""

    def __init__(self, directory: Path, server: GitServer) -> None:
        self.directory = directory
        self.team = Team(directory / "team", server, _STAGES)
        self.team.write_policy(_aging)
        self.delivery: Delivery
        self._lives, self._running = 0, ExitStack()

    def build(self) -> None:
        """A new, empty cluster: namespaces and accounts, and an applier that never ran before."""
        self._lives += 1
        cluster, applier = (self.directory / f"{n}{self._lives}" for n in ("cluster", "applier"))
        cluster.mkdir()
        applier.mkdir()
        with ExitStack() as stack:
            plane = stack.enter_context(ControlPlane(cluster))
            stack.enter_context(Kubelet(plane.server, plane.token, plane.ca_file))
            delivery = Delivery(self.team, "staging", plane, applier)
            self.delivery = stack.enter_context(delivery)
            self._running = stack.pop_all()

    def lose(self) -> None:
        """Etcd, API server, applier and its state directory are no more."""
        self._running.close()

    def uid(self) -> str:
        """The cluster's, which is its `kube-system`'s."""
        asked = ("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
        return self.delivery.cluster.kubectl(*asked).stdout

    def wait_stale(self, image: str) -> None:
        """Until the pass of `test` is too old to let in an image that was tested and never entered."""
        about = ("--policy", str(self.team.policy), "--evidence", self.team.sources)
        end = time.monotonic() + 2 * _MAX_AGE.total_seconds()
        while True:
            said = subprocess.run(
                [_STAGEPASS, "verify", image, "--stage", "staging", *about],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            if "STALE" in said:
                return
            assert time.monotonic() < end, said
            time.sleep(0.5)

    def tested(self, image: str) -> str:
        """CI attests the image, and the cluster `test` passes it; gives `image`."""
        self._sign("attest", self.team.attest(image), "test")
        return image

    def was_entered_and_passed(self, image: str, commit: str, then: datetime) -> None:
        """What both clusters would have signed for `commit`, had they been there at that time."""
        now = ("--now", f"{then:%Y-%m-%dT%H:%M:%SZ}")
        source = ("--source", f"{self.team.server.url('deploy')}@{commit}")
        self._sign("attest", self.team.attest(image), "test", *now)
        self._sign("enter", image, "staging", *now, "--namespace", "shop")
        self._sign("attest", image, "staging", *now, *source)

    def _sign(self, verb: str, image: str, stage: str, *more: str) -> None:
        key = self.team.directory / f"{stage}.key"
        about = ("--stage", stage, "--pipeline", "shop", "--cluster", stage)
        self.team.stagepass(
            *(verb, image, "--key", str(key), *about, "--evidence", self.team.sources, *more)
        )

    def signed(self, image: str) -> dict[str, int]:
        """How many receipts and passes of this cluster's key lie beside the image."""
        about = ("--policy", str(self.team.policy), "--evidence", self.team.sources)
        listed = self.team.stagepass("evidence", "ls", image, *about, "--output", "json")
        pieces = [json.loads(line) for line in listed.splitlines()]
        ours = [piece["predicateType"] for piece in pieces if piece["signer"] == "staging"]
        return dict(Counter(kind.split("/")[-2] for kind in ours))

    def objects(self) -> dict[str, Any]:
        """What the team brought, without what each cluster makes up by itself."""
        found = {name: self.delivery.live(*name.split("/")) for name in _OURS}
        return {
            name: (o["metadata"]["labels"], o.get("spec"), o.get("data"))
            for name, o in found.items()
        }


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    # A short path: etcd's Unix socket has room for 107 characters.
    with tempfile.TemporaryDirectory(prefix="lost-") as name:
        directory = Path(name)
        for each in ("git", "team"):
            (directory / each).mkdir()
        with GitServer(directory / "git") as server:
            site = Site(directory, server)
            try:
                yield site
            finally:
                site.lose()


@pytest.fixture(scope="module")
def lost(site: Site) -> Lost:
    """What ran and was passed, in a cluster that is gone."""
    site.build()
    image, twin = site.tested(site.team.image()), site.tested(site.team.image())
    commit = site.team.deploy(image, more=_SETTINGS)
    site.delivery.wait_passed(commit)
    lost = Lost(image, twin, commit, site.objects(), site.signed(image), site.uid())
    site.lose()
    return lost


@pytest.fixture(scope="module")
def rebuilt(site: Site, lost: Lost) -> Lost:
    """The same in a new cluster, once the pass of `test` is too old to let anything in."""
    site.wait_stale(lost.twin)
    site.build()
    site.delivery.wait_passed(lost.commit)
    return lost


def test_a_new_cluster_brings_the_same_objects(site: Site, rebuilt: Lost) -> None:
    assert site.uid() != rebuilt.uid
    assert site.objects() == rebuilt.objects
    assert site.delivery.live("deployment", "web")["status"]["readyReplicas"] == 1


def test_nothing_is_signed_twice(site: Site, rebuilt: Lost) -> None:
    """The receipt and the pass of the cluster that is gone are found, and stay the only ones."""
    assert rebuilt.signed == {"stage-entered": 1, "stage-passed": 1}
    assert site.signed(rebuilt.image) == rebuilt.signed


def test_the_next_version_comes_by_a_pass_of_its_own(site: Site, rebuilt: Lost) -> None:
    image = site.tested(site.team.image())
    commit = site.team.deploy(image, more=_SETTINGS)

    site.delivery.wait_passed(commit)

    assert site.signed(image) == rebuilt.signed
    container = site.delivery.live("deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert [each["image"] for each in container] == [image]


def test_what_had_entered_comes_back_in_a_freeze_and_nothing_else_does(site: Site) -> None:
    """A third cluster, hours later and while a window is closed: the newer commit waits."""
    site.lose()
    site.team.write_policy(_frozen)
    image, newer = site.team.image(), site.tested(site.team.image())
    entered = site.team.deploy(image, more=_SETTINGS)
    site.was_entered_and_passed(image, entered, datetime.now(UTC) - timedelta(hours=3))
    site.team.deploy(newer, more=_SETTINGS)

    site.build()

    site.delivery.wait_passed(entered)
    site.delivery.wait_reason("NOT_ADMITTED")
    assert "WINDOW_CLOSED" in site.delivery.last()["message"]
    assert site.delivery.last()["applied"] == entered
    assert site.signed(image) == {"stage-entered": 1, "stage-passed": 1}
    assert site.signed(newer) == {}


def _aging(stages: list[dict[str, Any]]) -> None:
    stages[1]["after"] = [{"stage": "test", "maxAge": f"{_MAX_AGE.total_seconds():.0f}s"}]


def _frozen(stages: list[dict[str, Any]]) -> None:
    """Closed for two hours around now."""
    _aging(stages)
    hour = timedelta(hours=1)
    edges = (f"{datetime.now(UTC) + each:%H:%M}" for each in (-hour, hour))
    stages[1]["windows"] = [{"deny": " - ".join(edges), "timezone": "UTC"}]
