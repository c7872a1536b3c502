"""deploy/manifests/status.yaml on a real API server: a status brings no label, and controllers go on."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stagepass.objects import spelled
from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import ROOT
from tests.cluster.manifest_site import Api, collection
from tests.manifests.released import released

pytestmark = pytest.mark.cluster

POLICY = ROOT / "deploy" / "manifests" / "status.yaml"
_CONTROLLERS = (
    "daemonset-controller",
    "disruption-controller",
    "horizontal-pod-autoscaler-controller",
    "replicationcontroller-controller",
    "validatingadmissionpolicy-status-controller",
)
_NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
_SAID = (
    "ValidatingAdmissionPolicy 'stagepass-status' with binding 'stagepass-status' denied request"
)
_MERGE = "application/merge-patch+json"
_SECONDS = 60.0
_NAMES = {
    "Pod": "alone",
    "ReplicationController": "controller",
    "Service": "cluster",
    "PersistentVolumeClaim": "claim",
    "Deployment": "deployment",
    "ReplicaSet": "replicas",
    "StatefulSet": "stateful",
    "DaemonSet": "daemon",
    "Job": "job",
    "CronJob": "cron",
    "Ingress": "ingress",
    "HorizontalPodAutoscaler": "scaler",
    "PodDisruptionBudget": "budget",
}
_FREE = {"Pod", "PersistentVolumeClaim"}
_RESET = {("Deployment", "labels")}
"""What the API server itself takes from no status."""
_READY = {
    "phase": "Running",
    "conditions": [
        {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for kind in ("Ready", "ContainersReady")
    ],
}


class Site:
    """A namespace in which every kind lives, the API, and who plays the kubelet."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self.control_plane, self.api = control_plane, Api(control_plane)
        self.namespace = control_plane.namespace("status")
        self.objects = [spelled(each) for each in released(self.namespace)]
        self.kubectl("apply", "-f", "-", stdin=json.dumps(_list(self.objects)))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.control_plane.kubectl("-n", self.namespace, *arguments, stdin=stdin).stdout

    def path(self, kind: str, name: str = "") -> str:
        name = name or _NAMES[kind]
        [found] = [
            each
            for each in self.objects
            if (each["kind"], each["metadata"]["name"]) == (kind, name)
        ]
        return f"{collection(found)}/{name}"

    def tried(self, kind: str, patch: Any, path: str = "") -> tuple[int, Any]:
        """Status and answer of a patch of the status, dry."""
        return self.api.send("PATCH", f"{path or self.path(kind)}/status?dryRun=All", patch, _MERGE)

    def get(self, path: str) -> Any:
        status, found = self.api.send("GET", path)
        assert status == http.HTTPStatus.OK, found
        return found

    def pods(self, app: str, status: Any, annotations: Any = None) -> None:
        """What a kubelet writes of the Pods of `app`, and a CNI plugin."""
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        for pod in self.get(f"{pods}?labelSelector={app}")["items"]:
            uid = {"uid": pod["metadata"]["uid"], "annotations": annotations or {}}
            body = {"metadata": uid, "status": status}
            where = f"{pods}/{pod['metadata']['name']}/status"
            done, said = self.api.send("PATCH", where, body, _MERGE)
            gone = done == http.HTTPStatus.NOT_FOUND
            assert done == http.HTTPStatus.OK or gone, said

    def wait_for(self, is_so: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while not is_so():
            assert time.monotonic() < deadline, f"not in {_SECONDS:g} s: {what}"
            time.sleep(0.1)


def _list(objects: Any) -> Any:
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def _evil(member: str) -> Any:
    return {"metadata": {member: {"evil": "yes"}}}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The policy is in force; before it was, every write below went through."""
    with ControlPlane(tmp_path_factory.mktemp("plane"), controllers=_CONTROLLERS) as running:
        running.kubectl("create", "-f", "-", stdin=json.dumps(_NODE))
        running.kubectl("taint", "node", "node-1", "node.kubernetes.io/not-ready-")
        found = Site(running)
        for kind in _NAMES:
            for member in ("labels", "annotations"):
                done, said = found.tried(kind, _evil(member))
                taken = "evil" in said["metadata"].get(member, {})
                assert (done, taken) == (200, (kind, member) not in _RESET), (kind, member)
        running.kubectl("apply", "-f", str(POLICY))
        found.wait_for(lambda: found.tried("Pod", _evil("labels"))[0] == 403, "in force")
        yield found
        found.api.close()


def _refused(answer: tuple[int, Any]) -> str:
    """The words after whose they are; "" where it was not refused by the policy."""
    status, said = answer
    whose, _, words = str(said.get("message", "")).partition(f"{_SAID}: ")
    return words if status == http.HTTPStatus.FORBIDDEN and whose else ""


@pytest.mark.parametrize("kind", sorted(set(_NAMES) - {k for k, _ in _RESET}))
def test_no_label_comes_through_a_status(site: Site, kind: str) -> None:
    said = _refused(site.tried(kind, _evil("labels")))

    plural = site.path(kind).split("/")[-2]
    assert said == (
        f"labels of {plural} are not changed through their status (evil): change the object,"
        " which the gate compares with its release"
    )


@pytest.mark.parametrize("kind", sorted(_NAMES))
def test_an_annotation_does_where_plugins_and_controllers_write_them(site: Site, kind: str) -> None:
    """CNI plugins into Pods, the expand controller into claims."""
    said = _refused(site.tried(kind, _evil("annotations")))

    assert bool(said) == (kind not in _FREE)
    assert not said or "(evil): change the object" in said


@pytest.mark.parametrize("value", ["other", None], ids=["another value", "gone"])
def test_nor_is_a_label_or_annotation_altered_or_taken_away(site: Site, value: str | None) -> None:
    assert "(app)" in _refused(site.tried("Pod", {"metadata": {"labels": {"app": value}}}))
    assert "(team)" in _refused(
        site.tried("Deployment", {"metadata": {"annotations": {"team": value}}})
    )


@pytest.mark.parametrize(
    ("kind", "word", "value", "admitted"),
    [
        ("Deployment", "deployment.kubernetes.io/revision", "77", True),
        ("Deployment", "deployment.kubernetes.io/revision", None, True),
        ("Deployment", "deployment.kubernetes.io/revision", "7\nx", False),
        ("ReplicaSet", "deployment.kubernetes.io/max-replicas", "3", True),
        ("Job", "deployment.kubernetes.io/revision", "7", False),
        ("Job", "batch.kubernetes.io/job-tracking", "", True),
        ("Job", "batch.kubernetes.io/job-tracking", "x", False),
        ("Service", "kubectl.kubernetes.io/last-applied-configuration", "{\n}", True),
    ],
)
def test_words_of_controllers_are_of_their_kinds_and_forms(
    site: Site, kind: str, word: str, value: str | None, admitted: bool
) -> None:
    answer = site.tried(kind, {"metadata": {"annotations": {word: value}}})

    assert (answer[0] == http.HTTPStatus.OK) == admitted, answer
    assert bool(_refused(answer)) != admitted


def test_another_version_is_no_way_round(site: Site) -> None:
    """An HPA of v1 shows metrics of v2 as annotations, which are none of its own."""
    path = site.path("HorizontalPodAutoscaler").replace("/v2/", "/v1/")

    assert _refused(site.tried("", _evil("annotations"), path))
    assert site.tried("", {"status": {"desiredReplicas": 2}}, path)[0] == http.HTTPStatus.OK


def test_the_cluster_s_own_namespace_is_left_out(site: Site) -> None:
    pod = next(each for each in site.objects if each["metadata"]["name"] == "bare")
    own = {**pod, "metadata": {"name": "own"}}
    status, said = site.api.send("POST", "/api/v1/namespaces/kube-system/pods", own)
    assert status == http.HTTPStatus.CREATED, said

    path = "/api/v1/namespaces/kube-system/pods/own"
    assert site.tried("", _evil("labels"), path)[0] == http.HTTPStatus.OK


def test_a_deployment_is_rolled_out_again(site: Site) -> None:
    """Its controller writes the number of the revision through the status."""
    path = site.path("Deployment")
    args = {"name": "web", "args": ["--port", "9090"]}
    patch = {"spec": {"template": {"spec": {"containers": [args]}}}}
    site.kubectl("patch", "deployment", "deployment", "-p", json.dumps(patch))

    def is_done() -> bool:
        cni = {"cni.example.com/address": "192.0.2.1"}
        site.pods("app=deployment", _READY, cni)
        found = site.get(path)
        seen, wanted = found["status"], found["metadata"]["generation"]
        counts = [seen.get(f"{n}Replicas") for n in ("updated", "available")]
        return seen.get("observedGeneration") == wanted and counts == [1, 1]

    site.wait_for(is_done, "the Deployment is rolled out")
    assert site.get(path)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


def test_a_job_finishes(site: Site) -> None:
    def is_done() -> bool:
        site.pods("batch.kubernetes.io/job-name=job", {"phase": "Succeeded"})
        return bool(site.get(site.path("Job"))["status"].get("succeeded"))

    site.wait_for(is_done, "the Job is done")


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("HorizontalPodAutoscaler", "conditions"),
        ("PodDisruptionBudget", "conditions"),
        ("DaemonSet", "desiredNumberScheduled"),
        ("ReplicationController", "replicas"),
        ("StatefulSet", "currentRevision"),
    ],
)
def test_controllers_write_the_status_of_other_kinds(site: Site, kind: str, member: str) -> None:
    """A new object, since the first one's status was written while nobody asked."""
    [old] = [
        each
        for each in site.objects
        if (each["kind"], each["metadata"]["name"]) == (kind, _NAMES[kind])
    ]
    new = {**old, "metadata": {**old["metadata"], "name": "new"}}
    status, said = site.api.send("POST", collection(new), new)
    assert status == http.HTTPStatus.CREATED, said

    path = f"{collection(new)}/new"
    site.wait_for(lambda: site.get(path)["status"].get(member), f"{kind} has {member}")


@pytest.mark.parametrize("kind", ["Ingress", "Service"])
def test_a_load_balancer_writes_its_address(site: Site, kind: str) -> None:
    name = "balanced" if kind == "Service" else ""
    path = site.path(kind, name)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}

    assert site.tried(kind, status, path)[0] == http.HTTPStatus.OK


def test_the_api_server_finds_no_fault_in_its_types(site: Site) -> None:
    """Its type checker ran over every kind that the policy matches."""

    def status() -> Any:
        path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/stagepass-status"
        return site.get(path).get("status", {})

    site.wait_for(lambda: status().get("observedGeneration"), "types are checked")
    assert status()["typeChecking"].get("expressionWarnings", []) == []


def test_the_component_brings_it(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    where = tmp_path_factory.mktemp("overlay", numbered=True)
    for name in ("base", "manifests"):
        (where / name).mkdir()
        for path in (ROOT / "deploy" / name).glob("*.yaml"):
            (where / name / path.name).write_bytes(path.read_bytes())
    (where / "overlay").mkdir()
    lines = "resources: [../base]\ncomponents: [../manifests]\n"
    (where / "overlay" / "kustomization.yaml").write_text(lines)

    made = site.kubectl("kustomize", str(where / "overlay"))

    assert made.count("policyName: stagepass-status") == 1
    assert "services" in made.partition("kind: ValidatingWebhookConfiguration")[2]
