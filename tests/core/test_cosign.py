"""What an unmodified cosign 3.1.3 wrote, and what it accepted and refused of 147 variations."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from stagepass.attestor import KeyRing, PublicKey
from stagepass.bundle import Bundle
from stagepass.digest import Digest
from stagepass.evidence import Attestation, Candidate, Rejection

FIXTURES = Path(__file__).parent.parent / "fixtures" / "cosign-v3.1.3"
JUDGE = "keys/judge-p256.pub"

GOLDEN: dict[str, dict[str, Any]] = {
    case["name"]: case
    for case in json.loads((FIXTURES / "cases.json").read_text())
    if case["key"] == "keys/p256.pub" and not case["name"].startswith("legacy-")
}
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for case in map(
        json.loads, (FIXTURES / "judged-by-cosign/cases.jsonl").read_text().splitlines()
    )
    if case["kind"] == "bundle" and case["key"] == JUDGE
}
STRICTER = {
    "bundle mediaType 'application/vnd.dev.sigstore.bundle.v0.3.1+json'": (
        "no such version exists: what it would mean is not known"
    ),
    "sig raw r||s (not DER)": "one signature has one encoding, DER",
    "gzip'd layer blob": "nothing is inflated: the digest is over the bytes that are read",
    "_type unknown": "another statement version may give its members another meaning",
    "_type absent": "a document that does not say it is a statement may be anything",
    "statement snake_case predicate_type": "the alias gives one member two names",
}


def ring(path: Path) -> KeyRing:
    return KeyRing.of([(PublicKey.parse(path.read_bytes()), "owner")])


def verdict(case: dict[str, Any]) -> Attestation | Rejection:
    text = case.get("bundle")
    data = base64.b64decode(case["bundleBase64"]) if text is None else text.encode()
    candidate = Candidate(data, case["name"])
    return ring(FIXTURES / "judged-by-cosign" / JUDGE).verify(
        candidate, Digest.parse(case["imageDigest"])
    )


def counts(case: dict[str, Any]) -> bool:
    found = verdict(case)
    return (
        isinstance(found, Attestation) and found.statement.predicate_type == case["predicateType"]
    )


@pytest.mark.parametrize("name", GOLDEN)
def test_what_cosign_writes_with_a_p256_key_is_verified(name: str) -> None:
    case, folder = GOLDEN[name], FIXTURES / name
    digest = Digest.parse(case["imageDigest"])
    found = ring(FIXTURES / case["key"]).verify(
        Candidate((folder / "bundle.json").read_bytes(), name), digest
    )

    assert isinstance(found, Attestation), found
    assert found.statement.payload == (folder / "statement.json").read_bytes()
    assert found.statement.predicate_type == case["predicateType"]
    assert digest in found.statement.digests


@pytest.mark.parametrize("name", GOLDEN)
def test_the_hint_of_cosign_is_the_id_we_give_the_key(name: str) -> None:
    key = PublicKey.parse((FIXTURES / GOLDEN[name]["key"]).read_bytes())

    assert Bundle.parse((FIXTURES / name / "bundle.json").read_bytes()).hint == key.id


@pytest.mark.parametrize("name", GOLDEN)
def test_the_image_that_cosign_attested_is_named_by_the_digest_of_its_manifest(name: str) -> None:
    digest = Digest.parse(GOLDEN[name]["imageDigest"])

    assert Digest.of((FIXTURES / "image" / f"sha256-{digest.hex}.json").read_bytes()) == digest


@pytest.mark.parametrize("name", GOLDEN)
def test_a_bundle_of_cosign_counts_for_no_other_image(name: str) -> None:
    found = ring(FIXTURES / "keys/p256.pub").verify(
        Candidate((FIXTURES / name / "bundle.json").read_bytes(), name), Digest.of(b"other")
    )

    assert isinstance(found, Rejection)
    assert found.code == "SUBJECT_MISMATCH"


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if not c["verifyAttestation"]])
def test_what_cosign_refuses_is_refused(name: str) -> None:
    assert not counts(CASES[name])


@pytest.mark.parametrize(
    "name", [n for n, c in CASES.items() if c["verifyAttestation"] and n not in STRICTER]
)
def test_what_cosign_accepts_is_accepted(name: str) -> None:
    assert counts(CASES[name]), verdict(CASES[name])


@pytest.mark.parametrize("name", STRICTER)
def test_we_are_stricter_than_cosign_on_purpose_and_nowhere_else(name: str) -> None:
    assert CASES[name]["verifyAttestation"] is True
    assert not counts(CASES[name]), STRICTER[name]


def test_the_cases_are_all_there() -> None:
    assert len(GOLDEN) == 6
    assert (len(CASES), sum(c["verifyAttestation"] for c in CASES.values())) == (104, 38)
