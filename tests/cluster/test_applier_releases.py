"""An applier that applies releases and nothing else, against a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.cluster.delivery import Delivery, Team, config_map, deployment, one_cluster
from tests.cluster.released import commit, objects, release, require, said

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    directory = tmp_path_factory.mktemp("releases")
    with one_cluster(directory) as (server, cluster, _):
        team = Team(directory / "team", server, ("test", "staging"))
        team.write_policy(_partly)
        with Delivery(team, "test", cluster, directory / "applier") as running:
            yield running


def row(delivery: Delivery) -> dict[str, Any]:
    """What `status` says of the application."""
    done = delivery.run("status", "--output", "json")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return found


def release_of(delivery: Delivery) -> str:
    """The digest of the release that runs."""
    return str(row(delivery)["release"]["digest"])


def test_a_commit_waits_for_its_release_and_then_passes_as_one(delivery: Delivery) -> None:
    team = delivery.team
    image = team.attest(team.image())
    text = objects(image, colour="blue")
    head = commit(team, text)

    delivery.wait_reason("RELEASE_MISSING")
    planned = json.loads(delivery.run("plan", *_PLACE, "--output", "json").stdout)
    assert delivery.live("configmap", "settings") == {}

    built = release(team, text, head)
    delivery.wait_passed(head)

    done = json.loads(delivery.run("plan", *_PLACE, "--output", "json").stdout)
    assert done["release"] == {"digest": built["release"], "signed": True}
    assert built["release"] in delivery.run("plan", *_PLACE).stdout
    assert built["release"].partition(":")[2][:12] in delivery.run("status").stdout
    assert planned["blocked"][0]["reason"] == "RELEASE_MISSING"
    assert built["release"] in planned["blocked"][0]["message"]
    assert release_of(delivery) == built["release"]
    digest, images = (built[each].partition(":")[2] for each in ("release", "imageSet"))
    named = {"digest": {"sha256": digest}}
    passed = {**named, "imageSet": {"sha256": images}}
    assert said(team, image) == [("stage-entered", named), ("stage-passed", passed)]


def test_settings_alone_are_another_release_and_pass_anew(delivery: Delivery) -> None:
    team = delivery.team
    image = team.attest(team.image())
    first = objects(image, colour="red")
    head = commit(team, first)
    release(team, first, head)
    delivery.wait_passed(head)
    second = objects(image, colour="green")
    later = commit(team, second)

    delivery.wait_reason("RELEASE_MISSING")
    assert delivery.live("configmap", "settings")["data"] == {"colour": "red"}
    built = release(team, second, later)
    delivery.wait_passed(later)

    assert delivery.live("configmap", "settings")["data"] == {"colour": "green"}
    assert release_of(delivery) == built["release"]
    kinds = [kind for kind, _ in said(team, image)]
    assert kinds == ["stage-entered"] * 2 + ["stage-passed"] * 2
    assert len({str(of) for _, of in said(team, image)}) == 4


def test_what_was_half_applied_is_never_called_applied(delivery: Delivery) -> None:
    """The API server refuses one object of a release; the next one replaces all that was written."""
    team = delivery.team
    image = team.attest(team.image())
    good = objects(image, colour="one") + config_map("other", colour="one")
    head = commit(team, good)
    before = release(team, good, head)["release"]
    delivery.wait_passed(head)
    broken = objects(image, colour="two") + config_map("other", **{"no/key": "two"})
    half = commit(team, broken)
    release(team, broken, half)
    delivery.wait_reason("INVALID")
    assert delivery.live("configmap", "settings")["data"] == {"colour": "two"}
    assert release_of(delivery) == before

    last = objects(image, colour="three") + config_map("other", colour="three")
    final = commit(team, last)
    after = release(team, last, final)["release"]
    delivery.wait_passed(final)

    live = [delivery.live("configmap", name)["data"] for name in ("settings", "other")]
    assert live == [{"colour": "three"}] * 2
    assert release_of(delivery) == after
    applied = [e["applied"] for e in delivery.events() if e["event"] == "application"]
    assert half not in applied


def test_a_manual_edit_is_mended_told_and_counted(delivery: Delivery) -> None:
    team = delivery.team
    image = team.attest(team.image())
    text = objects(image, colour="grey")
    head = commit(team, text)
    release(team, text, head)
    delivery.wait_passed(head)
    patch = json.dumps({"data": {"colour": "pink"}})

    delivery.cluster.kubectl("-n", "shop", "patch", "configmap", "settings", "--patch", patch)
    delivery.wait(partial(_has_colour, delivery, "grey"))

    told = [e for e in delivery.events() if e["event"] == "application.drifted"]
    mended = [e for e in delivery.events() if e["event"] == "application.corrected"]
    assert [e["fields"] for e in told] == [{"core/ConfigMap/shop/settings": ["data[colour]"]}]
    assert [e["objects"] for e in mended] == [["core/ConfigMap/shop/settings"]]
    assert "pink" not in delivery.log_file.read_text()


def test_what_others_added_is_told_and_never_signed_for(delivery: Delivery) -> None:
    """
    An apply leaves it alone, as it is not ours; the gate would refuse it.

    The next release does not run as such before it is gone: a pass would move what never ran.
    """
    team = delivery.team
    image = team.attest(team.image())
    text = objects(image, colour="black")
    head = commit(team, text)
    release(team, text, head)
    delivery.wait_passed(head)
    variable = {"name": "main", "env": [{"name": "LD_PRELOAD", "value": "/lib/x.so"}]}
    patch = {"spec": {"template": {"spec": {"containers": [variable]}}}}

    delivery.cluster.kubectl("-n", "shop", "patch", "deployment", "web", "-p", json.dumps(patch))

    path = "spec.template.spec.containers[0].env"
    delivery.wait(partial(_has_drifted, delivery, {"apps/Deployment/shop/web": [path]}))
    after = objects(image, colour="white")
    later = commit(team, after)
    release(team, after, later)
    delivery.wait_reason("NOT_AS_RELEASED")

    assert delivery.live("configmap", "settings")["data"] == {"colour": "white"}
    assert [k for k, _ in said(team, image)] == ["stage-entered"] * 2 + ["stage-passed"]
    delivery.cluster.kubectl("-n", "shop", "set", "env", "deployment/web", "LD_PRELOAD-")
    delivery.wait_passed(later)
    assert [k for k, _ in said(team, image)] == ["stage-entered"] * 2 + ["stage-passed"] * 2
    assert "/lib/x.so" not in delivery.log_file.read_text()


def test_all_images_of_a_release_pass_or_none_does(delivery: Delivery) -> None:
    """The second never runs: the first, which does, is not signed for without it."""
    team = delivery.team
    first, second = (team.attest(team.image(name)) for name in ("web", "worker"))
    idle = deployment(second, "worker", replicas=0)
    head = commit(team, objects(first) + idle)
    release(team, objects(first) + idle, head)

    delivery.wait_reason("NOTHING_RAN")

    assert [kind for image in (first, second) for kind, _ in said(team, image)] == [
        "stage-entered"
    ] * 2
    both = objects(first) + deployment(second, "worker")
    later = commit(team, both)
    release(team, both, later)
    delivery.wait_passed(later)
    passed = [of for image in (first, second) for k, of in said(team, image) if k == "stage-passed"]
    assert len(passed) == 2
    assert passed[0] == passed[1]


def _has_drifted(delivery: Delivery, fields: dict[str, list[str]]) -> bool:
    told = (e["fields"] for e in delivery.events() if e["event"] == "application.drifted")
    return fields in told


def _partly(stages: list[dict[str, Any]]) -> None:
    require(stages)
    for stage in stages:
        stage["source"]["apply"] = "what-can-be"


def _has_colour(delivery: Delivery, colour: str) -> bool:
    told = [e for e in delivery.events() if e["event"] == "application.corrected"]
    live = delivery.live("configmap", "settings")
    return bool(told) and live["data"] == {"colour": colour}


_PLACE = ("--pipeline", "shop", "--stage", "test")
