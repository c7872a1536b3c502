"""`python -m applier status` says by its state what `stagepass explain` says from the passes alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.delivery import STAGEPASS, Delivery, Team, deployment, one_cluster

pytestmark = pytest.mark.cluster

_STAGES = ("test", "soaking", "closed", "missing", "approved")
_EDGES = [datetime.now(UTC) + timedelta(hours=hours) for hours in (-2, 2)]
_OPENS = _EDGES[1].replace(second=0, microsecond=0)


def _policy(stages: list[dict[str, Any]]) -> None:
    """One cluster and one key for all, a namespace for each, and a reason to wait for all but the first."""
    _, soaking, closed, missing, approved = stages
    for stage in stages:
        stage.update(clusters=["test"], namespaces=[_namespace(stage["name"])], signedBy=["test"])
    for stage in (soaking, closed, approved):
        stage["after"] = ["test"]
    missing["after"] = [{"stage": "soaking", "soak": "10m"}]
    deny = " - ".join(f"{edge:%H:%M}" for edge in _EDGES)
    closed["windows"] = [{"deny": deny, "timezone": "UTC"}]
    approved["requires"] = [{"approval": {"from": ["ci"]}}]


def _namespace(stage: str) -> str:
    return "shop" if stage == "test" else stage


@dataclass(frozen=True, slots=True)
class Place:
    """A version that CI attested, delivered to every stage as far as it may go."""

    delivery: Delivery
    image: str
    commit: str

    def row(self, stage: str) -> dict[str, Any]:
        """The application's line of `status --output json`."""
        done = self.delivery.run("status", "--output", "json")
        rows = {e["application"]: e for e in map(json.loads, done.stdout.splitlines())}
        found: dict[str, Any] = rows.get(f"shop.{stage}", {})
        return found

    def waits(self, stage: str, reason: str | None) -> dict[str, Any]:
        """That line, once the version waits there for `reason`, or for nothing and is passed."""

        def is_so() -> bool:
            row = self.row(stage)
            if reason is None:
                return (row.get("passed") or {}).get("commit") == self.commit
            return ((row.get("waiting") or {}).get("reason")) == reason

        self.delivery.wait(is_so, 60)
        return self.row(stage)

    def explain(self, stage: str, *options: str) -> dict[str, Any]:
        """What `explain --output json` says of the image, from the evidence alone."""
        team = self.delivery.team
        done = subprocess.run(
            [
                *(STAGEPASS, "explain", self.image, "--stage", stage, "--output", "json"),
                *("--policy", str(team.policy), "--evidence", team.sources, "--offline", *options),
            ],
            env={"HOME": str(team.directory)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode in (0, 1), done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("explained")
    with one_cluster(directory) as (server, cluster, _):
        team = Team(directory / "team", server, _STAGES)
        team.write_policy(_policy)
        for stage in _STAGES[1:]:
            cluster.kubectl("create", "namespace", stage)
            cluster.kubectl(
                *("-n", stage, "create", "rolebinding", "deployer", "--clusterrole=admin"),
                "--serviceaccount=shop:deployer",
            )
        with Delivery(team, "test", cluster, directory / "applier") as delivery:
            image = team.attest(team.image())
            text = {
                s: deployment(image).replace("namespace: shop", f"namespace: {_namespace(s)}")
                for s in _STAGES
            }
            commit = team.commit({f"{s}/web.yaml": text[s] for s in _STAGES})
            yield Place(delivery, image, commit)


def test_where_it_passed_both_say_so(place: Place) -> None:
    row, explained = place.waits("test", None), place.explain("test")

    assert row["waiting"] is None
    assert row["ran"] == [place.image.partition("@")[2]]
    assert explained["places"] == [{"pipeline": "shop", "stage": "test"}]
    assert (explained["decision"], explained["missing"]) == ("admitted", [])
    met = place.explain("closed")["requirementsMet"]
    assert [(m["stage"], m["requirement"], m["signer"]) for m in met] == [
        ("closed", "passed test@test", "test")
    ]


def test_where_it_soaks_it_is_admitted_and_has_no_pass_yet(place: Place) -> None:
    row, explained = place.waits("soaking", "SOAKING"), place.explain("soaking")

    assert (row["applied"]["commit"], row["passed"]) == (place.commit, None)
    assert explained["decision"] == "admitted"
    place.delivery.wait(lambda: place.row("soaking")["admittedUntil"])
    assert place.row("soaking")["admittedUntil"] == explained["admittedUntil"] is not None
    [lacking] = place.explain("missing")["missing"]
    assert (lacking["requirement"], lacking["code"]) == ("passed soaking@test", "PASS_MISSING")


@pytest.mark.parametrize(
    ("stage", "requirement", "code", "until"),
    [
        ("closed", "window", "WINDOW_CLOSED", _OPENS),
        ("missing", "passed soaking@test", "PASS_MISSING", None),
        ("approved", "approved by 1 of ci", "APPROVALS_MISSING", None),
    ],
)
def test_where_it_is_blocked_both_name_the_same_reason_and_moment(
    place: Place, stage: str, requirement: str, code: str, until: datetime | None
) -> None:
    def is_so() -> bool:
        waiting = place.row(stage).get("waiting") or {}
        return [each["code"] for each in waiting.get("missing", ())] == [code]

    place.waits("test", None)
    place.delivery.wait(is_so, 60)
    waiting, explained = place.row(stage)["waiting"], place.explain(stage)

    assert waiting["commit"] == place.commit
    assert waiting["missing"] == explained["missing"]
    assert waiting["missing"] == [
        {
            "image": place.image,
            "pipeline": "shop",
            "stage": stage,
            "requirement": requirement,
            "code": code,
        }
    ]
    assert waiting["until"] == explained["until"] == (until and f"{until:%Y-%m-%dT%H:%M:%SZ}")


def test_it_enters_when_the_clock_lets_it_in(place: Place) -> None:
    """An approval dated ahead counts from five minutes before its date; nobody looks again for as long."""
    place.waits("test", None)
    place.delivery.kill()
    place.delivery.more["LOOK"] = "300"
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=40)
    team, told = place.delivery.team, list[str]()
    team.stagepass(
        *("approve", place.image, "--key", str(team.directory / "ci.key"), "--stage", "approved"),
        *("--pipeline", "shop", "--evidence", team.sources),
        *("--now", f"{until + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"),
    )
    place.delivery.start()

    def is_so() -> bool:
        row = place.row("approved")
        waiting = row["waiting"] or {}
        if [each["code"] for each in waiting.get("missing", ())] == ["FUTURE"]:
            told.append(waiting["until"])
        return row["applied"] is not None

    before = place.explain("approved")
    place.delivery.wait(is_so, 90)
    entered = datetime.fromisoformat(place.row("approved")["applied"]["at"])
    assert set(told) == {before["until"]} == {f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    assert until <= entered < until + timedelta(seconds=30)
