from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stagepass.decision import Enforcement
from stagepass.policy.load import PolicyError, load
from stagepass.policy.model import Edge, PolicySet
from tests.world import DAY, DROP, POLICY, policy_files, policy_set, signer

PIPELINE = """\
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: NAME}
images: ["registry.example.com/NAME/**"]
stages:
  - {name: test, clusters: [test], namespaces: [NAME]}
"""


ATTESTORS = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors: {more: {keys: [{file: m.pub, owner: m}]}}
"""


def errors(changes: dict[str, Any], extra: dict[str, str] | None = None) -> list[str]:
    """Every error of the changed set, as a person reads it."""
    with pytest.raises(PolicyError) as caught:
        policy_set(changes, extra=extra)
    return [str(error) for error in caught.value.errors]


def test_the_example_loads_with_every_field_in_its_place() -> None:
    policy = policy_set()
    (pipeline,) = policy.pipelines
    test, staging, production = pipeline.stages
    staging_key = policy.attestors["staging-cluster"].keys[0]
    eu, us = policy.attestors["prod-clusters"].keys

    assert (pipeline.name, [p.text for p in pipeline.images]) == (
        "shop",
        ["registry.example.com/shop/**"],
    )
    assert [need.name for need in test.requires] == ["provenance"]
    assert (test.enforcement, test.allow_shared) == (Enforcement.ENFORCE, "")
    assert staging.after == (Edge("test"),)
    assert production.after == (Edge("staging", DAY, 30 * DAY),)
    assert production.clusters == ("prod-eu", "prod-us")
    assert [n.text for n in production.namespaces] == ["shop", "shop-*"]
    assert staging_key.valid_until == datetime(2027, 1, 1, tzinfo=UTC)
    assert [sorted(key.clusters or ()) for key in (eu, us)] == [["prod-eu"], ["prod-us"]]
    assert policy.unlisted is Enforcement.ENFORCE
    assert policy.keys.owners[signer("ci").private.public.id] == "ci"
    assert policy.hosts() == {"registry.example.com"}
    assert policy.clusters() == {"test", "staging", "prod-eu", "prod-us"}
    assert {(a.name, k.owner) for a, k in policy.all_keys()} >= {("prod-clusters", "prod-us")}


def test_a_set_may_be_split_over_files_documents_and_directories() -> None:
    extra = {
        "teams/cart/pipeline.yml": PIPELINE.replace("NAME", "cart"),
        "teams/attestors.yaml": ATTESTORS,
        "teams/m.pub": signer("m").public_pem.decode(),
        "README.md": "not: [policy",
        "empty.yaml": "---\n---\n",
    }
    policy = policy_set(extra=extra)

    assert [p.name for p in policy.pipelines] == ["cart", "shop"]
    assert "more" in policy.attestors


def test_documents_may_stand_in_any_order_in_any_file() -> None:
    documents = POLICY.split("---\n")
    files = {**policy_files(), "policy.yaml": "---\n".join(reversed(documents)).encode()}
    split = {k: v for k, v in policy_files().items() if k != "policy.yaml"}
    split |= {f"{i}.yaml": text.encode() for i, text in enumerate(documents)}

    def shown(policy: PolicySet) -> str:
        return repr((policy.attestors, policy.pipelines, policy.unlisted))

    assert shown(load(files, "")) == shown(load(split, "")) == shown(policy_set())


@pytest.mark.parametrize(
    ("path", "value", "where", "message", "meant"),
    [
        ("pipeline.stages.1.afer", ["test"], "stages[1].afer", "unknown key", "after"),
        ("pipeline.stages.1.signedby", ["ci"], "stages[1].signedby", "unknown key", "signedBy"),
        (
            *("pipeline.stages.0.requires.0.attestation.predicate", "x"),
            *("stages[0].requires[0].attestation.predicate", "unknown key", "predicateType"),
        ),
        (
            *("attestors.ci.keys.0.validTill", "x"),
            *("attestors.ci.keys[0].validTill", "unknown key", "validUntil"),
        ),
        ("defaults.unlisted", "dney", "unlisted", "'dney' is none of deny, warn, audit", "deny"),
        (
            *("pipeline.stages.0.enforcement", "enforced", "stages[0].enforcement"),
            *("'enforced' is none of enforce, warn, audit", "enforce"),
        ),
        ("pipeline.kind", "Pipelin", "", "kind 'Pipelin' is not a policy kind", "Pipeline"),
        (
            *("pipeline.apiVersion", "stagepass.dev/v2", "apiVersion"),
            *("'stagepass.dev/v2' is none of stagepass.dev/v1", "stagepass.dev/v1"),
        ),
        (
            *("pipeline.stages.1.signedBy", ["staging-clustr"], "stages[1].signedBy[0]"),
            *("no attestor is called 'staging-clustr'", "staging-cluster"),
        ),
        (
            *("pipeline.stages.0.requires.0.attestation.from", ["cii"]),
            *("stages[0].requires[0].attestation.from[0]", "no attestor is called 'cii'", "ci"),
        ),
        (
            *("pipeline.stages.1.after", ["tset"]),
            *("stages[1].after[0]", "no stage is called 'tset'", "test"),
        ),
    ],
)
def test_a_misspelt_word_is_refused_with_its_place_and_the_word_that_was_meant(
    path: str, value: Any, where: str, message: str, meant: str
) -> None:
    """CVE-2025-29778: a misspelt field that is only ignored admits everything."""
    with pytest.raises(PolicyError) as caught:
        policy_set({path: value})

    (error,) = caught.value.errors
    assert error.where == (f"policy.yaml: {where}" if where else "policy.yaml")
    assert (error.message, error.hint) == (message, f"did you mean {meant!r}?")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"pipeline.stages.0.name": DROP}, "stages[0]: the key 'name' is missing"),
        ({"pipeline.stages.2.clusters": DROP}, "stages[2]: the key 'clusters' is missing"),
        ({"pipeline.stages.2.namespaces": []}, "stages[2].namespaces: the list is empty"),
        ({"pipeline.images": DROP}, "the key 'images' is missing"),
        ({"pipeline.metadata": DROP}, "the key 'metadata' is missing"),
        ({"pipeline.stages.2.clusters": "prod-eu"}, "stages[2].clusters: 'prod-eu' is not a list"),
        ({"pipeline.stages.1.after": "test"}, "stages[1].after: 'test' is not a list"),
        (
            {"pipeline.stages.1.after": [{"soak": "1h"}]},
            "stages[1].after[0]: the key 'stage' is missing",
        ),
        (
            {"pipeline.stages.0.requires": [None]},
            "stages[0].requires[0]: wants exactly one of attestation, approval",
        ),
        ({"pipeline.stages.0.name": 7}, "stages[0].name: 7 is not text (put it in quotes)"),
        ({"pipeline.stages.0.name": ""}, "stages[0].name: '' is not text"),
        ({"pipeline.stages.2.after.0.soak": "1 day"}, "after[0].soak: '1 day' is not a duration"),
        ({"pipeline.stages.2.after.0.maxAge": 30}, "after[0].maxAge: 30 is not text"),
        ({"pipeline.stages.2.after.0.clusters": "some"}, "'some' is none of all, any"),
        (
            {"attestors.ci.keys.0.validFrom": "2026-11-26"},
            "validFrom: '2026-11-26' is not an RFC 3339",
        ),
        (
            {"pipeline.images": ["shop/**"]},
            "images[0]: 'shop/**' does not start with a registry host",
        ),
        (
            {"pipeline.stages.2.namespaces": ["Shop"]},
            "namespaces[0]: 'Shop' is not a namespace name",
        ),
        ({"attestors": {}}, "attestors: an object is not a mapping of names"),
        ({"attestors.ci.keys": []}, "attestors.ci.keys: the list is empty"),
        ({"attestors.ci.keys.0.owner": DROP}, "attestors.ci.keys[0]: the key 'owner' is missing"),
    ],
)
def test_a_missing_or_misshapen_field_is_refused_with_its_place(
    changes: dict[str, Any], error: str
) -> None:
    assert any(found.startswith("policy.yaml: ") and error in found for found in errors(changes))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pipeline.stages.2.source", {"git": "x"}),
        ("attestors.ci.identities", [{"issuer": "x"}]),
    ],
)
def test_what_this_version_does_not_enforce_refuses_to_load(path: str, value: Any) -> None:
    """A rule that were read and left out would admit what its author forbade."""
    assert errors({path: value})


def test_a_duration_may_be_written_in_parts() -> None:
    policy = policy_set({"pipeline.stages.2.after.0": {"stage": "staging", "soak": "1d12h"}})

    assert policy.pipelines[0].stages[2].after == (Edge("staging", timedelta(hours=36)),)
