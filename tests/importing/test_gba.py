"""Binary Authorization: rules, attestors, and what is spared."""

from __future__ import annotations

import pytest

from tests.importing.conftest import EXAMPLES, Importer

_FILES = ("binauthz-policy.yaml", "binauthz-attestors.yaml")
_IMAGES = ("--image", "registry.example.com/shop/**", "--namespace", "shop")
_EXEMPT = (
    "--exempt-namespace", "kube-system", "--exempt-reason", "base", "--exempt-until", "2027-01-01T00:00:00Z",
)  # fmt: skip


def test_rules_are_floors_where_no_images_are_told(imported: Importer) -> None:
    done = imported("gba", *_FILES)
    floors = {b["metadata"]["name"]: b for b in done.of_kind("Baseline")}
    assert list(floors) == ["default", "europe-west1.prod", "europe-west1.lab", "payments-batch"]
    assert floors["europe-west1.prod"]["clusters"] == ["europe-west1.prod"]
    needs = floors["europe-west1.prod"]["requires"]
    assert [n["attestation"]["from"] for n in needs] == [["built-by-ci"], ["scanned"]]
    assert floors["europe-west1.lab"]["requires"][0]["attestation"]["where"] == "false"
    assert floors["payments-batch"]["namespaces"] == ["payments"]
    assert done.load()


def test_rules_are_pipelines_where_images_are_told(imported: Importer) -> None:
    done = imported("gba", *_FILES, options=(*_IMAGES, "--cluster", "test"))
    stages = {p["metadata"]["name"]: p["stages"][0] for p in done.of_kind("Pipeline")}
    assert {name: stage["clusters"] for name, stage in stages.items()} == {
        "default": ["test"],
        "europe-west1.prod": ["europe-west1.prod"],
        "europe-west1.lab": ["europe-west1.lab"],
    }
    assert stages["europe-west1.lab"]["enforcement"] == "audit"
    assert done.load()


def test_a_rule_of_a_service_account_lets_nothing_in_by_itself(imported: Importer) -> None:
    """The other accounts of its namespace are still under the rule of their cluster."""
    done = imported("gba", *_FILES, options=(*_IMAGES, "--cluster", "test"))
    assert [b["metadata"]["name"] for b in done.of_kind("Baseline")] == ["payments-batch"]


def test_a_rule_of_a_namespace_holds_in_every_cluster_that_is_known(imported: Importer) -> None:
    policy = (EXAMPLES / "binauthz-policy.yaml").read_text()
    policy = policy.replace("ALWAYS_ALLOW", "ALWAYS_DENY")
    done = imported("gba", policy, _FILES[1], options=(*_IMAGES, "--cluster", "test"))
    stages = {p["metadata"]["name"]: p["stages"][0] for p in done.of_kind("Pipeline")}
    sandbox = stages["namespace-sandbox"]
    assert sandbox["clusters"] == ["test", "europe-west1.prod", "europe-west1.lab"]
    assert sandbox["requires"][0]["attestation"]["where"] == "false"


def test_what_lets_everything_in_is_not_translated(imported: Importer) -> None:
    done = imported("gba", *_FILES)
    assert "kubernetesNamespaceAdmissionRules.sandbox.evaluationMode" in done.told("not-translated")
    assert "globalPolicyEvaluationMode" in done.told("not-translated")
    assert done.of_kind("Defaults")[0]["unlisted"] == "deny"


def test_pgp_keys_are_listed(imported: Importer) -> None:
    done = imported("gba", *_FILES)
    (path,) = [p for p in done.told("not-translated") if p.endswith("asciiArmoredPgpPublicKey")]
    assert done.told("not-translated")[path] == "PGP signatures are not read"


def test_the_allowlist_needs_an_end(imported: Importer) -> None:
    without = imported("gba", *_FILES)
    assert "exempt" not in without.of_kind("Defaults")[0]
    done = imported("gba", *_FILES, options=_EXEMPT)
    (entry,) = done.of_kind("Defaults")[0]["exempt"]
    assert entry["images"] == [
        "gcr.io/google-containers/*", "registry.example.com/base*", "registry.example.com/base*/**",
    ]  # fmt: skip
    assert "admissionWhitelistPatterns[2].namePattern" in done.told("not-translated")


def test_a_set_without_its_attestors_does_not_load(imported: Importer) -> None:
    done = imported("gba", _FILES[0])
    assert done.code == 1
    assert any("built-by-ci-missing" in e["message"] for e in done.errors)


def test_json_is_read_too(imported: Importer) -> None:
    done = imported(
        "gba",
        '{\n "defaultAdmissionRule": {"evaluationMode": "ALWAYS_DENY",\n'
        ' "enforcementMode": "ENFORCED_BLOCK_AND_AUDIT_LOG"}, "name": "projects/p/policy"\n}\n',
    )
    assert (done.code, [d["kind"] for d in done.documents]) == (0, ["Defaults"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("evaluationMode: REQUIRE_ATTESTATION", "evaluationMode: SOMETHING_NEW"),
        ("defaultAdmissionRule:\n", "defaultAdmissionRule:\n  newField: 1\n"),
        ("etag:", "newRules: {}\netag:"),
        ("ENFORCED_BLOCK_AND_AUDIT_LOG", "MODE_NEW"),
    ],
)
def test_what_is_not_understood_is_met_by_nothing(imported: Importer, old: str, new: str) -> None:
    policy = (EXAMPLES / "binauthz-policy.yaml").read_text().replace(old, new, 1)
    done = imported("gba", policy, _FILES[1])
    conditions = [
        need["attestation"].get("where")
        for floor in done.of_kind("Baseline")
        if "clusters" not in floor
        for need in floor["requires"]
    ]
    assert "false" in conditions
    assert done.code == 1
