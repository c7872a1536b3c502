"""
Attestors: who may sign, and the only door from a bundle to an `Attestation`.

Which key, which algorithm and which hash are the policy's choice, never the message's: here ECDSA
P-256 with SHA-256 and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stagepass.bundle import Bundle
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.envelope import Envelope
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.statement import PAYLOAD_TYPE, Statement

_SHA256 = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A P-256 key. `id` is base64(SHA-256(SPKI DER)), the hint cosign writes into its bundles."""

    id: str
    openssh_fingerprint: str
    _key: ec.EllipticCurvePublicKey = field(compare=False, repr=False)

    @classmethod
    def parse(cls, pem: bytes) -> PublicKey:
        """From PEM SubjectPublicKeyInfo. Raises `InputError` for anything but a P-256 public key."""
        key: object
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, TypeError) as error:
            raise InputError(
                "not a PEM public key", hint="the .pub file `stagepass keys generate` wrote"
            ) from error
        except UnsupportedAlgorithm:
            key = None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
            key.curve, ec.SECP256R1
        ):
            raise InputError("not an ECDSA P-256 key", hint="`stagepass keys generate` makes one")
        return cls.of(key)

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> PublicKey:
        """The value form of a loaded key."""
        der = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        ssh = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        blob = hashlib.sha256(base64.b64decode(ssh.split()[1])).digest()
        return cls(
            id=base64.b64encode(hashlib.sha256(der).digest()).decode(),
            openssh_fingerprint=f"SHA256:{base64.b64encode(blob).decode().rstrip('=')}",
            _key=key,
        )

    def verifies(self, envelope: Envelope) -> bool:
        """Whether this key signed the envelope's pre-authentication encoding, DER signature only."""
        try:
            self._key.verify(envelope.signature, envelope.signed_bytes, _SHA256)
        except InvalidSignature:
            return False
        # The one non-empty keyid cosign takes is the key's own OpenSSH fingerprint.
        return envelope.keyid in ("", self.openssh_fingerprint)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key of a policy set, by id, with its owner."""

    keys: Mapping[str, PublicKey]
    owners: Mapping[str, str]

    @classmethod
    def of(cls, keys: Iterable[tuple[PublicKey, str]]) -> KeyRing:
        """From (key, owner) pairs."""
        pairs = list(keys)
        return cls({key.id: key for key, _ in pairs}, {key.id: owner for key, owner in pairs})

    def verify(self, candidate: Candidate, digest: Digest) -> Attestation | Rejection:
        """The verified statement about `digest`, or why the candidate does not count."""
        found = self.read(candidate)
        if isinstance(found, Rejection) or digest in found.statement.digests:
            return found
        message, kind = "signed for another digest", found.statement.predicate_type
        return Rejection(Code.SUBJECT_MISMATCH, message, kind, candidate.origin)

    def read(self, candidate: Candidate) -> Attestation | Rejection:
        """
        The verified statement, whatever it is about.

        Order as in attestations.md R5-R9: bundle, payload type, signature over the decoded bytes, then
        those same bytes parsed.
        """
        bundle: Bundle | None = None
        try:
            bundle = Bundle.parse(candidate.data)
            statement, key_id = self._open(bundle)
        except AttestationError as error:
            claimed = _claimed_type(bundle.envelope) if bundle else ""
            return Rejection(Code(error.code), error.message, claimed, candidate.origin)
        return Attestation(statement, key_id, self.owners[key_id])

    def _open(self, bundle: Bundle) -> tuple[Statement, str]:
        envelope = bundle.envelope
        if envelope.payload_type != PAYLOAD_TYPE:
            raise AttestationError(
                Code.STATEMENT_INVALID,
                f"payloadType {envelope.payload_type!r} is not an in-toto statement",
            )
        hinted = self.keys.get(bundle.hint)
        if hinted is not None and hinted.verifies(envelope):
            return Statement.parse(envelope.payload), hinted.id
        # A hint is signed by nobody: empty, absent or wrong, it must not hide a good signature.
        for key in self.keys.values():
            if key is not hinted and key.verifies(envelope):
                return Statement.parse(envelope.payload), key.id
        if hinted is not None:
            raise AttestationError(
                Code.SIGNATURE_INVALID,
                f"names the key of {self.owners[hinted.id]}, but the bytes do not verify under it",
            )
        raise AttestationError(Code.SIGNER_UNKNOWN, "no key of the policy set verifies it")


def _claimed_type(envelope: Envelope) -> str:
    """The predicate type an unverified payload claims, for an explanation only."""
    try:
        return Statement.parse(envelope.payload).predicate_type
    except AttestationError:
        return ""
