from __future__ import annotations

from typing import Any

import pytest

from stagepass.policy.lint import Finding, lint
from tests.world import DROP, policy_set

FREE = {"file": "keys/prod-eu.pub", "owner": "prod-eu"}
BOTH = {**FREE, "clusters": ["prod-eu", "prod-us"]}


def findings(changes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.where) for finding in lint(policy_set(changes))]


def test_the_example_is_clean() -> None:
    assert lint(policy_set()) == []


@pytest.mark.parametrize("key", [FREE, BOTH])
def test_a_key_of_a_stage_with_several_clusters_is_bound_to_one(key: dict[str, Any]) -> None:
    (finding,) = lint(policy_set({"attestors.prod-clusters.keys.0": key}))

    assert finding == Finding(
        "shop: production",
        "key-not-bound",
        "the key of 'prod-eu' in 'prod-clusters' counts for several of the stage's clusters;"
        " bind it with clusters: [ONE]",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"attestors.prod-clusters.keys.0": {**FREE, "clusters": ["prod-eu", "elsewhere"]}},
        {"attestors.prod-clusters.keys.0": FREE, "pipeline.stages.2.clusters": ["prod-eu"]},
    ],
)
def test_a_key_that_counts_in_one_cluster_of_the_stage_is_bound(changes: dict[str, Any]) -> None:
    assert findings(changes) == []


def test_no_owner_signs_for_two_stages_of_a_pipeline() -> None:
    """One stolen key must never open more than its own step."""
    shared = {"pipeline.stages.1.signedBy": ["staging-cluster", "test-cluster"]}

    assert findings(shared) == [("separation-of-duties", "shop: test, staging")]
    (finding,) = lint(policy_set(shared))
    assert finding.message.startswith("test-cluster may sign passes of both stages;")


def test_the_same_person_under_two_keys_is_one_owner() -> None:
    changes = {"attestors.staging-cluster.keys.0.owner": "test-cluster"}

    assert findings(changes) == [("separation-of-duties", "shop: test, staging")]


@pytest.mark.parametrize("stage", [0, 1])
def test_a_stated_reason_silences_separation_of_duties(stage: int) -> None:
    changes = {
        "attestors.staging-cluster.keys.0.owner": "test-cluster",
        f"pipeline.stages.{stage}.allowShared": "one person runs both until May",
    }

    assert findings(changes) == []


def test_findings_of_all_pipelines_come_sorted() -> None:
    changes = {
        "attestors.prod-clusters.keys.0": FREE,
        "attestors.prod-clusters.keys.1.clusters": DROP,
        "pipeline.stages.0.signedBy": ["test-cluster", "staging-cluster"],
    }
    found = lint(policy_set(changes))

    assert found == sorted(found)
    assert [finding.rule for finding in found] == [
        "key-not-bound",
        "key-not-bound",
        "separation-of-duties",
    ]
