"""What an unmodified cosign 3.1.3 wrote, and what it accepted and refused of 115 bundles of ours."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from stagepass.algorithms import Message
from stagepass.attestor import KeyRing, PublicKey
from stagepass.bundle import Bundle
from stagepass.digest import Digest
from stagepass.envelope import Envelope
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Attestation, Candidate, Rejection

FIXTURES = Path(__file__).parent.parent / "fixtures" / "cosign-v3.1.3"

FOLDERS: dict[str, dict[str, Any]] = {
    case["name"]: case for case in json.loads((FIXTURES / "cases.json").read_text())
}
BUNDLES = {name: case for name, case in FOLDERS.items() if not name.startswith("legacy-")}
ED25519PH = "attest-ed25519ph"
GOLDEN = {name: case for name, case in BUNDLES.items() if name != ED25519PH}
# P-384 and P-521: cosign signs with the hash of the curve and verifies with SHA-256 unless told
# otherwise by a deprecated flag (cosign-proof section 1.3). The hash of the curve counts.
COSIGN_REFUSES_ITS_OWN = {"attest-p384", "attest-p521", ED25519PH}

CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for case in map(
        json.loads, (FIXTURES / "judged-by-cosign/cases.jsonl").read_text().splitlines()
    )
    if case["kind"] == "bundle"
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
    "p384 + SHA-256": "one hash per key, the one that cosign itself signs with: SHA-384",
    "p521 + SHA-256": "one hash per key, the one that cosign itself signs with: SHA-512",
    "p224 + SHA-256": "112 bits of strength, and cosign makes no such key: it is not read at all",
}
LOOSER = {
    "p384 + SHA-384": "what cosign signs with such a key, and refuses without a deprecated flag",
    "p521 + SHA-512": "what cosign signs with such a key, and refuses without a deprecated flag",
}


def ring(path: Path) -> KeyRing:
    try:
        return KeyRing.of([(PublicKey.parse(path.read_bytes()), "owner")])
    except InputError:
        return KeyRing.of([])


def verdict(case: dict[str, Any]) -> Attestation | Rejection:
    text = case.get("bundle")
    data = base64.b64decode(case["bundleBase64"]) if text is None else text.encode()
    return ring(FIXTURES / "judged-by-cosign" / case["key"]).verify(
        Candidate(data, case["name"]), Digest.parse(case["imageDigest"])
    )


def counts(case: dict[str, Any]) -> bool:
    found = verdict(case)
    return (
        isinstance(found, Attestation) and found.statement.predicate_type == case["predicateType"]
    )


def read(name: str, digest: Digest) -> Attestation | Rejection:
    data = (FIXTURES / name / "bundle.json").read_bytes()
    return ring(FIXTURES / BUNDLES[name]["key"]).verify(Candidate(data, name), digest)


@pytest.mark.parametrize("name", GOLDEN)
def test_what_cosign_writes_is_verified(name: str) -> None:
    case = GOLDEN[name]
    digest = Digest.parse(case["imageDigest"])
    found = read(name, digest)

    assert isinstance(found, Attestation), found
    assert found.statement.payload == (FIXTURES / name / "statement.json").read_bytes()
    assert found.statement.predicate_type == case["predicateType"]
    assert digest in found.statement.digests


def test_what_cosign_signs_with_an_ed25519_key_is_refused_by_its_name() -> None:
    """It is Ed25519ph, which cosign itself cannot verify either (cosign-proof section 1.2)."""
    found = read(ED25519PH, Digest.parse(BUNDLES[ED25519PH]["imageDigest"]))

    assert isinstance(found, Rejection)
    assert found.code == "SIGNATURE_INVALID"
    assert "does not verify" in found.message or "do not verify" in found.message
    assert "Ed25519ph" in found.message


def test_cosign_says_the_same_of_its_own_but_where_it_forgets_the_hash() -> None:
    refused = {n for n, case in BUNDLES.items() if case["cosignVerifyDefault"] != "ok"}

    assert refused == COSIGN_REFUSES_ITS_OWN


@pytest.mark.parametrize("name", BUNDLES)
def test_the_hint_of_cosign_is_the_id_we_give_the_key(name: str) -> None:
    key = PublicKey.parse((FIXTURES / BUNDLES[name]["key"]).read_bytes())

    assert Bundle.parse((FIXTURES / name / "bundle.json").read_bytes()).hint == key.id


@pytest.mark.parametrize("name", FOLDERS)
def test_the_image_that_cosign_attested_is_named_by_the_digest_of_its_manifest(name: str) -> None:
    digest = Digest.parse(FOLDERS[name]["imageDigest"])

    assert Digest.of((FIXTURES / "image" / f"sha256-{digest.hex}.json").read_bytes()) == digest


@pytest.mark.parametrize("name", GOLDEN)
def test_a_bundle_of_cosign_counts_for_no_other_image(name: str) -> None:
    found = read(name, Digest.of(b"other"))

    assert isinstance(found, Rejection)
    assert found.code == "SUBJECT_MISMATCH"


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_of_cosign_counts_under_no_other_key(name: str) -> None:
    data = (FIXTURES / name / "bundle.json").read_bytes()
    others = [
        (PublicKey.parse(path.read_bytes()), path.name)
        for path in (FIXTURES / "keys").iterdir()
        if path != FIXTURES / BUNDLES[name]["key"]
    ]
    found = KeyRing.of(others).read(Candidate(data, name))

    assert len(others) == 6
    assert isinstance(found, Rejection)
    assert found.code == "SIGNER_UNKNOWN"


@pytest.mark.parametrize("layer", ["layer0", "layer1"])
def test_a_legacy_attestation_is_signed_alike_but_is_no_bundle(layer: str) -> None:
    """`.att` holds the bare envelope: a reader of that layout has to say so itself."""
    key = PublicKey.parse((FIXTURES / "keys/p256.pub").read_bytes())
    data = (FIXTURES / "legacy-att-p256" / f"{layer}.json").read_bytes()
    envelope = Envelope.parse(json.loads(data))

    assert key.verifies(envelope, Message(envelope.signed_bytes))
    statement = FIXTURES / "legacy-att-p256" / f"statement{layer[-1]}.json"
    assert envelope.payload == statement.read_bytes()
    with pytest.raises(AttestationError, match="mediaType None"):
        Bundle.parse(data)


def test_a_legacy_signature_is_over_the_layer_itself_and_names_no_predicate() -> None:
    folder = FIXTURES / "legacy-sig-p256"
    key = PublicKey.parse((FIXTURES / "keys/p256.pub").read_bytes())
    (layer,) = json.loads((folder / "manifest.json").read_bytes())["layers"]
    signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    data = (folder / "layer0.json").read_bytes()

    assert key.algorithm.verifies(signature, Message(data))
    with pytest.raises(AttestationError):
        Bundle.parse(data)


@pytest.mark.parametrize(
    "name", [n for n, c in CASES.items() if not c["verifyAttestation"] and n not in LOOSER]
)
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


@pytest.mark.parametrize("name", LOOSER)
def test_we_accept_what_cosign_refuses_on_purpose_and_nowhere_else(name: str) -> None:
    assert CASES[name]["verifyAttestation"] is False
    assert counts(CASES[name]), LOOSER[name]


def test_the_cases_are_all_there() -> None:
    assert (len(FOLDERS), len(BUNDLES), len(GOLDEN)) == (14, 12, 11)
    assert len({case["key"] for case in BUNDLES.values()}) == 7
    accepted = sum(case["verifyAttestation"] for case in CASES.values())
    assert (len(CASES), accepted, len(STRICTER), len(LOOSER)) == (115, 44, 9, 2)
    assert len({case["key"] for case in CASES.values()}) == 7
