"""What a real API server and its controllers make of a release equals the release."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stagepass.manifests.compare import differences
from stagepass.manifests.templates import template_differences
from stagepass.objects import spelled
from tests.cluster.controlplane import ControlPlane
from tests.manifests.released import made_by_hand, released
from tests.manifests.samples import RULE

pytestmark = pytest.mark.cluster

_CONTROLLERS = (
    "daemonset-controller",
    "disruption-controller",
    "ephemeral-volume-controller",
    "persistentvolume-binder-controller",
    "replicationcontroller-controller",
)
_NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
_MADE = {
    "Pod": {"deployment", "stateful", "daemon", "job", "indexed", "cron", "controller", "replicas"},
    "ReplicaSet": {"deployment"},
    "Job": {"cron"},
    "PersistentVolumeClaim": {"data-stateful", "deployment-scratch"},
}
_SECONDS = 60


class Site:
    """A namespace in which a release was applied, and what controllers have made of it."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.control_plane = control_plane
        self.namespace = control_plane.namespace("release")
        self.objects = [spelled(each) for each in released(self.namespace)]
        self.send("apply", *self.objects)
        job = ("create", "job", "cron-29000000", "--from=cronjob/cron")
        control_plane.kubectl("-n", self.namespace, *job)

    def send(self, verb: str, *objects: Any) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.control_plane.kubectl(verb, "-f", "-", stdin=text)

    def admitted(self, source: Any) -> dict[str, Any]:
        """The object as the API server would keep it: a ReplicaSet deletes a Pod too many at once."""
        arguments = ("create", "--dry-run=server", "-o", "json", "-f", "-")
        done = self.control_plane.kubectl(*arguments, stdin=json.dumps(source))
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def live(self, kind: str) -> list[dict[str, Any]]:
        text = self.control_plane.kubectl("-n", self.namespace, "get", kind, "-o", "json").stdout
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found

    def made(self, kind: str) -> list[dict[str, Any]]:
        """Objects of a kind that the release does not name, once every owner has one."""
        deadline = time.monotonic() + _SECONDS
        named = {each["metadata"]["name"] for each in self.objects if each["kind"] == kind}
        while True:
            found = [each for each in self.live(kind) if each["metadata"]["name"] not in named]
            names = [each["metadata"]["name"] for each in found]
            missing = {n for n in _MADE[kind] if not any(m.startswith(f"{n}-") for m in names)}
            if kind == "PersistentVolumeClaim":
                missing = {n for n in _MADE[kind] if len(names) < len(_MADE[kind])}
            if not missing:
                return found
            assert time.monotonic() < deadline, f"nobody made {kind} of {sorted(missing)}: {names}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("release")
    with ControlPlane(directory, controllers=_CONTROLLERS) as running:
        running.kubectl("create", "-f", "-", stdin=json.dumps(_NODE))
        running.kubectl("taint", "node", "node-1", "node.kubernetes.io/not-ready-")
        yield Site(running)


def test_what_was_applied_equals_the_release(site: Site) -> None:
    """Defaults, allocated values, and what controllers wrote since; 0 false refusals."""
    for attested in site.objects:
        kind = f"{attested['kind']}.{attested['apiVersion'].rpartition('/')[0]}".rstrip(".")
        [live] = [
            each
            for each in site.live(kind)
            if each["metadata"]["name"] == attested["metadata"]["name"]
        ]
        assert differences(attested, live, RULE, created=False) == [], attested["kind"]


@pytest.mark.parametrize("kind", sorted(_MADE))
def test_what_controllers_made_equals_a_template(site: Site, kind: str) -> None:
    for live in site.made(kind):
        found = [template_differences(owner, live, RULE, created=False) for owner in site.objects]
        nearest = min((each for each in found if each is not None), key=len, default=None)
        assert nearest == [], live["metadata"]["name"]


def test_a_copy_made_by_hand_must_be_exact(site: Site) -> None:
    """`kubectl run` of the same image, and a Pod with the labels and owner of a real one."""
    [real, *_] = [
        each for each in site.made("Pod") if each["metadata"]["name"].startswith("deployment-")
    ]
    for forged in made_by_hand(real):
        live = site.admitted(forged)
        found = [template_differences(owner, live, RULE) for owner in site.objects]
        assert live["spec"]["schedulerName"] == "default-scheduler"
        assert [] not in found, forged["metadata"]["name"]
    exact = {**real, "metadata": {**real["metadata"], "name": "exact"}}
    live = site.admitted(exact)
    assert [] in [template_differences(owner, live, RULE) for owner in site.objects]
