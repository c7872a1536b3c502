from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import workload
from bench.figures import Goal, Is, Row
from bench.pod import review
from stagepass.digest import Digest
from stagepass.manifests.compare import differences
from stagepass.policy.releases import ReleaseRule

ROOT = Path(__file__).parents[2]
IMAGE = f"registry.example.com/shop/checkout@sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """What a quick run says: real servers, few rounds."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--output", "json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _rows(result: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    (section,) = (each for each in result["sections"] if each["name"] == name)
    return {row["measure"]: row for row in section["rows"]}


def test_every_section_reports(result: dict[str, Any]) -> None:
    names = [section["name"] for section in result["sections"]]
    assert names == ["warm", "cold", "start", "storm", "turns", "manifests"]
    assert {"machine", "peers"} <= result.keys()
    for section in result["sections"]:
        assert section["note"]
        assert section["rows"]


def test_a_row_holds_a_figure_beside_its_reference_and_goal(result: dict[str, Any]) -> None:
    for section in result["sections"]:
        for row in section["rows"]:
            assert row.keys() == {"measure", "unit", "ours", "reference", "ratio", "goal", "met"}
            assert row["ours"] >= 0
            assert (row["met"] is None) == (row["goal"] is None)


@pytest.mark.parametrize(("passes", "requests"), [("1 pass", 3), ("3 passes", 7), ("6 passes", 13)])
def test_n_passes_cost_one_listing_n_manifests_and_n_blobs(
    result: dict[str, Any], passes: str, requests: int
) -> None:
    """Counted at the registry, in every round: at both latencies, with one client and with eight."""
    row = _rows(result, "cold")[f"{passes}: requests a review"]

    assert row["ours"] == requests
    assert row["met"] is True


@pytest.mark.parametrize("clients", ["1 client", "8 clients", "50 clients"])
def test_the_warm_gate_is_measured_beside_a_static_answer(
    result: dict[str, Any], clients: str
) -> None:
    rows = _rows(result, "warm")

    assert rows[f"{clients}: CPU a review"]["reference"] > 0
    assert rows[f"{clients}: reviews a second"]["reference"] > 0


@pytest.mark.parametrize("way", ["as shipped", "without the directory"])
def test_a_storm_of_one_digest_costs_at_most_one_set_of_reads_a_worker(
    result: dict[str, Any], way: str
) -> None:
    rows = _rows(result, "storm")
    asked = rows[f"{way}, 40 reviews: registry requests"]

    assert 1 + 2 * 3 <= asked["ours"] <= 2 * (1 + 2 * 3)
    assert asked["met"] is True
    assert rows[f"{way}, 40 reviews: not admitted"]["ours"] == 0


@pytest.mark.parametrize(
    "way",
    ["as shipped, 1 connection", "as shipped, 2 workers", "without the directory, 1 connection"],
)
def test_images_posted_in_turn_again_are_not_read_again(result: dict[str, Any], way: str) -> None:
    row = _rows(result, "turns")[f"{way}: registry requests"]

    assert row["reference"] == 8 * (1 + 2 * 3)
    assert row["ours"] == 0


def test_workers_without_a_shared_cache_read_each_image_at_most_once(
    result: dict[str, Any],
) -> None:
    """Which worker an image comes to is chance, so no goal is set here."""
    row = _rows(result, "turns")["without the directory, 2 workers: registry requests"]

    assert row["ours"] <= row["reference"] == 8 * (1 + 2 * 3)


@pytest.mark.parametrize("how", ["unchanged", "changed"])
@pytest.mark.parametrize("clients", ["1 client", "8 clients"])
def test_a_manifest_is_judged_beside_the_images_of_the_same_object(
    result: dict[str, Any], how: str, clients: str
) -> None:
    """Every answer of both was an admission, or nothing would have been reported."""
    row = _rows(result, "manifests")[f"{how}, {clients}: CPU a review"]

    assert row["reference"] > 0
    assert row["goal"] == "<= 2"


def test_a_mirror_answers_a_cold_manifest_decision_without_a_registry(
    result: dict[str, Any],
) -> None:
    """Counted at the registry, which holds all of it as well, and is asked where there is no mirror."""
    row = _rows(result, "manifests")["cold, mirror: registry requests a review"]

    assert row["ours"] == 0
    assert row["met"] is True
    # An image, its three passes and the objects of its release: the line is listed less often.
    assert row["reference"] >= 1 + 2 * 3 + 1


def test_a_release_of_whole_processes_is_timed_and_weighed(result: dict[str, Any]) -> None:
    rows = _rows(result, "manifests")

    for what in ("(0.0 MB of YAML) built", "signed and stored", "verified"):
        assert rows[f"release of 40 objects {what}"]["ours"] > 0
        assert rows[f"release of 40 objects {what}: peak memory"]["ours"] > 10


def test_peers_say_where_their_figures_come_from(result: dict[str, Any]) -> None:
    assert "not comparable" in result["peers"]["note"]
    for peer in result["peers"]["rows"]:
        assert len(peer["cpu_ms"]) == 3
        assert peer["source"]


@pytest.mark.parametrize(
    ("relation", "figure", "met"),
    [
        (Is.AT_MOST, 2.0, True),
        (Is.AT_MOST, 2.1, False),
        (Is.AT_LEAST, 2.0, True),
        (Is.AT_LEAST, 1.9, False),
        (Is.EXACTLY, 2.0, True),
        (Is.EXACTLY, 2.5, False),
    ],
)
def test_a_goal_is_about_the_ratio_where_there_is_one(
    relation: Is, figure: float, met: bool
) -> None:
    goal = Goal(relation, 2)

    assert Row("m", "ms", ours=99.0, ratio=figure, goal=goal).met is met
    assert Row("m", "ms", ours=figure, goal=goal).met is met


def test_the_deployment_has_50_kb_and_updates_another() -> None:
    rendered = workload.deployment([IMAGE, IMAGE], "live")
    new = workload.live(rendered)
    old = workload.before(new, Digest.of(b"x"))

    assert 48_000 < len(json.dumps(new, separators=(",", ":"))) < 52_000
    assert differences(rendered, new, ReleaseRule(("ci",))) == []
    assert [d.path for d in differences(rendered, old, ReleaseRule(("ci",)))] == [
        "spec.replicas",
        "spec.template.spec.containers[0].image",
    ]


def test_the_reviewed_pod_has_a_real_ones_size() -> None:
    assert 6_500 < len(review([IMAGE, IMAGE], "shop")) < 7_500
