"""Every error of a set at once: nobody mends a policy one message at a time."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest

from stagepass.errors import did_you_mean
from stagepass.policy.load import PolicyError, load
from tests.world import POLICY, policy_files, signer

BROKEN = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors:
  ci: {keys: [{file: keys/ci.pub, owner: ci, clusterz: [a]}]}
  scanner: {keys: [{file: keys/ci.pub, owner: scanner}]}
  staging: {keys: [{file: ../keys/scanner.pub, owner: x}, {file: keys/none.pub, owner: y}]}
  rsa: {keys: [{file: keys/rsa.pub, owner: rsa, validUntil: tomorrow}]}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: ["shop/**", "registry.example.com/shop/**"]
stages:
  - name: test
    clusters: [test]
    namespaces: [shop]
    requires:
      - attestation: {name: provenance, from: [cii], predicateType: x, were: "true"}
  - clusters: [staging]
    namespaces: [shop]
    signedBy: [staging]
    after: [tst, 5]
    manifests: required
  - name: production
    clusters: [test]
    namespaces: ["sh*"]
    after: [test, {stage: test, soak: 1 day}]
    enforcement: enforced
---
apiVersion: stagepass.dev/v1
kind: Baselin
---
kind: Defaults
"""
BESIDE = "a path below the policy file that names it, without '..'"
EXPECTED = {
    ("attestors.ci.keys[0].clusterz", "unknown key", "did you mean 'clusters'?"),
    (
        "attestors.scanner.keys[0].owner",
        "this key already belongs to 'ci' (a.yaml: attestors.ci.keys[0])",
        "a key has one owner in the whole set",
    ),
    (
        "attestors.staging.keys[0].file",
        "there is no file '../keys/scanner.pub' beside a.yaml",
        BESIDE,
    ),
    ("attestors.staging.keys[1].file", "there is no file 'keys/none.pub' beside a.yaml", BESIDE),
    (
        "attestors.rsa.keys[0].file",
        "keys/rsa.pub: not a PEM public key",
        "the .pub file `stagepass keys generate` wrote",
    ),
    (
        "attestors.rsa.keys[0].validUntil",
        "'tomorrow' is not an RFC 3339 time in UTC",
        "like 2026-11-02T08:05:03Z",
    ),
    (
        "images[0]",
        "'shop/**' does not start with a registry host",
        "like registry.example.com/shop/**",
    ),
    (
        "stages[0].requires[0].attestation.were",
        "unknown key",
        "did you mean 'where'?",
    ),
    (
        "stages[0].requires[0].attestation.from[0]",
        "no attestor is called 'cii'",
        "did you mean 'ci'?",
    ),
    (
        "stages[0]",
        "'production' comes after 'test', so somebody must sign its passes",
        "add signedBy",
    ),
    ("stages[1]", "the key 'name' is missing", ""),
    (
        "stages[1].manifests",
        "nothing says whose releases count",
        "add release: {from: [ATTESTOR]}",
    ),
    ("stages[1].after[0]", "no stage is called 'tst'", "did you mean 'test'?"),
    (
        "stages[1].after[1]",
        "5 is not a mapping",
        "with the keys stage, soak, maxAge, clusters",
    ),
    ("stages[2].after[1]", "comes after 'test' twice", "write one edge"),
    (
        "stages[2].after[1].soak",
        "'1 day' is not a duration",
        "like 90s, 15m, 24h or 30d",
    ),
    (
        "stages[2].enforcement",
        "'enforced' is none of enforce, warn, audit",
        "did you mean 'enforce'?",
    ),
    (
        "stages[2]",
        "'production' and 'test' name the same place in cluster 'test'",
        "give each stage namespaces of its own",
    ),
    ("", "kind 'Baselin' is not a policy kind", "did you mean 'Baseline'?"),
    ("", "the key 'apiVersion' is missing", ""),
}
IN_OTHER_FILES = {
    ("b.yaml", "line 2: the key 'kind' stands twice", ""),
    ("c.yml", "not UTF-8 text", ""),
    ("d.yaml", "line 1: anchors are not allowed here; write the value out", ""),
    (
        "e.yaml",
        "kind None is not a policy kind",
        "known: Attestors, Baseline, CustomResources, Defaults, Pipeline, Revocations",
    ),
}


def broken_files() -> dict[str, bytes]:
    return {
        "a.yaml": BROKEN.encode(),
        "b.yaml": b"kind: Defaults\nkind: Defaults\n",
        "c.yml": b"\xff\xfe",
        "d.yaml": b"a: &x 1\nb: *x\n",
        "e.yaml": b"[]\n",
        "keys/ci.pub": signer("ci").public_pem,
        "keys/scanner.pub": signer("scanner").public_pem,
        "keys/rsa.pub": b"not a key",
    }


def test_all_mistakes_of_all_files_are_named_in_one_run_each_with_file_path_and_hint() -> None:
    with pytest.raises(PolicyError) as caught:
        load(broken_files(), "")

    found = {(error.where, error.message, error.hint) for error in caught.value.errors}
    in_a = {(f"a.yaml: {path}" if path else "a.yaml", *rest) for path, *rest in EXPECTED}
    assert (in_a | IN_OTHER_FILES) - found == set()


def test_the_errors_come_in_the_same_order_every_time() -> None:
    with pytest.raises(PolicyError) as caught:
        load(broken_files(), "")

    files = [str(error.where).partition(":")[0] for error in caught.value.errors]
    first = files[: files.index("e.yaml") + 1]
    assert first == sorted(first)
    assert str(caught.value).splitlines() == [str(error) for error in caught.value.errors]


@pytest.mark.parametrize("cut", range(0, len(POLICY), 37))
def test_a_policy_cut_off_anywhere_is_refused_or_whole(cut: int) -> None:
    """Nothing but a PolicyError, whatever is missing."""
    with pytest.raises(PolicyError):
        load(policy_files(POLICY[:cut]), "")


WORDS = [match.span() for match in re.finditer(r"[A-Za-z][\w./*-]*", POLICY)]


@pytest.mark.parametrize("value", ["null", "[]", "{}", "7", "[null]", '""', "true"])
def test_any_word_may_be_replaced_by_any_other_shape_without_a_crash(value: str) -> None:
    for start, end in WORDS:
        with suppress(PolicyError):
            load(policy_files(POLICY[:start] + value + POLICY[end:]), "")


def test_a_hint_names_the_closest_word_or_all_of_them() -> None:
    assert did_you_mean("tset", ["test", "staging"]) == "did you mean 'test'?"
    assert did_you_mean("zzz", ["test", "staging"]) == "known: staging, test"
    assert did_you_mean("zzz", []) == ""
