from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from stagepass import strictjson
from stagepass.attestor import KeyRing
from stagepass.bundle import Bundle
from stagepass.envelope import Envelope, pae
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.predicates.members import STAGE_PASSED
from stagepass.statement import PAYLOAD_TYPE
from tests.world import DIGEST, DROP, OTHER_DIGEST, changed, signed, signed_pass, signer, statement

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
RING = KeyRing.of([(signer(name).private.public, f"owner of {name}") for name in ("ci", "scanner")])
PAYLOAD = statement()
GOOD: dict[str, Any] = strictjson.loads_object(
    signed(PAYLOAD, "ci"), max_bytes=1 << 20, max_depth=9
)


def verify(bundle: dict[str, Any] | bytes) -> Attestation | Rejection:
    data = bundle if isinstance(bundle, bytes) else strictjson.dumps(bundle)
    return RING.verify(Candidate(data, "here"), DIGEST)


def rejection(bundle: dict[str, Any] | bytes) -> Rejection:
    found = verify(bundle)
    assert isinstance(found, Rejection), found
    return found


def ecdsa(payload_type: str, payload: bytes, by: str = "ci") -> bytes:
    """A signature over any payload type: our own signer writes only the one that counts."""
    key = serialization.load_pem_private_key(signer(by).private_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(pae(payload_type, payload), ec.ECDSA(hashes.SHA256()))


def test_a_bundle_by_a_configured_key_is_an_attestation_of_that_keys_owner() -> None:
    found = verify(signed(PAYLOAD, "scanner"))

    assert isinstance(found, Attestation)
    assert found.owner == "owner of scanner"
    assert found.key_id == signer("scanner").private.public.id
    assert found.statement.payload == PAYLOAD


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"hint": ""},
        {"hint": "anything"},
        {"hint": signer("scanner").private.public.id},
        {"hint": signer("stranger").private.public.id},
    ],
)
def test_a_hint_is_signed_by_nobody_so_a_wrong_one_hides_nothing(key: dict[str, str]) -> None:
    found = verify(changed(GOOD, {"verificationMaterial.publicKey": key}))

    assert isinstance(found, Attestation)
    assert found.owner == "owner of ci"


@pytest.mark.parametrize(
    ("keyid", "counts"),
    [
        ("", True),
        (signer("ci").private.public.openssh_fingerprint, True),
        (signer("scanner").private.public.openssh_fingerprint, False),
        (signer("ci").private.public.id, False),
        (f"{signer('ci').private.public.openssh_fingerprint}=", False),
        ("ci", False),
    ],
)
def test_a_keyid_is_empty_or_the_fingerprint_of_the_key_itself(keyid: str, counts: bool) -> None:
    found = verify(changed(GOOD, {"dsseEnvelope.signatures.0.keyid": keyid}))

    assert isinstance(found, Attestation) is counts


def test_bytes_that_do_not_verify_under_the_hinted_key_are_an_invalid_signature() -> None:
    altered = base64.b64encode(PAYLOAD.replace(b"{}", b"{ }")).decode()
    found = rejection(changed(GOOD, {"dsseEnvelope.payload": altered}))

    assert found.code == "SIGNATURE_INVALID"
    assert "names the key of owner of ci" in found.message
    assert found.origin == "here"
    assert found.predicate_type == STAGE_PASSED


def test_a_signature_by_a_key_that_no_policy_names_has_an_unknown_signer() -> None:
    found = rejection(signed(PAYLOAD, "stranger"))

    assert (found.code, found.predicate_type) == ("SIGNER_UNKNOWN", STAGE_PASSED)


def test_an_empty_key_ring_knows_no_signer() -> None:
    found = KeyRing.of([]).verify(Candidate(signed(PAYLOAD, "ci"), "here"), DIGEST)

    assert isinstance(found, Rejection)
    assert found.code == "SIGNER_UNKNOWN"


def test_certificate_material_has_an_unknown_signer() -> None:
    material = {"certificate": {"rawBytes": "AA=="}}
    found = rejection(changed(GOOD, {"verificationMaterial": material}))

    assert found.code == "SIGNER_UNKNOWN"
    assert found.message == "signed with a certificate; the policy names keys alone"


def test_a_statement_about_another_image_is_a_mismatch() -> None:
    found = rejection(signed_pass("test", by="ci", digest=OTHER_DIGEST))

    assert (found.code, found.predicate_type) == ("SUBJECT_MISMATCH", STAGE_PASSED)


def test_a_second_subject_that_matches_is_enough() -> None:
    subjects = [{"digest": {"sha256": d.hex}} for d in (OTHER_DIGEST, DIGEST)]

    assert isinstance(verify(signed(statement(changes={"subject": subjects}), "ci")), Attestation)


@pytest.mark.parametrize(
    "payload_type",
    ["application/json", "application/vnd.in-toto+JSON", f"{PAYLOAD_TYPE} ", "", "text/plain"],
)
def test_another_payload_type_is_refused_although_it_is_signed(payload_type: str) -> None:
    signature = ecdsa(payload_type, PAYLOAD)
    bundle = Bundle(Envelope(payload_type, PAYLOAD, signature), signer("ci").private.public.id)

    assert rejection(bundle.to_bytes()).code == "STATEMENT_INVALID"


@pytest.mark.parametrize("order", [("ci", "scanner"), ("scanner", "ci"), ("ci", "ci"), ()])
def test_only_exactly_one_signature_counts(order: tuple[str, ...]) -> None:
    signatures = [
        {"sig": base64.b64encode(ecdsa(PAYLOAD_TYPE, PAYLOAD, name)).decode()} for name in order
    ]

    found = rejection(changed(GOOD, {"dsseEnvelope.signatures": signatures}))
    assert found.code == "STATEMENT_INVALID"


def test_a_signed_text_that_is_no_statement_is_refused_as_such() -> None:
    assert rejection(signed(b'{"_type":"x"}', "ci")).code == "STATEMENT_INVALID"


def test_the_other_form_of_an_ecdsa_signature_is_still_one() -> None:
    """With s replaced by n - s it is the signature of the same key over the same bytes."""
    r, s = decode_dss_signature(base64.b64decode(GOOD["dsseEnvelope"]["signatures"][0]["sig"]))
    twin = base64.b64encode(encode_dss_signature(r, ORDER - s)).decode()

    assert isinstance(verify(changed(GOOD, {"dsseEnvelope.signatures.0.sig": twin})), Attestation)


@pytest.mark.parametrize("change", [b"\x00", b"", b"r||s", b"\x30"])
def test_a_signature_in_another_encoding_is_invalid(change: bytes) -> None:
    der = base64.b64decode(GOOD["dsseEnvelope"]["signatures"][0]["sig"])
    r, s = decode_dss_signature(der)
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    forged = {b"\x00": der + b"\x00", b"": der[:-1], b"r||s": raw, b"\x30": b"\x30"}[change]
    sig = base64.b64encode(forged).decode()

    found = rejection(changed(GOOD, {"dsseEnvelope.signatures.0.sig": sig}))
    assert found.code == "SIGNATURE_INVALID"


def test_another_hash_than_the_keys_own_is_invalid() -> None:
    key = serialization.load_pem_private_key(signer("ci").private_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(pae(PAYLOAD_TYPE, PAYLOAD), ec.ECDSA(hashes.SHA384()))
    sig = base64.b64encode(signature).decode()

    found = rejection(changed(GOOD, {"dsseEnvelope.signatures.0.sig": sig}))
    assert found.code == "SIGNATURE_INVALID"


def test_a_bundle_that_cannot_be_read_claims_no_type() -> None:
    assert rejection(b"junk").predicate_type == ""
    assert rejection(changed(GOOD, {"dsseEnvelope": DROP})).predicate_type == ""
