"""What stands once in a policy set, and what stages may say about each other."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.policy.load import PolicyError, load
from tests.world import DROP, POLICY, policy_files, policy_set

STAGE = {"name": "extra", "clusters": ["extra"], "namespaces": ["shop"]}
SECOND_PIPELINE = """\
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: ["registry.example.com/cart/**"]
stages:
  - {name: test, clusters: [test], namespaces: [cart]}
"""


def errors(changes: dict[str, Any], extra: dict[str, str] | None = None) -> list[str]:
    """Every error of the changed set, as a person reads it."""
    with pytest.raises(PolicyError) as caught:
        policy_set(changes, extra=extra)
    return [str(error) for error in caught.value.errors]


def only_error(changes: dict[str, Any], extra: dict[str, str] | None = None) -> str:
    (error,) = errors(changes, extra)
    return error


def test_a_set_has_exactly_one_document_of_defaults() -> None:
    two = "apiVersion: stagepass.dev/v1\nkind: Defaults\n"
    without = POLICY.rpartition("---\n")[0]

    with pytest.raises(PolicyError, match="the set: 0 documents of kind Defaults; exactly one"):
        load(policy_files(without), "")
    assert only_error({"defaults.unlisted": "warn"}, {"a.yaml": two}) == (
        "a.yaml, policy.yaml: 2 documents of kind Defaults; exactly one is wanted"
    )
    with pytest.raises(PolicyError, match="0 documents of kind Defaults"):
        load({}, "")


PROVENANCE_AGAIN = {"attestation": {"name": "provenance", "from": ["ci"], "predicateType": "x"}}
CI_AGAIN = {"file": "./keys/ci.pub", "owner": "ci", "clusters": ["test"]}
STAGING_AGAIN = ["staging", {"stage": "staging", "soak": "1h"}]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"pipeline.stages.1.name": "test"}, "two stages are called 'test'"),
        (
            {"pipeline.stages.0.requires.1": PROVENANCE_AGAIN},
            "two requirements are called 'provenance'",
        ),
        (
            {"pipeline.stages.2.after": STAGING_AGAIN},
            "stages[2].after[1]: comes after 'staging' twice",
        ),
        (
            {"attestors.ci.keys.1": CI_AGAIN},
            "attestors.ci.keys[1].file: the key stands twice in 'ci'",
        ),
    ],
)
def test_a_name_stands_once(changes: dict[str, Any], error: str) -> None:
    """Of two edges to one stage, or two windows of one key, one would silently win."""
    assert any(error in found for found in errors(changes))


def test_a_pipeline_is_defined_once_in_the_whole_set() -> None:
    (error,) = errors({}, {"x.yaml": SECOND_PIPELINE})

    assert error == "x.yaml: metadata.name: two pipelines are called 'shop'"


def test_an_attestor_is_defined_once_in_the_whole_set() -> None:
    again = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors: {ci: {keys: [{file: keys/scanner.pub, owner: scanner}]}}
"""

    with pytest.raises(PolicyError, match="the attestor 'ci' is defined twice"):
        policy_set(extra={"x.yaml": again})


def test_one_key_has_one_owner_in_the_whole_set() -> None:
    """Thresholds and separation of duties count owners: two names of one key would be two people."""
    error = only_error({"attestors.scanner.keys.0.file": "keys/ci.pub"})

    assert error == (
        "policy.yaml: attestors.scanner.keys[0].owner: this key already belongs to 'ci'"
        " (policy.yaml: attestors.ci.keys[0]) (a key has one owner in the whole set)"
    )


@pytest.mark.parametrize(
    ("after", "cycle"),
    [
        (
            {"pipeline.stages.0.after": ["production"]},
            "test after production after staging after test",
        ),
        ({"pipeline.stages.1.after": ["staging"]}, "staging after staging"),
    ],
)
def test_stages_that_wait_for_each_other_are_refused(after: dict[str, Any], cycle: str) -> None:
    assert only_error(after) == f"policy.yaml: stages: stages wait for each other: {cycle}"


def test_a_stage_that_another_comes_after_must_say_who_signs_its_passes() -> None:
    assert only_error({"pipeline.stages.0.signedBy": DROP}) == (
        "policy.yaml: stages[0]: 'staging' comes after 'test', so somebody must sign its passes"
        " (add signedBy)"
    )
    assert policy_set({"pipeline.stages.2.signedBy": DROP}).pipelines[0].stages[2].signed_by == ()


@pytest.mark.parametrize("namespaces", [["shop"], ["sh*"], ["cart", "*-eu"], ["shop-eu"], ["*"]])
def test_two_stages_of_a_pipeline_never_name_the_same_place(namespaces: list[str]) -> None:
    clash = {**STAGE, "clusters": ["extra", "prod-us"], "namespaces": namespaces}

    assert only_error({"pipeline.stages.3": clash}) == (
        "policy.yaml: stages[3]: 'extra' and 'production' name the same place in cluster 'prod-us'"
        " (give each stage namespaces of its own)"
    )


def test_stages_may_share_a_cluster_or_a_namespace_but_not_both() -> None:
    apart = {**STAGE, "clusters": ["prod-us", "x"], "namespaces": ["cart", "shop2", "ashop"]}

    assert len(policy_set({"pipeline.stages.3": apart}).pipelines[0].stages) == 4
