"""Bundles of certificates that must not count, each with its own reason (R5, R6, R12 to R14)."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from stagepass.evidence import Attestation
from tests.keyless.world import (
    ISSUER,
    PAYLOAD,
    SIGNED_AT,
    SUBJECT,
    altered,
    keyless,
    policy,
    refusal,
    sigstore,
    verdict,
)
from tests.simulators.sigstore import Lies
from tests.world import DROP, OTHER_DIGEST, PROVENANCE, policy_set, signed, signer, statement

POLICY = policy()
V2 = {"log": "v2", "tsa": True}
LATER = timedelta(minutes=11)
"""One more than a leaf lives."""
MATERIAL = "verificationMaterial"
STAMPS = f"{MATERIAL}.timestampVerificationData.rfc3161Timestamps"
LIFE = "2026-11-26T11:00:00Z to 2026-11-26T11:10:00Z"


def document(bundle: bytes) -> dict[str, Any]:
    """As a writer would take it apart."""
    found: dict[str, Any] = json.loads(bundle)
    return found


def stamped(bundle: bytes, at: datetime) -> dict[str, str]:
    """One more time stamp over its signature, by the known authority."""
    signature = base64.b64decode(document(bundle)["dsseEnvelope"]["signatures"][0]["sig"])
    return {"signedTimestamp": base64.b64encode(sigstore().stamp(signature, at)).decode()}


BY_BOTH_LOGS = [
    ({"foreign_authority": True}, "signature does not match"),
    ({"no_sct": True}, "does not contain a signed certificate timestamp"),
    ({"two_scts": True}, "Expected one certificate timestamp, found 2"),
    ({"foreign_sct": True}, "SCT verify failed"),
    ({"no_code_signing": True}, "does not contain `code signing`"),
    ({"late_leaf": LATER}, "the certificate lived from 2026-11-26T11:11:00Z"),
    ({"foreign_log": True}, "invalid log entry: checkpoint: invalid signature"),
    ({"stolen_log_id": True}, "invalid log entry: checkpoint: invalid signature"),
    ({"unsigned_checkpoint": True}, "invalid log entry: checkpoint: invalid signature"),
    ({"no_checkpoint": True}, "must contain inclusion proof, with checkpoint"),
    ({"wrong_proof": True}, "inclusion proof contains invalid root hash"),
    ({"wrong_root": True}, "Inclusion proof contains invalid root hash"),
    ({"foreign_signature": True}, "DSSE: invalid signature"),
]
BY_V1 = [
    ({"logged_after": LATER}, f"not valid at validation time; the certificate lived from {LIFE}"),
    ({"logged_after": -LATER}, "not valid at validation time"),
    ({"moved_time": LATER}, "not valid at validation time"),
    ({"moved_time": timedelta(minutes=1)}, "SET: invalid inclusion promise"),
    ({"forged_promise": True}, "SET: invalid inclusion promise"),
    ({"no_promise": True}, "must contain an inclusion promise or signed timestamp"),
]
BY_V2 = [
    ({"no_tsa": True}, "must contain an inclusion promise or signed timestamp"),
    ({"foreign_tsa": True}, "not enough sources of verified time"),
    ({"foreign_stamp": True}, "not enough sources of verified time"),
    ({"stamped_after": LATER}, "not valid at validation time"),
    ({"stamped_after": -LATER}, "not valid at validation time"),
]
CASES = [
    *((lies, reason, {}) for lies, reason in (*BY_BOTH_LOGS, *BY_V1)),
    *((lies, reason, V2) for lies, reason in (*BY_BOTH_LOGS, *BY_V2)),
]


@pytest.mark.parametrize(
    ("lies", "reason", "by"),
    CASES,
    ids=[f"{next(iter(lies))}-{by.get('log', 'v1')}" for lies, _, by in CASES],
)
def test_what_does_not_verify_is_refused_with_the_reason(
    lies: dict[str, Any], reason: str, by: dict[str, Any]
) -> None:
    code, message = refusal(POLICY, keyless(lies=Lies(**lies), **by))

    assert code == "SIGNATURE_INVALID"
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("by", [{}, {"tsa": True}, V2], ids=["v1", "v1 and stamp", "v2 and stamp"])
def test_the_same_without_a_lie_counts(by: dict[str, Any]) -> None:
    """Else the refusals above would prove nothing."""
    assert isinstance(verdict(POLICY, keyless(**by)), Attestation)


class TestOtherEntries:
    """CVE-2022-36056, CVE-2026-22703: a true entry of the log, but of something else."""

    @pytest.mark.parametrize("lie", ["foreign_entry", "foreign_certificate"])
    @pytest.mark.parametrize("by", [{}, V2], ids=["v1", "v2"])
    def test_an_entry_of_another_payload_or_certificate(self, lie: str, by: dict[str, Any]) -> None:
        code, message = refusal(POLICY, keyless(lies=Lies(**{lie: True}), **by))

        assert code == "SIGNATURE_INVALID"
        assert re.search("does not match bundle|do not match bundle|is inconsistent", message)

    @pytest.mark.parametrize("by", [{}, V2], ids=["v1", "v2"])
    def test_the_entry_of_another_bundle_by_the_same_holder(self, by: dict[str, Any]) -> None:
        other = keyless(statement(PROVENANCE, b'{"ok":false}'), **by)
        entries = document(other)[MATERIAL]["tlogEntries"]
        grafted = altered(keyless(**by), {f"{MATERIAL}.tlogEntries": entries})

        assert refusal(POLICY, grafted)[0] == "SIGNATURE_INVALID"

    @pytest.mark.parametrize("count", [0, 2])
    def test_exactly_one_entry_counts(self, count: int) -> None:
        bundle = keyless(tsa=True)
        entries = document(bundle)[MATERIAL]["tlogEntries"] * count
        code, message = refusal(POLICY, altered(bundle, {f"{MATERIAL}.tlogEntries": entries}))

        assert code == "SIGNATURE_INVALID"
        assert message.endswith(f"exactly one log entry, and there are {count}")


class TestTime:
    def test_a_second_stamp_that_is_backdated_is_looked_at_as_well(self) -> None:
        """Every proven time lies in the certificate's life (sigstore-rust PR 160): none is left out."""
        bundle = keyless(**V2)
        stamp = stamped(bundle, SIGNED_AT - timedelta(days=1))
        backdated = altered(bundle, {f"{STAMPS}.1": stamp})

        assert "not valid at validation time" in refusal(POLICY, backdated)[1]

    def test_a_second_stamp_within_the_life_does_no_harm(self) -> None:
        bundle = keyless(**V2)
        stamp = stamped(bundle, SIGNED_AT + timedelta(minutes=2))

        assert isinstance(verdict(POLICY, altered(bundle, {f"{STAMPS}.1": stamp})), Attestation)

    def test_a_stamp_that_stands_twice(self) -> None:
        bundle = keyless(**V2)
        stamps = document(bundle)[MATERIAL]["timestampVerificationData"]["rfc3161Timestamps"]

        assert "duplicate timestamp" in refusal(POLICY, altered(bundle, {STAMPS: stamps * 2}))[1]

    def test_what_is_proven_is_the_life_of_the_certificate(self) -> None:
        found = verdict(POLICY, keyless())

        assert isinstance(found, Attestation)
        assert found.signed is not None
        assert found.signed.earliest == SIGNED_AT
        assert found.signed.latest == SIGNED_AT + timedelta(minutes=10)


class TestPayload:
    def test_another_payload_type_although_it_is_signed_and_logged(self) -> None:
        """The library takes it (attestations.md section 1.2), so we must not."""
        code, message = refusal(POLICY, keyless(payload_type="text/html"))

        assert (code, message) == (
            "STATEMENT_INVALID",
            "payloadType 'text/html' is not an in-toto statement",
        )

    def test_a_payload_that_is_no_statement(self) -> None:
        assert refusal(POLICY, keyless(b'{"_type":"other"}'))[0] == "STATEMENT_INVALID"

    def test_a_statement_about_another_image(self) -> None:
        other = statement(PROVENANCE, digest=OTHER_DIGEST)

        assert refusal(POLICY, keyless(other)) == ("SUBJECT_MISMATCH", "signed for another digest")
        assert isinstance(verdict(POLICY, keyless(other), OTHER_DIGEST), Attestation)

    def test_a_payload_that_was_swapped_after_it_was_signed(self) -> None:
        other = document(keyless(statement(PROVENANCE, b'{"ok":false}')))["dsseEnvelope"]["payload"]
        swapped = altered(keyless(), {"dsseEnvelope.payload": other})

        assert refusal(POLICY, swapped)[0] == "SIGNATURE_INVALID"


class TestKindsOfMaterial:
    """A certificate never stands for a key, nor a key for an identity."""

    def test_a_certificate_where_the_policy_names_keys_alone(self) -> None:
        code, message = refusal(policy_set(), keyless())

        assert (code, message) == (
            "SIGNER_UNKNOWN",
            "signed with a certificate; the policy names keys alone",
        )

    def test_the_certificate_of_the_very_key_that_the_policy_names(self) -> None:
        """The key of `ci` counts; a certificate for it, of an identity that is nobody's, does not."""
        key = load_pem_private_key(signer("ci").private_pem, None)
        bundle = keyless(subject="https://example.com/nobody", key=key)

        assert refusal(POLICY, bundle)[0] == "SIGNER_UNKNOWN"
        assert isinstance(verdict(POLICY, signed(PAYLOAD, "ci")), Attestation)

    def test_a_key_never_counts_for_an_identity(self) -> None:
        found = verdict(POLICY, signed(PAYLOAD, "ci"))

        assert isinstance(found, Attestation)
        release = POLICY.attestors["release"]
        assert release.entries(found.key_id, found.certified) == ()

    def test_a_key_whose_hint_is_the_identity(self) -> None:
        hint = {f"{MATERIAL}.publicKey.hint": f"{ISSUER} {SUBJECT}"}

        assert refusal(POLICY, altered(signed(PAYLOAD, "stranger"), hint))[0] == "SIGNER_UNKNOWN"

    def test_a_chain_of_certificates(self) -> None:
        bundle = keyless()
        chain = {"certificates": [document(bundle)[MATERIAL]["certificate"]]}
        changes = {f"{MATERIAL}.certificate": DROP, f"{MATERIAL}.x509CertificateChain": chain}

        assert "chain of certificates" in refusal(POLICY, altered(bundle, changes))[1]

    def test_bytes_that_are_no_certificate(self) -> None:
        junk = altered(keyless(), {f"{MATERIAL}.certificate.rawBytes": "AAAA"})
        code, message = refusal(POLICY, junk)

        assert code == "STATEMENT_INVALID"
        assert message.startswith("Sigstore cannot read the bundle: ")
