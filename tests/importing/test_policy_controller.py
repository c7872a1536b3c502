"""ClusterImagePolicy: what is translated, what is listed, and that nothing gets more lenient."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.importing.conftest import Importer, pem

_PLACE = ("--cluster", "prod", "--namespace", "shop")
_SIGN = "https://sigstore.dev/cosign/sign/v1"


def _policy(authority: str, more: str = "") -> str:
    return f"""\
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {{name: shop}}
spec:
  images: [{{glob: "registry.example.com/shop/**"}}]
{more}
  authorities:
{authority}
"""


def _keyed(name: str, more: str = "") -> str:
    return f"""\
  - name: {name}
    key:
      data: |
        {pem(name, 8)}
{more}"""


def test_a_policy_is_a_pipeline_where_the_place_is_told(imported: Importer) -> None:
    done = imported("policy-controller", "cip-keys.yaml", options=_PLACE)
    assert (done.code, done.errors) == (0, [])
    signed, built = done.of_kind("Pipeline")
    assert signed["images"] == ["registry.example.com/shop/**"]
    assert built["images"] == ["registry.example.com/shop/check*"]
    (stage,) = signed["stages"]
    assert (stage["clusters"], stage["namespaces"]) == (["prod"], ["shop"])
    (need,) = stage["requires"]
    assert need["attestation"]["from"] == ["shop-signed-ci", "shop-signed-scanner"]
    assert need["attestation"]["predicateType"] == _SIGN
    (stage,) = built["stages"]
    (need,) = stage["requires"]
    assert need["attestation"]["predicateType"] == "https://slsa.dev/provenance/v1"
    assert stage["enforcement"] == "warn"
    assert done.of_kind("Defaults") == [
        {"apiVersion": "stagepass.dev/v1", "kind": "Defaults", "unlisted": "deny"}
    ]


def test_a_policy_is_a_floor_where_no_place_is_told(imported: Importer) -> None:
    done = imported("policy-controller", "cip-keys.yaml")
    assert len(done.of_kind("Baseline")) == 2
    assert not done.of_kind("Pipeline")
    assert "it was not enforced (warn), and a Baseline always is" in done.told("stricter").values()
    assert done.load().baselines[0].name == "shop-provenance"


def test_the_same_key_is_one_attestor_with_one_owner(imported: Importer) -> None:
    done = imported("policy-controller", "cip-keys.yaml")
    (attestors,) = done.of_kind("Attestors")
    assert list(attestors["attestors"]) == ["shop-signed-ci", "shop-signed-scanner"]
    assert sorted(done.files) == [
        "keys/shop-signed-ci.pub", "keys/shop-signed-scanner.pub", "policy.yaml",
    ]  # fmt: skip


def test_every_part_without_a_counterpart_is_listed_with_its_line(imported: Importer) -> None:
    done = imported("policy-controller", "cip-more.yaml")
    listed = {f["line"]: f["path"] for f in done.findings if f["effect"] == "not-translated"}
    assert listed == {
        16: "spec.authorities[0].keyless",
        23: "spec.authorities[0].keyless.identities[2].subjectRegExp",
        30: "spec.authorities[0].attestations[0].policy",
        35: "spec.authorities[1].key.kms",
        44: "spec.authorities[2].ctlog",
        47: "spec.authorities[3].static",
    }
    assert done.code == 1


def test_identities_wait_for_their_trust_root(imported: Importer, tmp_path: Path) -> None:
    without = imported("policy-controller", "cip-more.yaml")
    assert "public-good" in without.errors[0]["message"]
    root = tmp_path / "root.json"
    root.write_text(json.dumps({"mediaType": "not looked at here"}))
    done = imported(
        "policy-controller", "cip-more.yaml", options=("--trust-root", f"public-good={root}")
    )
    (attestors,) = done.of_kind("Attestors")
    digest = hashlib.sha256(root.read_bytes()).hexdigest()
    assert attestors["trustRoots"] == [
        {"name": "public-good", "file": "trust/public-good.json", "sha256": digest}
    ]
    assert done.files["trust/public-good.json"] == root.read_text()
    github, nightly, carol = attestors["attestors"]["everything-released"]["identities"]
    assert github["subject"] == (
        "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/**"
    )
    assert nightly["owner"] == github["owner"]
    assert carol["issuer"] == "https://accounts.example.com"


def test_a_root_of_another_fulcio_is_not_the_public_one(imported: Importer) -> None:
    authority = """\
  - keyless:
      url: https://fulcio.example.com
      identities: [{issuer: "https://idp.example.com", subject: "ci@example.com"}]
"""
    done = imported("policy-controller", _policy(authority))
    (attestors,) = done.of_kind("Attestors")
    ((entry,),) = [a["identities"] for a in attestors["attestors"].values()]
    assert entry["trustRoots"] == ["fulcio-fulcio.example.com"]
    assert done.errors


def test_a_condition_that_is_not_translated_is_met_by_nothing(imported: Importer) -> None:
    more = """\
    attestations:
    - name: scan
      predicateType: vuln
      policy: {type: rego, data: "package sigstore"}
"""
    done = imported("policy-controller", _policy(_keyed("ci", more)))
    (baseline,) = done.of_kind("Baseline")
    (need,) = baseline["requires"]
    assert need["attestation"]["where"] == "false"
    assert need["attestation"]["predicateType"] == "https://cosign.sigstore.dev/attestation/vuln/v1"
    assert done.load()


@pytest.mark.parametrize(
    "authority",
    [
        "  - {name: kms, key: {kms: 'awskms:///alias/x'}}",
        "  - {name: spared, static: {action: pass}}",
        "  - {name: closed, static: {action: fail}}",
        "  - {name: any, keyless: {identities: [{issuer: 'https://idp.example.com'}]}}",
        "  - {name: star, keyless: {identities: [{issuer: 'https://a.example', subject: 'a*'}]}}",
        """\
  - name: named
    keyless:
      trustRootRef: public-good
      identities: [{issuer: "https://a.example", subject: a}]""",
        _keyed("ci", "    somethingNew: true\n"),
        _keyed("ci", "    ctlog: {url: 'https://rekor.sigstore.dev'}\n"),
        _keyed("ci", "    rfc3161timestamp: {trustRootRef: tsa}\n"),
    ],
)
def test_a_policy_without_a_way_in_lets_nothing_in(imported: Importer, authority: str) -> None:
    """Where no signer at all is known, the set refuses to load; else a condition is never met."""
    alone = imported("policy-controller", _policy(authority), options=_PLACE)
    assert "no attestor is called 'not-translated'" in alone.errors[0]["message"]
    other = _policy(_keyed("scanner")).replace("name: shop", "name: other")
    both = imported("policy-controller", f"{_policy(authority)}---\n{other}", options=_PLACE)
    closed = both.of_kind("Pipeline")[0]["stages"][0]["requires"]
    assert [need["attestation"]["where"] for need in closed] == ["false"]
    assert both.load()
    assert both.code == 1


def test_what_may_be_left_out_is_left_out_when_the_user_says_so(imported: Importer) -> None:
    authority = _keyed("ci", "    ctlog: {url: 'https://rekor.sigstore.dev'}\n")
    done = imported(
        "policy-controller", _policy(authority), options=(*_PLACE, "--accept", "transparency-log")
    )
    assert done.code == 0
    assert "spec.authorities[0].ctlog" in done.told("note")


def test_of_authorities_that_ask_for_different_things_all_are_asked_for(imported: Importer) -> None:
    attested = "    attestations: [{name: built, predicateType: slsaprovenance1}]\n"
    done = imported("policy-controller", _policy(_keyed("ci", attested) + _keyed("scanner")))
    (baseline,) = done.of_kind("Baseline")
    assert [n["attestation"]["from"] for n in baseline["requires"]] == [
        ["shop-ci"],
        ["shop-scanner"],
    ]
    assert "spec.authorities" in done.told("stricter")


def test_a_policy_over_all_results_blocks(imported: Importer) -> None:
    done = imported(
        "policy-controller",
        _policy(_keyed("ci"), "  policy: {type: cue, data: 'x: 1'}"),
        options=_PLACE,
    )
    (pipeline,) = done.of_kind("Pipeline")
    assert [n["attestation"].get("where") for n in pipeline["stages"][0]["requires"]] == [
        None,
        "false",
    ]


def test_a_place_that_only_warns_would_let_unmatched_images_in(imported: Importer) -> None:
    done = imported("policy-controller", _policy(_keyed("ci"), "  mode: warn"), options=_PLACE)
    (pipeline,) = done.of_kind("Pipeline")
    assert pipeline["stages"][0]["enforcement"] == "enforce"
    assert "spec" in done.told("stricter")


def test_the_output_is_the_same_every_time(imported: Importer) -> None:
    first = imported("policy-controller", "cip-more.yaml")
    assert imported("policy-controller", "cip-more.yaml").files == first.files
