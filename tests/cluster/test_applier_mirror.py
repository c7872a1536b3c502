"""An applier brings the evidence of what it applies into the cluster, and a cold gate asks no registry."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from applier.objects import prepare
from stagepass.packed_evidence import unpack
from stagepass.release.artifact import line_digest
from tests.cluster.delivery import Delivery, Team, config_map, one_cluster
from tests.cluster.released import commit, objects, release, require
from tests.simulators.configmap_volume import ConfigMapVolume
from tests.simulators.registry import Registry
from tests.webhook.reviews import review
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop

pytestmark = pytest.mark.cluster

GATE = "stagepass-system"
CONFIG_MAP = "stagepass-evidence-shop.test"


class Site:
    """Evidence lies in a registry, and the ConfigMap is mounted as a kubelet mounts it."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.registry = stack.enter_context(Registry())
        server, cluster, _ = stack.enter_context(one_cluster(directory))
        self.team = Team(directory / "team", server, ("test", "staging"), self.registry)
        where = f"{self.registry.host}/shop/releases"
        self.team.write_policy(lambda stages: require(stages, repository=where))
        cluster.kubectl("create", "namespace", GATE)
        self.delivery = Delivery(self.team, "test", cluster, directory / "applier")
        self.delivery.more["MIRROR"] = "yes"
        stack.enter_context(self.delivery)
        volume = ConfigMapVolume(
            *(cluster.server, cluster.token, cluster.ca_file),
            namespace=GATE,
            name=CONFIG_MAP,
            directory=directory / "volume",
            sync=0.1,
        )
        self.volume = stack.enter_context(volume)

    def deploy(self, text: str) -> str:
        head = commit(self.team, text)
        release(self.team, text, head)
        self.delivery.wait_passed(head)
        return head

    def told(self, event: str) -> list[dict[str, object]]:
        return [e for e in self.delivery.events() if e["event"] == event]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("mirror"), stack)


def test_a_cold_gate_admits_what_was_applied_and_asks_no_registry(site: Site) -> None:
    text = objects(site.team.attest(site.team.image()), colour="blue")
    site.deploy(text)
    wait_until(lambda: site.told("evidence.mirrored"))
    wait_until(lambda: site.volume.updates)
    documents = [each for each in yaml.safe_load_all(text) if each]
    asked = f"mirror:{site.volume.directory},registry"
    shop = Shop(site.directory / "shop")
    kinds = ("deployments", "replicasets", "pods", "configmap/settings")
    live = [each for kind in kinds for each in _live(site, kind)]
    directory, policy = site.directory / "gate", str(site.team.policy)

    with Server(directory, shop, evidence=asked, POLICY=policy, CLUSTER="test") as gate:
        site.registry.requests.clear()
        answers = [gate.judge(_create(each)) for each in [*prepare(documents, "shop.test"), *live]]
        requests = len(site.registry.requests)
        documents[1]["data"]["colour"] = "red"
        (changed,) = [gate.judge(_create(e)) for e in prepare(documents[1:], "shop.test")]

    assert len(live) == 4
    assert [answer["allowed"] for answer in answers] == [True] * 6
    assert requests == 0
    assert not changed["allowed"]
    assert "data[colour]" in changed["status"]["message"]


def test_what_is_mirrored_is_what_it_takes_and_no_more(site: Site) -> None:
    image = site.team.attest(site.team.image())
    text = objects(image, colour="green")
    site.deploy(text)
    file = site.volume.directory / "shop.test.evidence"
    wanted = {image.rpartition("@")[2], str(line_digest("shop", "test"))}

    # What ran before goes once this has passed.
    wait_until(lambda: {str(d) for d in unpack(file.read_bytes()).bundles} == wanted)
    assert len(unpack(file.read_bytes()).blobs) == 1


def test_what_is_too_big_is_told_and_applied_all_the_same(site: Site) -> None:
    text = objects(site.team.attest(site.team.image()), colour="grey")
    noise = [config_map(f"noise-{i}", noise=secrets.token_urlsafe(600_000)) for i in range(3)]

    site.deploy(text + "".join(noise))

    told, *_ = site.told("evidence.not_mirrored")
    assert told["application"] == "shop.test"
    assert "one ConfigMap holds" in str(told["error"])


def _live(site: Site, what: str) -> list[dict[str, object]]:
    """As the API server and its controllers made them."""
    done = site.delivery.cluster.kubectl("-n", "shop", "get", what, "-o", "json")
    found = json.loads(done.stdout)
    return list(found["items"]) if "items" in found else [found]


def _create(document: dict[str, object]) -> bytes:
    name = document["metadata"]["name"]  # type: ignore[index]  # of YAML
    return json.dumps(review(document, name=name)).encode()
