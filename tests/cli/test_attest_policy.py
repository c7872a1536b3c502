"""`attest --policy`: the key may sign, the stage admits, and what the policy leaves is filled in."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass import strictjson
from stagepass.bundle import Bundle
from stagepass.digest import Digest
from stagepass.policy.store import load_directory
from tests.cli.conftest import Shop
from tests.world import (
    DIGEST,
    OTHER_IMAGE,
    PROVENANCE,
    signed_claim,
    signed_pass,
    stored,
    write_policy,
)


def attest(shop: Shop, stage: str, key: str, *arguments: str, **options: str) -> Any:
    return shop.attest(
        *("--stage", stage, "--key", shop.key(key), "--policy", str(shop.policy)),
        *arguments,
        **options,
    )


def newest_predicate(shop: Shop, before: list[Any]) -> dict[str, Any]:
    (path,) = set(shop.bundles()) - set(before)
    payload = Bundle.parse(path.read_bytes()).envelope.payload
    found: dict[str, Any] = strictjson.loads_object(payload, max_bytes=1 << 16, max_depth=9)[
        "predicate"
    ]
    return found


def test_the_whole_way_to_production_in_four_commands(shop: Shop) -> None:
    """Each stage asks for the pass of the one before, and nobody says a cluster or a pipeline."""
    file = shop.root / "predicate.json"
    file.write_text("{}")
    watched = ["--observed-from", "2026-11-25T12:00:00Z"]
    vulnerabilities = "https://cosign.sigstore.dev/attestation/vuln/v1"

    assert shop.verify("test").code == 1
    for kind, key in ((PROVENANCE, "ci"), (vulnerabilities, "scanner")):
        claim = ["--type", kind, "--predicate", str(file)]
        assert shop.attest("--key", shop.key(key), *claim).code == 0
    assert shop.verify("test").code == 0
    assert shop.verify("staging").code == 1
    assert attest(shop, "test", "test-cluster").code == 0
    assert shop.verify("staging").code == 0
    assert attest(shop, "staging", "staging-cluster", *watched).code == 0
    assert shop.verify("production").code == 0
    assert shop.verify("production", image=str(OTHER_IMAGE)).code == 1


def test_what_the_policy_leaves_is_filled_in_and_what_was_judged_is_recorded(shop: Shop) -> None:
    test_pass = signed_pass("test")
    stored(shop.evidence, [test_pass])
    before = shop.bundles()
    assert attest(shop, "staging", "staging-cluster").code == 0
    predicate = newest_predicate(shop, before)

    assert (predicate["pipeline"], predicate["stage"]) == ("shop", "staging")
    assert predicate["environment"] == {"clusterName": "staging", "namespace": "shop"}
    assert predicate["policy"] == {
        "digest": {"sha256": load_directory(shop.policy).revision},
    }
    (taken,) = predicate["inputAttestations"]
    payload = Bundle.parse(test_pass).envelope.payload
    assert taken["digest"]["sha256"] == Digest.of(payload).hex


@pytest.mark.parametrize("key", ["ci", "staging-cluster", "prod-eu", "stranger"])
def test_a_key_that_may_not_sign_for_the_stage_is_refused_before_it_signs(
    shop: Shop, key: str
) -> None:
    shop.prove()
    before = shop.bundles()
    result = attest(shop, "test", key)

    assert (result.code, shop.bundles()) == (1, before)
    assert [v["code"] for v in result.line["violations"]] == ["SIGNER_UNKNOWN"]
    assert result.line["decision"] == "denied"


def test_a_key_bound_to_another_cluster_may_not_sign(shop: Shop) -> None:
    shop.prove()
    place = ["--cluster", "prod-us", "--namespace", "shop"]

    assert attest(shop, "production", "prod-eu", *place).code == 1
    assert attest(shop, "production", "prod-us", *place).code == 0


def test_a_key_outside_its_window_may_not_sign(shop: Shop) -> None:
    shop.prove()
    late = {"attestors.test-cluster.keys.0.validFrom": "2026-11-26T12:00:01Z"}
    write_policy(shop.policy, late)

    assert attest(shop, "test", "test-cluster").code == 1


@pytest.mark.parametrize("enforcement", ["enforce", "warn", "audit"])
def test_what_the_stage_does_not_admit_is_not_signed_whatever_is_enforced(
    shop: Shop, enforcement: str
) -> None:
    """A pass of a version that should never have been there would launder it."""
    write_policy(shop.policy, {"pipeline.stages.1.enforcement": enforcement})
    result = attest(shop, "staging", "staging-cluster")

    assert (result.code, shop.bundles()) == (1, [])
    assert result.line["violations"][0]["code"] == "PASS_MISSING"


def test_when_it_cannot_be_found_out_nothing_is_signed(shop: Shop) -> None:
    shop.evidence.mkdir()
    (shop.evidence / f"sha256-{DIGEST.hex}").write_text("no folder")
    result = attest(shop, "test", "test-cluster")

    assert result.code == 2
    assert result.line["decision"] == "undetermined"


@pytest.mark.parametrize(
    ("stage", "key", "arguments", "reason"),
    [
        ("production", "prod-eu", [], "several clusters: prod-eu, prod-us (give --cluster)"),
        (
            "production",
            "prod-eu",
            ["--cluster", "prod-eu"],
            "several namespaces (give --namespace)",
        ),
        ("production", "prod-eu", ["--cluster", "staging"], "staging/shop is no place of stage"),
        ("test", "test-cluster", ["--namespace", "other"], "test/other is no place of stage"),
        ("tset", "test-cluster", [], "no stage is called 'tset' (did you mean 'test'?)"),
        ("test", "test-cluster", ["--pipeline", "shp"], "no pipeline is called 'shp'"),
    ],
)
def test_where_the_policy_leaves_several_choices_or_none_the_command_is_refused(
    shop: Shop, stage: str, key: str, arguments: list[str], reason: str
) -> None:
    shop.prove()
    before = shop.bundles()
    result = attest(shop, stage, key, *arguments)

    assert (result.code, shop.bundles()) == (64, before)
    assert reason in result.err


def test_a_namespace_that_a_pattern_names_can_be_given(shop: Shop) -> None:
    shop.prove()
    place = ["--cluster", "prod-eu", "--namespace", "shop-blue"]

    assert attest(shop, "production", "prod-eu", *place).code == 0


def test_a_stage_of_several_pipelines_needs_to_be_told_apart(shop: Shop) -> None:
    second = """\
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: second}
images: ["registry.example.com/shop/**"]
stages: [{name: test, clusters: [test], namespaces: [other], signedBy: [test-cluster]}]
"""
    write_policy(shop.policy, extra={"second.yaml": second})
    stored(shop.evidence, [signed_claim(PROVENANCE, "ci")])
    result = attest(shop, "test", "test-cluster")

    assert result.code == 64
    assert "several pipelines have a stage 'test': second, shop (give --pipeline)" in result.err
    assert attest(shop, "test", "test-cluster", "--pipeline", "shop").code == 0


def test_an_image_that_no_pipeline_covers_is_not_signed(shop: Shop) -> None:
    result = attest(shop, "test", "test-cluster", image=f"docker.io/library/nginx@{DIGEST}")

    assert (result.code, shop.bundles()) == (1, [])
    assert result.line["violations"][0]["code"] == "UNLISTED"


def test_a_policy_that_does_not_load_signs_nothing(shop: Shop) -> None:
    (shop.policy / "policy.yaml").write_text("kind: Nonsense\n")
    result = attest(shop, "test", "test-cluster")

    assert (result.code, shop.bundles()) == (64, [])
    assert "error: policy.yaml: kind 'Nonsense' is not a policy kind" in result.err
