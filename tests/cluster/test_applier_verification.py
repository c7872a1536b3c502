"""Jobs that a version must pass, one object among many that is refused, and one stage of two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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

_INVALID = config_map("broken").replace("data: {}", "data: {a/b: c}")
"""A key that the API server's validation refuses, and no schema does."""


class Place:
    """A cluster without our CRDs, whose applier is told of one of the two stages that policy gives it."""

    def __init__(self, delivery: Delivery, kubelet: Kubelet) -> None:
        self.delivery, self.team, self.faults = delivery, delivery.team, kubelet.faults

    def attested(self, name: str) -> str:
        return self.team.attest(self.team.image(name))

    def commit(self, *objects: str) -> str:
        """Those objects, and enough others that never change to be no mass deletion."""
        base = "".join(config_map(f"base-{number}", a="b") for number in range(6))
        return self.team.commit({"test/all.yaml": base + "".join(objects), "second/a.yaml": base})

    def row(self) -> dict[str, Any]:
        """The application's line of `status --output json`."""
        done = self.delivery.run("status", "--output", "json")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        [row] = [row for row in rows if "application" in row]
        assert row["application"] == "shop.test"
        return dict(row)

    def wait_for(self, commit: str, reason: str, *, dead: bool = False) -> dict[str, Any]:
        """Until the newest version stands still for `reason`: that line of `status`."""

        def is_so() -> bool:
            waiting = self.row()["waiting"] or {}
            told = waiting.get("commit"), waiting.get("reason"), waiting.get("dead")
            return told == (commit, reason, dead)

        self.delivery.wait(is_so)
        return self.row()


def _two_stages(rule: str = "all-or-nothing") -> Any:
    def change(stages: list[dict[str, Any]]) -> None:
        first, second = stages
        first["source"]["apply"] = rule
        second.update(clusters=["test"], namespaces=["second"])

    return change


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    yield running
    running.faults.slow.clear()
    running.faults.failing.clear()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("verification")
    with one_cluster(directory) as (server, cluster, kubelet):
        team = Team(directory / "team", server, ("test", "second"))
        team.write_policy(_two_stages())
        delivery = Delivery(team, "test", cluster, directory / "applier")
        delivery.options = ("--pipeline", "shop", "--stage", "test")
        with delivery:
            yield Place(delivery, kubelet)


def _job(name: str, image: str) -> str:
    container = {"name": "main", "image": image}
    document = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }
    return yaml.safe_dump(document) + "---\n"


def test_a_version_waits_for_its_job_before_it_passes(place: Place) -> None:
    place.faults.slow.add("check")
    web = deployment(place.attested("web"))
    commit = place.commit(web, _job("check-1", place.attested("check")))

    place.delivery.wait(lambda: place.delivery.last().get("objects") == ["batch/Job/shop/check-1"])
    row = place.wait_for(commit, "PROGRESSING")
    assert place.delivery.live("deployment", "web")["status"]["readyReplicas"] == 1
    assert row["passed"] is None
    assert row["waiting"]["since"] >= row["applied"]["at"]

    place.faults.slow.clear()
    place.delivery.wait_passed(commit)
    assert place.row()["ready"] is True


def test_a_failed_job_is_unhealthy_and_a_new_name_mends_it(place: Place) -> None:
    web = deployment(place.attested("web"))
    good = place.commit(web, _job("check-2", place.attested("check")))
    place.delivery.wait_passed(good)
    place.faults.failing.add("check")
    bad = place.commit(web, _job("check-3", place.attested("check")))

    row = place.wait_for(bad, "UNHEALTHY", dead=True)
    assert row["passed"]["commit"] == good
    assert row["waiting"]["objects"] == ["batch/Job/shop/check-3"]
    assert "BackoffLimitExceeded" in row["waiting"]["message"]

    place.faults.failing.clear()
    same = place.commit(web, _job("check-3", place.attested("check")))  # Jobs are immutable
    assert "immutable" in place.wait_for(same, "INVALID", dead=True)["waiting"]["message"]

    mended = place.commit(web, _job("check-4", place.attested("check")))
    place.delivery.wait_passed(mended)
    row = place.row()
    assert row["deadLetters"] == 0
    overtaken = {each["commit"]: each for each in row["superseded"]}
    assert overtaken[bad]["by"] == same
    assert overtaken[same]["by"] == mended
    assert (overtaken[bad]["phase"], overtaken[same]["phase"]) == ("Watch", "Apply")
    assert overtaken[bad]["at"] <= overtaken[same]["at"]


@pytest.mark.parametrize(("rule", "is_there"), [("all-or-nothing", False), ("what-can-be", True)])
def test_what_one_refused_object_does_to_the_others_is_told(
    place: Place, rule: str, is_there: bool
) -> None:
    place.team.write_policy(_two_stages(rule))
    commit = place.commit(config_map(f"with-{rule}", a="b"), _INVALID)

    row = place.wait_for(commit, "INVALID", dead=True)

    assert row["apply"] == rule
    assert row["waiting"]["objects"] == ["core/ConfigMap/shop/broken"]
    assert bool(place.delivery.live("configmap", f"with-{rule}")) is is_there
    assert rule in place.delivery.run("status").stdout


def test_a_changed_rule_is_told_of_what_stands_still(place: Place) -> None:
    place.team.write_policy(_two_stages())
    place.delivery.wait_passed(place.commit(deployment(place.attested("web"))))
    assert place.row()["apply"] == "all-or-nothing"

    place.team.write_policy(_two_stages("what-can-be"))
    place.delivery.wait(lambda: place.row()["apply"] == "what-can-be")
    assert place.row()["waiting"] is None


def test_status_says_until_when_a_soak_and_a_window_last(place: Place) -> None:
    def soaking(stages: list[dict[str, Any]]) -> None:
        _two_stages()(stages)
        stages[1]["after"] = [{"stage": "test", "soak": "10m"}]

    edges = [datetime.now(UTC) + timedelta(hours=hours) for hours in (-2, 2)]

    def closed(stages: list[dict[str, Any]]) -> None:
        soaking(stages)
        deny = " - ".join(f"{edge:%H:%M}" for edge in edges)
        stages[0]["windows"] = [{"deny": deny, "timezone": "UTC"}]

    place.team.write_policy(soaking)
    row = place.wait_for(place.commit(deployment(place.attested("web"))), "SOAKING")
    healthy, until = (_time(row["healthySince"]), _time(row["waiting"]["until"]))
    assert until - healthy == timedelta(minutes=10)
    assert healthy <= _time(row["waiting"]["since"]) <= datetime.now(UTC)

    place.team.write_policy(closed)
    began = datetime.now(UTC).replace(microsecond=0)
    row = place.wait_for(place.commit(deployment(place.attested("web"))), "NOT_ADMITTED")
    assert "WINDOW_CLOSED" in row["waiting"]["message"]
    assert _time(row["waiting"]["until"]) == edges[1].replace(second=0, microsecond=0)
    assert began <= _time(row["waiting"]["since"])
    assert row["waiting"]["until"] in place.delivery.run("status").stdout


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_only_the_stage_that_was_named_is_applied(place: Place) -> None:
    """And no CRD of ours is needed for any of this."""
    names = {e["name"] for e in place.delivery.events() if e["event"] == "application"}
    assert names == {"shop.test"}
    assert [e for e in place.delivery.events() if e["event"] == "applier.no_crds"]
