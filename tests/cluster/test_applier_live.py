"""What the applier takes for the cluster's state, beside what an API server really holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from applier.cluster import Cluster, Resource
from applier.live import Live
from applier.rules import LABEL
from stagepass.manifest import ObjectId
from stagepass.policy.source import ServiceAccount
from tests.cluster.controlplane import ControlPlane

pytestmark = pytest.mark.cluster

_CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
_MAX_AGE = 0.5
_NOBODY = ServiceAccount("nowhere", "nobody")


class Counting(Cluster):
    """The real one; `asked` are the lists: whether each had to be no older than something."""

    asked: list[str]

    def listed(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        selector: str = "",
        account: ServiceAccount | None = None,
        not_older: str = "",
    ) -> tuple[Sequence[dict[str, Any]], str]:
        self.asked.append(not_older)
        return super().listed(
            resource,
            namespace=namespace,
            selector=selector,
            account=account,
            not_older=not_older,
        )


class Place:
    """A namespace of its own, with a view of it."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane, self.name = plane, plane.namespace()
        self.cluster = Counting.connect(plane.directory / "kubeconfig")
        self.cluster.asked = []
        self.live = Live(self.cluster, _MAX_AGE)

    def apply(self, name: str, colour: str) -> None:
        metadata = {"name": name, "namespace": self.name, "labels": {LABEL: "shop.test"}}
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"colour": colour},
        }
        self.live.wrote(_CONFIG_MAPS, self.cluster.apply(_CONFIG_MAPS, document, account=None))

    def kubectl(self, *arguments: str) -> None:
        self.plane.kubectl("-n", self.name, *arguments)

    def seen(self, *, labelled: bool = True) -> dict[str, str]:
        """Name → colour, of this namespace."""
        if labelled:
            found = self.live.owned(_CONFIG_MAPS, [], _NOBODY)
        else:
            found = self.live.all(_CONFIG_MAPS, self.name, _NOBODY)
        mine = [each for i, each in found.items() if i.namespace == self.name]
        return {e["metadata"]["name"]: e["data"]["colour"] for e in mine if "colour" in e["data"]}


@pytest.fixture
def place(control_plane: ControlPlane) -> Place:
    return Place(control_plane)


@pytest.mark.parametrize("labelled", [True, False])
def test_an_answered_write_is_seen_without_asking_again(place: Place, *, labelled: bool) -> None:
    assert place.seen(labelled=labelled) == {}

    place.apply("settings", "blue")
    place.apply("other", "red")
    place.apply("settings", "green")

    assert place.seen(labelled=labelled) == {"settings": "green", "other": "red"}
    assert place.cluster.asked == [""]


def test_the_first_list_is_never_one_of_the_servers_cache(place: Place) -> None:
    """A process that was killed may have written just before."""
    place.seen()
    time.sleep(_MAX_AGE)
    place.seen()

    assert place.cluster.asked == ["", "0"]


def test_a_list_from_the_cache_is_no_older_than_our_own_write(place: Place) -> None:
    place.seen()
    place.apply("settings", "blue")
    version = place.live.owned(_CONFIG_MAPS, [], _NOBODY)[_id(place, "settings")]
    time.sleep(_MAX_AGE)

    assert place.seen() == {"settings": "blue"}
    assert place.cluster.asked == ["", version["metadata"]["resourceVersion"]]


def test_what_others_did_since_our_write_wins(place: Place) -> None:
    place.seen()
    place.apply("settings", "blue")
    place.apply("gone", "blue")
    place.kubectl("patch", "configmap", "settings", "-p", '{"data":{"colour":"red"}}')
    place.kubectl("delete", "configmap", "gone")
    time.sleep(_MAX_AGE)

    assert place.seen() == {"settings": "red"}


def test_after_a_write_without_an_answer_the_server_is_asked_past_its_cache(place: Place) -> None:
    place.seen()
    place.apply("settings", "blue")
    place.kubectl("delete", "configmap", "settings")
    place.live.changed(_CONFIG_MAPS)

    assert place.seen() == {}
    assert place.cluster.asked == ["", ""]


def _id(place: Place, name: str) -> ObjectId:
    return ObjectId("", "ConfigMap", place.name, name)
