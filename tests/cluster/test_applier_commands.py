"""The applier's other commands, `status`, `plan` and `dlq`, and the dead letters they are about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from applier.cluster import Cluster
from applier.deadletters import Letter, LetterState
from applier.failure import Reason
from applier.records_letters import ConfigMapLetters, Letters, letters_of
from applier.state import Version
from tests.cluster.applier_site import Site, application, break_it, deploy, make_site
from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import APPLIER, ROOT, Delivery, Team, config_map
from tests.simulators.git import GitServer

pytestmark = pytest.mark.cluster

_NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with make_site(tmp_path_factory.mktemp("records")) as running:
        yield running


def test_a_version_that_is_given_up_becomes_one_letter_and_resolves_itself(site: Site) -> None:
    site.apply(application())
    good = deploy(site)
    bad = break_it(site)
    site.delivery.wait(lambda: site.delivery.last().get("dead") is True)

    [letter] = [e for e in site.letters() if e["revision"]["commit"] == bad]
    assert letter["state"] == "Open"
    assert (letter["application"], letter["reason"]) == ("shop.test", "OBJECT_REFUSED")
    assert (letter["phase"], letter["attempts"]) == ("Plan", 4)
    assert letter["objects"] == ["core/ConfigMap/kube-system/other"]
    assert letter["firstSeen"] <= letter["lastSeen"]
    assert len(letter["revision"]["tree"]) == 40
    site.delivery.wait(lambda: site.condition("shop-test", "Stalled")[0] == "True")
    assert site.delivery.last()["applied"] == good
    assert site.metric("stagepass_applier_dead_letters_open") <= 1
    heading, *rows = site.kubectl("get", "deadletters").splitlines()
    assert heading.split()[:6] == ["NAME", "APPLICATION", "STATE", "PHASE", "REASON", "COMMIT"]
    assert any(row.split()[2:6] == ["Open", "Plan", "OBJECT_REFUSED", bad] for row in rows)
    changed = site.get("deadletter", letter["name"])
    changed["spec"]["reason"] = "INVALID"
    assert "never change" in site.apply(changed, check=False)
    shown = site.delivery.run("dlq", "show", letter["name"])
    assert shown.returncode == 1
    assert "an object that this source may not bring" in shown.stdout

    site.delivery.kill()  # and once more from the start: neither doubled nor lost
    site.delivery.start()
    site.delivery.wait_reason("OBJECT_REFUSED")
    assert len([e for e in site.letters() if e["revision"]["commit"] == bad]) == 1

    deploy(site)
    site.kubectl("wait", "--for=condition=Ready", f"dlq/{letter['name']}", "--timeout=30s")
    [letter] = [e for e in site.letters() if e["revision"]["commit"] == bad]
    assert letter["state"] == "Resolved"
    assert letter["because"]
    site.delivery.wait(lambda: len(_told(site, letter["name"])) > 1)
    given_up, resolved = _told(site, letter["name"])  # each once, also across the kill
    assert given_up == ("Warning", "OBJECT_REFUSED", letter["message"])
    assert resolved == ("Normal", "Resolved", letter["because"])


def _told(site: Site, letter: str) -> list[tuple[str, str, str]]:
    """(type, reason, message) of a letter's events, oldest first."""
    found = json.loads(site.kubectl("get", "events", "-o", "json"))["items"]
    ours = [e for e in found if e["involvedObject"]["name"] == letter]
    ours.sort(key=lambda each: each["lastTimestamp"])
    return [(each["type"], each["reason"], each["message"]) for each in ours]


def test_a_letter_is_tried_again_and_closed(site: Site) -> None:
    deploy(site)
    bad = break_it(site)
    site.delivery.wait(lambda: site.delivery.last().get("dead") is True)
    [letter] = [e for e in site.letters() if e["revision"]["commit"] == bad]
    name = letter["name"]

    assert site.delivery.run("dlq", "redrive", name).returncode == 0
    site.delivery.wait(lambda: site.get("deadletter", name)["status"].get("redriven"))
    site.delivery.wait(lambda: site.get("deadletter", name)["status"].get("attempts") == 4)
    assert site.get("deadletter", name)["status"]["state"] == "Open"

    assert site.delivery.run("dlq", "close", name, "--reason", "nobody wants it").returncode == 0
    site.delivery.wait(lambda: site.get("deadletter", name)["status"]["state"] == "Closed")
    assert site.delivery.run("dlq", "redrive", name).returncode == 64
    site.delivery.kill()
    site.delivery.start()
    steps = "stagepass_applier_steps_total"
    site.delivery.wait(lambda: listens(site, steps) >= 2)
    assert site.get("deadletter", name)["status"]["because"] == "nobody wants it"
    assert site.get("deadletter", name)["status"]["state"] == "Closed"
    assert site.delivery.run("dlq", "show", "nothing").returncode == 64
    deploy(site)


def listens(site: Site, name: str) -> float:
    try:
        return site.metric(name)
    except OSError:
        return 0.0


def test_a_plan_says_what_would_be_done_and_does_nothing(site: Site) -> None:
    commit = deploy(site)
    site.delivery.kill()
    image = site.team.attest(site.team.image())
    newer = site.team.deploy(image, more=config_map("settings", colour="blue"))
    before = len(site.requests())

    done = site.delivery.run("plan", "--pipeline", "shop", "--stage", "test", "--output", "json")

    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert said["commit"] == newer
    assert said["create"] == ["core/ConfigMap/shop/settings"]
    [update] = said["update"]
    assert update["object"] == "apps/Deployment/shop/web"
    assert any("image" in field for field in update["fields"])
    assert said["blocked"] == []
    asked = site.requests()[before:]
    assert asked
    assert {verb for verb, _ in asked} <= {"get", "list"}
    status = site.delivery.run("status")
    assert commit[:12] in status.stdout

    site.team.deploy(site.team.image())
    blocked = site.delivery.run("plan", "--pipeline", "shop", "--stage", "test")
    assert blocked.returncode == 1
    assert "NOT_ADMITTED" in blocked.stdout
    assert site.delivery.run("plan", "--pipeline", "shop", "--stage", "tset").returncode == 64
    site.delivery.start()


def test_status_names_what_is_waited_for_and_what_cannot_be_fetched(site: Site) -> None:
    commit = deploy(site)
    newer = site.team.deploy(site.team.image())
    site.delivery.wait_reason("NOT_ADMITTED")

    done = site.delivery.run("status", "--output", "json")
    row = json.loads(done.stdout.splitlines()[0])
    assert row["application"] == "shop.test"
    assert (row["applied"]["commit"], row["passed"]["commit"]) == (commit, commit)
    assert row["ready"] is True
    assert (row["waiting"]["reason"], row["waiting"]["commit"]) == ("NOT_ADMITTED", newer)
    assert done.returncode == 0
    table = site.delivery.run("status").stdout
    assert "NOT_ADMITTED" in table

    site.team.repository.point("refs/heads/main", None)
    site.delivery.wait(lambda: "REF_MISSING" in site.delivery.run("status").stdout)
    assert newer[:12] not in table.splitlines()[0]


@pytest.fixture(params=["objects", "config maps"])
def letters(request: pytest.FixtureRequest, control_plane: ControlPlane) -> Letters:
    """Both places for letters, in a new namespace."""
    cluster = Cluster.connect(control_plane.directory / "kubeconfig")
    namespace = control_plane.namespace("letters")
    if request.param == "config maps":
        return ConfigMapLetters(cluster, namespace)
    control_plane.kubectl("apply", "-k", str(ROOT / "deploy" / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return letters_of(cluster, namespace)


def test_both_places_keep_the_same_record(letters: Letters) -> None:
    """What people ask for survives whatever the applier writes later."""
    letter = Letter(
        application="shop.test",
        reason=Reason.CONFLICT,
        version=Version("a" * 40, "b" * 40, "Add a [bold] thing"),
        state=LetterState.OPEN,
        message="another manager owns it",
        objects=("apps/Deployment/shop/web",),
        attempts=4,
        first=_NOON,
        last=_NOON,
    )
    letters.put(letter, _NOON)
    assert letters.all() == [letter]

    letters.ask(letter.name, redrive="2026-11-02T12:00:01Z")
    asked = letters.get(letter.name)
    assert asked is not None
    assert asked.is_redriven
    letters.put(letter, _NOON)
    assert letters.get(letter.name) == asked

    letters.ask(letter.name, close="nobody wants it")
    closed = letters.get(letter.name)
    assert closed is not None
    assert not closed.is_open
    letters.put(closed.closed(), _NOON)
    assert [e.state for e in letters.all()] == [LetterState.CLOSED]
    letters.remove(letter.name)
    letters.remove(letter.name)
    assert letters.all() == []


def test_without_the_crds_letters_are_config_maps(tmp_path: Path) -> None:
    """And the applier runs as ever."""
    for name in ("git", "team", "cluster", "applier"):
        (tmp_path / name).mkdir()
    with (
        GitServer(tmp_path / "git") as server,
        ControlPlane(tmp_path / "cluster") as cluster,
        Delivery(
            Team(tmp_path / "team", server), "test", cluster, tmp_path / "applier"
        ) as delivery,
    ):
        bad = delivery.team.commit({"test/a.yaml": config_map("a").replace("shop", "kube-system")})
        delivery.wait(lambda: delivery.last().get("dead") is True)

        assert [e["event"] for e in delivery.events()].count("applier.no_crds") == 1
        listed = delivery.run("dlq", "ls", "--output", "json")
        [letter] = [json.loads(line) for line in listed.stdout.splitlines()]
        assert (letter["state"], letter["revision"]["commit"]) == ("Open", bad)
        cluster.kubectl("-n", APPLIER, "get", "configmap", letter["name"])
        assert delivery.run("dlq", "redrive", letter["name"]).returncode == 0
        delivery.wait(lambda: "dead_letter.redriven" in [e["event"] for e in delivery.events()])
        assert delivery.run("dlq", "ls").returncode == 1
