"""Log entries and time stamps in a bundle, under a policy without trust roots: they neither help nor harm."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass import strictjson
from stagepass.attestor import KeyRing
from stagepass.evidence import Attestation, Candidate, Rejection
from tests.world import DIGEST, STAGING, changed, codes, judged, policy_set, signed_pass, signer

RING = KeyRing.of([(signer("test-cluster").private.public, "test-cluster")])
LOG = "verificationMaterial.tlogEntries"
STAMPS = "verificationMaterial.timestampVerificationData"
UNREAD: list[dict[str, Any]] = [
    {LOG: [{}]},
    {LOG: [{"logIndex": "1", "integratedTime": "1700000000", "canonicalizedBody": "AA=="}]},
    {LOG: [{"logId": {"keyId": "?"}, "inclusionProof": {"rootHash": "?"}}] * 40},
    {STAMPS: {"rfc3161Timestamps": [{"signedTimestamp": "AA=="}]}},
    {STAMPS: {"rfc3161Timestamps": [{"signedTimestamp": "?"}] * 40}},
]


def document(bundle: bytes) -> dict[str, Any]:
    return strictjson.loads_object(bundle, max_bytes=1 << 20, max_depth=9)


def verdict(bundle: dict[str, Any]) -> Attestation | Rejection:
    return RING.verify(Candidate(strictjson.dumps(bundle), "here"), DIGEST)


@pytest.mark.parametrize("proofs", UNREAD)
def test_they_take_nothing_from_a_bundle_that_counts(proofs: dict[str, Any]) -> None:
    good = document(signed_pass("test"))
    found = verdict(good)

    assert isinstance(found, Attestation)
    assert verdict(changed(good, proofs)) == found


@pytest.mark.parametrize("proofs", UNREAD)
def test_they_replace_neither_the_signature_nor_its_signer(proofs: dict[str, Any]) -> None:
    stranger = verdict(changed(document(signed_pass("test", by="stranger")), proofs))
    other = document(signed_pass("test", cluster="elsewhere"))["dsseEnvelope"]["signatures"]
    swapped = {"dsseEnvelope.signatures": other, **proofs}
    forged = verdict(changed(document(signed_pass("test")), swapped))

    assert isinstance(stranger, Rejection)
    assert stranger.code == "SIGNER_UNKNOWN"
    assert isinstance(forged, Rejection)
    assert forged.code == "SIGNATURE_INVALID"


@pytest.mark.parametrize("proofs", UNREAD)
def test_they_give_a_pass_no_other_time_than_its_own(proofs: dict[str, Any]) -> None:
    expired = signed_pass("test", changes={"expires": "2026-11-26T11:59:59Z"})
    proven = strictjson.dumps(changed(document(expired), proofs))

    assert codes(judged(policy_set(), [proven], STAGING)) == ["EXPIRED"]
