"""A sample of the law of manifests at a real API server: what lives there is what some release says."""

from __future__ import annotations

import copy
import http.client
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.manifests.samples import IMAGE
from tests.manifests_attacks.apiserver import ApiServer, attacked, collection, verdict
from tests.manifests_attacks.changes import ALLOCATED, changed, in_scope
from tests.manifests_attacks.model import key
from tests.manifests_attacks.objects import Object, alone, release_a
from tests.manifests_attacks.row import ADMITTED

pytestmark = pytest.mark.cluster

KINDS = {"Deployment", "Service", "ConfigMap", "Role", "NetworkPolicy", "CronJob", "DaemonSet"}
_VERSIONS, _STEPS, _SEED = 5, 500, 20261126
_WRITTEN = ("name", "namespace", "labels", "annotations")


class Sample:
    """The objects of some kinds in a few versions each, with what an API server makes of them."""

    def __init__(self) -> None:
        self.random = Random(_SEED)  # noqa: S311  # the same sample every time
        self.released: list[tuple[Object, Object]] = []
        self.counts: Counter[str] = Counter()

    def prepare(self, server: ApiServer) -> None:
        """Asks while there is no gate: what the API server takes and makes of it is no rule of ours."""
        site = server.site
        base = [each for each in release_a(site.applied) if each["kind"] in KINDS]
        self.released = [(each, _served(server, each) or each) for each in base]
        for _ in range(_VERSIONS):
            versions = [self._version(server, each) for each in base]
            more = alone(site.applied, IMAGE, "always")
            site.released([*(each for each, _ in versions), *more])
            self.released += versions

    def step(self, server: ApiServer) -> None:
        """One request of somebody who may write, and what it leaves behind."""
        attested, _ = self.random.choice(self.released)
        path = f"{collection(attested)}/{attested['metadata']['name']}"
        live = _at(server, path, attested)
        what = self.random.choice(("as released", "live, changed", "released, changed"))
        metadata = {**live["metadata"], **attested["metadata"]}
        new = live if what == "live, changed" else {**attested, "metadata": metadata}
        new = new if what == "as released" else changed(new, self.random)
        said = verdict(*server.send("PUT", path, new))
        self.counts[f"{what}: {said.partition(':')[0]}"] += 1
        assert what != "as released" or not said.startswith("denied"), (new, said)
        now = _at(server, path, attested)
        known = [pair for pair in self.released if key(pair[0]) == key(now)]
        assert any(in_scope(now, a) == in_scope(served, a) for a, served in known), now

    def _version(self, server: ApiServer, document: Object) -> tuple[Object, Object]:
        """As the API server keeps it: what it drops would make a release of nothing."""
        for _ in range(30):
            found = changed(document, self.random)
            served = _served(server, found)
            if served is not None and key(served) == key(document):
                kept = copy.deepcopy(served)
                kept.pop("status", None)
                metadata = {n: kept["metadata"].get(n) for n in _WRITTEN}
                kept["metadata"] = {n: each for n, each in metadata.items() if each}
                for name in ALLOCATED if kept["kind"] == "Service" else ():
                    kept["spec"].pop(name, None)
                words = kept["metadata"].get("annotations", {})
                words.pop("deprecated.daemonset.template.generation", None)
                return kept, served
        raise AssertionError(f"no API server takes any change of {document}")


def _served(server: ApiServer, document: Object) -> Object | None:
    """What the API server would store, None where it would not."""
    status, said = server.send("POST", f"{collection(document)}?dryRun=All", document)
    found: Object = said
    return found if status == http.HTTPStatus.CREATED else None


def _at(server: ApiServer, path: str, like: Object) -> Object:
    status, found = server.send("GET", path)
    assert status == http.HTTPStatus.OK, found
    return {**found, "apiVersion": like["apiVersion"], "kind": like["kind"]}


@pytest.fixture(scope="module")
def sampled(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ApiServer, Sample]]:
    sample = Sample()
    with attacked(control_plane, tmp_path_factory.mktemp("sampled"), sample.prepare) as server:
        yield server, sample


def test_what_lives_was_released(sampled: tuple[ApiServer, Sample]) -> None:
    server, sample = sampled
    for _ in range(_STEPS):
        sample.step(server)

    assert sample.counts[f"as released: {ADMITTED}"] > _STEPS / 10
    assert sample.counts["live, changed: denied"] > _STEPS / 20
    assert sample.counts["released, changed: denied"] > _STEPS / 20
    print(dict(sorted(sample.counts.items())))
