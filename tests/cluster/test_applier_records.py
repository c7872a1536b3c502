"""`Application` objects: what people see of the applier, and what they can ask for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.applier.test_git_signatures import SshKey
from tests.cluster.applier_site import Site, application, deploy, make_site

pytestmark = pytest.mark.cluster

_WRITES = {"create", "update", "patch", "delete", "deletecollection"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with make_site(tmp_path_factory.mktemp("records")) as running:
        yield running


def test_an_application_object_says_how_it_stands(site: Site) -> None:
    """As `kubectl wait` and `kubectl get` understand it, with events."""
    site.apply(application())
    commit = deploy(site)

    site.kubectl("wait", "--for=condition=Ready", "application/shop-test", "--timeout=30s")
    site.kubectl("wait", "--for=condition=Passed", "spapp/shop-test", "--timeout=30s")

    found = site.get("application", "shop-test")
    assert found["status"]["applied"]["commit"] == commit
    assert found["status"]["passed"]["commit"] == commit
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    assert found["status"]["apply"] == "all-or-nothing"
    heading, row = site.kubectl("get", "applications").splitlines()
    assert heading.split() == ["NAME", "PIPELINE", "STAGE", "READY", "REASON", "APPLIED", "AGE"]
    assert row.split()[:6] == ["shop-test", "shop", "test", "True", "Applied", commit]
    events = json.loads(site.kubectl("get", "events", "-o", "json"))["items"]
    told = {(e["reason"], e["message"]) for e in events}
    assert {("Applied", commit), ("Passed", commit)} <= told
    assert {e["involvedObject"]["uid"] for e in events} == {found["metadata"]["uid"]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pipeline": "other"}, "pipeline never changes"),
        ({"stage": "other"}, "stage never changes"),
        ({"interval": "1s"}, "from 5s to 1h"),
        ({"interval": "61m"}, "from 5s to 1h"),
        ({"interval": "soon"}, "like 30s, 5m or 1h"),
        ({"source": "https://git.example.com/x.git"}, "unknown field"),
        ({"healthChecks": [{"kind": "Job", "name": "x"}]}, "apiVersion"),
    ],
)
def test_an_application_cannot_ask_for_more(site: Site, changes: dict[str, Any], said: str) -> None:
    site.apply(application())

    refused = site.apply(application(**changes), check=False)

    assert said in refused
    assert site.get("application", "shop-test")["spec"]["pipeline"] == "shop"


def test_suspended_is_left_alone_until_it_is_resumed(site: Site) -> None:
    site.apply(application())
    before = deploy(site)
    site.apply(application(suspend=True))
    site.delivery.wait(lambda: site.condition("shop-test", "Ready") == ("False", "SUSPENDED"))

    commit = site.team.deploy(site.team.attest(site.team.image()))
    fetched = len(site.requests())
    site.delivery.wait(lambda: len(site.requests()) > fetched + 4)  # two polls and more
    status = site.delivery.run("status", "--output", "json")
    assert json.loads(status.stdout.splitlines()[0])["suspended"] is True
    assert status.returncode == 1
    assert site.delivery.last()["applied"] == before

    site.apply(application(suspend=False))
    site.delivery.wait_passed(commit)
    site.kubectl("wait", "--for=condition=Ready", "application/shop-test", "--timeout=30s")


def test_the_oldest_of_two_counts_and_strangers_are_stalled(site: Site) -> None:
    site.apply(application())
    site.delivery.wait(lambda: site.condition("shop-test", "Ready")[0] == "True")
    site.apply(application("twin", suspend=True))
    site.apply({**application("lost"), "spec": {"pipeline": "shop", "stage": "nowhere"}})

    site.kubectl("wait", "--for=condition=Stalled", "application/twin", "--timeout=30s")
    site.kubectl("wait", "--for=condition=Stalled", "application/lost", "--timeout=30s")

    assert site.condition("twin", "Stalled") == ("True", "DUPLICATE_APPLICATION")
    assert site.condition("lost", "Ready") == ("False", "SOURCE_MISSING")
    assert site.condition("shop-test", "Ready")[0] == "True"
    site.kubectl("delete", "application", "twin", "lost")


def test_a_further_health_check_holds_up_the_pass(site: Site) -> None:
    """And an object outside the stage is not looked at, whoever asks."""
    check = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "shop", "name": "x"}
    site.apply(application(healthChecks=[check]))
    site.delivery.wait(lambda: site.condition("shop-test", "Ready") == ("False", "PROGRESSING"))
    waiting = site.get("application", "shop-test")["status"]["waiting"]
    assert "core/PersistentVolumeClaim/shop/x" in waiting["objects"]

    outside = {**check, "namespace": "kube-system"}
    site.apply(application(healthChecks=[outside]))
    site.delivery.wait(lambda: site.condition("shop-test", "Ready")[1] == "UNHEALTHY")

    site.apply(application(healthChecks=[]))
    site.kubectl("wait", "--for=condition=Ready", "application/shop-test", "--timeout=30s")


def test_a_missing_heartbeat_is_an_alarm_until_policy_asks_for_none(
    site: Site, tmp_path: Path
) -> None:
    """Nothing else happens to the application, so nobody would notice."""
    site.apply(application())
    commit = deploy(site)
    (site.team.policy / "keys" / "beat").write_bytes(SshKey(tmp_path, "beat").allowed())
    heartbeat = {"ref": "heartbeat", "signers": {"ssh": "keys/beat"}}

    site.team.write_policy(lambda stages: stages[0]["source"].update(heartbeat=heartbeat))
    silent = ("False", "HEARTBEAT_MISSING")
    site.delivery.wait(lambda: site.condition("shop-test", "Ready") == silent)

    metric = 'stagepass_applier_heartbeat_missing{application="shop.test"}'
    site.delivery.wait(lambda: site.metric(metric) == 1)
    status = site.get("application", "shop-test")["status"]
    assert status["waiting"]["reason"] == "HEARTBEAT_MISSING"
    assert status["waiting"]["since"]
    assert status["applied"]["commit"] == commit
    events = json.loads(site.kubectl("get", "events", "-o", "json"))["items"]
    assert ("HEARTBEAT_MISSING", "Warning") in {(e["reason"], e["type"]) for e in events}
    done = site.delivery.run("status")
    assert done.returncode == 1
    assert "HEARTBEAT_MISSING: " in " ".join(done.stdout.split())

    site.team.write_policy()
    site.kubectl("wait", "--for=condition=Ready", "application/shop-test", "--timeout=30s")
    site.delivery.wait(lambda: metric not in site.metrics())


def test_nothing_is_written_while_nothing_changes(site: Site) -> None:
    site.apply(application())
    deploy(site)
    site.kubectl("wait", "--for=condition=Passed", "application/shop-test", "--timeout=30s")
    steps = 'stagepass_applier_steps_total{application="shop.test",result="done"}'
    begun, sent = site.metric(steps), len(site.requests())
    site.delivery.wait(lambda: site.metric(steps) >= begun + 1)
    settled = len(site.requests())
    site.delivery.wait(lambda: site.metric(steps) >= begun + 4)

    assert not [e for e in site.requests()[settled:] if e[0] in _WRITES]
    assert len(site.requests()) > sent
