"""Nothing is laundered, and a pass is only about a digest that really ran (DESIGN 8.3 and 8.7)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import yaml

from tests.cluster.delivery import (
    Delivery,
    Team,
    config_map,
    deployment,
    one_cluster,
)
from tests.simulators.kubelet import Kubelet

pytestmark = pytest.mark.cluster

_LOOKS = 3.0  # seconds: at least two looks, long enough to sign what it should not


class Place:
    """The cluster `test`, its applier, and a policy that each test changes."""

    def __init__(self, delivery: Delivery, kubelet: Kubelet) -> None:
        self.delivery, self.kubelet, self.team = delivery, kubelet, delivery.team
        self.cluster = delivery.cluster
        self._revocations: dict[str, Any] = {}

    def policy(
        self,
        stages: Callable[[list[dict[str, Any]]], None] | None = None,
        more: Callable[[dict[str, dict[str, Any]]], None] | None = None,
    ) -> None:
        """The set with changed stages, then with documents changed or added by kind."""
        self.team.write_policy(stages)
        path = self.team.policy / "policy.yaml"
        documents = {each["kind"]: each for each in yaml.safe_load_all(path.read_text())}
        documents |= self._revocations  # once there, a list cannot be taken out again
        if more:
            more(documents)
        path.write_text(yaml.safe_dump_all(documents.values()))

    def commit(self, *objects: str) -> str:
        """Those objects, and enough others that never change to be no mass deletion."""
        base = "".join(config_map(f"base-{number}", a="b") for number in range(6))
        return self.team.commit({"test/all.yaml": base + "".join(objects)})

    def signed(self, image: str) -> dict[str, int]:
        """How many of the cluster's own statements there are about an image."""
        listed = self.team.stagepass("evidence", "ls", image, "--evidence", self.team.sources)
        return {kind: listed.count(kind) for kind in ("stage-entered", "stage-passed")}

    def revoke(self, image: str) -> None:
        """On the list that the set names from now on."""
        file, key = self.team.policy / "revoked.json", str(self.team.directory / "ci.key")
        what = ("--artifact", image.partition("@")[2], "--reason", "CVE-2026-0001")
        self.team.stagepass("revoke", str(file), "--key", key, *what)
        document = {"kind": "Revocations", "file": file.name, "from": ["ci"]}
        self._revocations = {"Revocations": {"apiVersion": "stagepass.dev/v1", **document}}
        self.policy()

    def wait_for(self, commit: str, reason: str) -> None:
        """Until `commit` is applied, and the application stands still for `reason`."""

        def is_so() -> bool:
            last = self.delivery.last()
            return (last.get("applied"), last.get("reason")) == (commit, reason)

        self.delivery.wait(is_so)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("laundering")
    with one_cluster(directory) as (server, cluster, kubelet):
        team = Team(directory / "team", server, ("test", "staging"))
        with Delivery(team, "test", cluster, directory / "applier") as delivery:
            may = ("--verb=*", "--resource=podtemplates")  # the built-in role admin lacks it
            cluster.kubectl("-n", "shop", "create", "role", "more", *may)
            who = ("--role=more", "--serviceaccount=shop:deployer")
            cluster.kubectl("-n", "shop", "create", "rolebinding", "more", *who)
            yield Place(delivery, kubelet)


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    running.policy()
    yield running
    for faulty in (running.kubelet.faults.slow, running.kubelet.faults.crashing):
        faulty.clear()


NOTHING = {"stage-entered": 0, "stage-passed": 0}


def test_what_only_a_lenient_stage_lets_in_is_applied_and_not_signed_for(place: Place) -> None:
    place.policy(lambda stages: stages[0].update(enforcement="audit"))
    image = place.team.image()
    commit = place.commit(deployment(image))

    place.wait_for(commit, "NOT_NATIVE")

    assert place.delivery.live("deployment", "web")["status"]["readyReplicas"] == 1
    assert place.signed(image) == NOTHING


def test_what_break_glass_lets_in_is_applied_and_not_signed_for(place: Place) -> None:
    glass = {"from": ["ci"], "threshold": 1, "maxDuration": "4h"}
    place.policy(lambda stages: stages[0].update(breakGlass=glass))
    image = place.team.image()
    place.team.stagepass(
        *("break-glass", image, "--key", str(place.team.directory / "ci.key")),
        *("--stage", "test", "--pipeline", "shop", "--reason", "an incident"),
        *("--evidence", place.team.sources),
    )
    commit = place.commit(deployment(image))

    place.wait_for(commit, "NOT_NATIVE")

    assert place.signed(image) == NOTHING


def test_what_is_exempt_is_applied_and_takes_the_pass_of_all_along(place: Place) -> None:
    """The release holds an image of the pipeline as well, which is attested."""
    rule = {
        "namespaces": ["shop"],
        "images": ["registry.k8s.io/**"],
        "reason": "a base",
        "expires": "2099-01-01T00:00:00Z",
    }
    place.policy(more=lambda documents: documents["Defaults"].update(exempt=[rule]))
    image = place.team.attest(place.team.image())
    base = f"registry.k8s.io/pause@{place.team.image().partition('@')[2]}"
    commit = place.commit(deployment(image), deployment(base, "pause"))

    place.wait_for(commit, "NOT_NATIVE")

    assert place.signed(image) == place.signed(base) == NOTHING


def _workload(kind: str, name: str, spec: dict[str, Any], version: str = "batch/v1") -> str:
    document: dict[str, Any] = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
    }
    return yaml.safe_dump({**document, **spec}) + "---\n"


def _pod(image: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "w"}}, **_containers(image, **more)}


def _containers(image: str, **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", "image": image}], **more}}


def _suspended(image: str) -> str:
    job = {"template": _pod(image, restartPolicy="Never")}
    spec = {"schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": job}}
    return _workload("CronJob", "nightly", {"spec": spec})


@pytest.mark.parametrize(
    "write",
    [
        lambda image: deployment(image, replicas=0),
        _suspended,
        lambda image: _workload("PodTemplate", "unused", {"template": _pod(image)}, "v1"),
    ],
    ids=["replicas: 0", "a suspended CronJob", "an unused PodTemplate"],
)
def test_what_never_runs_enters_and_never_passes(place: Place, write: Callable[[str], str]) -> None:
    image = place.team.attest(place.team.image())
    commit = place.commit(write(image))

    place.wait_for(commit, "NOTHING_RAN")

    assert place.signed(image) == {"stage-entered": 1, "stage-passed": 0}


@pytest.mark.parametrize("owner", ["deployment", "replicaset"])
def test_a_pod_that_only_claims_to_be_ours_passes_nothing(place: Place, owner: str) -> None:
    image = place.team.attest(place.team.image())
    commit = place.commit(deployment(image, replicas=0))
    place.wait_for(commit, "NOTHING_RAN")
    name = "web"
    if owner == "replicaset":
        place.delivery.wait(lambda: _replica_set(place, image))
        name = _replica_set(place, image)
    live = place.delivery.live(owner, name)
    names = {"apiVersion": "apps/v1", "kind": live["kind"], "name": name}
    reference = {**names, "uid": live["metadata"]["uid"], "controller": True}
    metadata = {"name": "forged", "namespace": "shop", "ownerReferences": [reference]}
    forged = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **_containers(image)}
    place.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(forged))

    time.sleep(_LOOKS)

    assert place.signed(image)["stage-passed"] == 0
    place.cluster.kubectl("-n", "shop", "delete", "pod", "forged", "--ignore-not-found")


def _replica_set(place: Place, image: str) -> str:
    listed = place.cluster.kubectl("-n", "shop", "get", "replicasets", "-o", "json")
    for item in json.loads(listed.stdout)["items"]:
        if item["spec"]["template"]["spec"]["containers"][0]["image"] == image:
            return str(item["metadata"]["name"])
    return ""


def test_what_was_revoked_between_entry_and_pass_is_not_signed_for(place: Place) -> None:
    image = place.team.attest(place.team.image("late"))
    place.kubelet.faults.slow.add("late")
    commit = place.commit(deployment(image))
    place.wait_for(commit, "PROGRESSING")
    assert place.signed(image) == {"stage-entered": 1, "stage-passed": 0}

    place.revoke(image)
    place.kubelet.faults.slow.clear()
    place.wait_for(commit, "NOT_ADMITTED")

    assert "REVOKED" in place.delivery.last()["message"]
    assert place.signed(image)["stage-passed"] == 0


def test_a_job_that_ran_to_a_good_end_passes(place: Place) -> None:
    image = place.team.attest(place.team.image())
    spec = {"template": _pod(image, restartPolicy="Never"), "backoffLimit": 0}
    commit = place.commit(_workload("Job", "migrate", {"spec": spec}))

    place.delivery.wait_passed(commit)

    assert place.signed(image) == {"stage-entered": 1, "stage-passed": 1}


def _soak(seconds: int) -> Callable[[list[dict[str, Any]]], None]:
    return lambda stages: stages[1].update(after=[{"stage": "test", "soak": f"{seconds}s"}])


def _observed(place: Place, image: str) -> float:
    """How many seconds the pass says it was watched for."""
    folder = place.team.evidence / f"sha256-{image.partition('sha256:')[2]}"
    for path in folder.glob("*.sigstore.json"):
        envelope = json.loads(path.read_text())["dsseEnvelope"]
        statement = json.loads(base64.b64decode(envelope["payload"]))
        if "stage-passed" in statement["predicateType"]:
            observed = statement["predicate"]["observed"]
            start, end = (datetime.fromisoformat(observed[name]) for name in ("from", "to"))
            return (end - start).total_seconds()
    return 0.0


def test_a_loss_of_health_starts_the_soak_again(place: Place) -> None:
    place.policy(_soak(8))
    image = place.team.attest(place.team.image("shaky"))
    started = time.monotonic()
    commit = place.commit(deployment(image))
    place.wait_for(commit, "SOAKING")
    time.sleep(max(0.0, 4 - (time.monotonic() - started)))

    place.kubelet.faults.crashing.add("shaky")
    place.wait_for(commit, "UNHEALTHY")
    lost = time.monotonic()
    place.kubelet.faults.crashing.clear()
    place.delivery.wait_passed(commit)

    assert time.monotonic() - lost >= 8
    assert place.signed(image)["stage-passed"] == 1


def test_a_soak_outlives_a_short_absence_of_the_applier(place: Place) -> None:
    place.policy(_soak(10))
    image = place.team.attest(place.team.image())
    commit = place.commit(deployment(image))
    place.wait_for(commit, "SOAKING")
    time.sleep(4)
    began = place.delivery.last()["message"]

    place.delivery.kill()
    place.delivery.start()
    place.delivery.wait_passed(commit)

    said = [e["message"] for e in place.delivery.events() if e.get("reason") == "SOAKING"]
    assert set(said[said.index(began) :]) == {began}
    assert 10 <= _observed(place, image) < 14
