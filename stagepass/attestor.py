"""
Attestors: who may sign, and the only door from a bundle to an `Attestation`.

Which key, which algorithm and which hash are the policy's choice, never the message's: each key has
the one `Algorithm` of its kind.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from stagepass.algorithms import Algorithm, Message, VerifyingKey, refused
from stagepass.bundle import Bundle
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.envelope import Envelope
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.statement import PAYLOAD_TYPE, Statement

_MAX_FILE = 1 << 16  # 20 times an RSA key of 16384 bits
_GENERATE = "the .pub file `stagepass keys generate` wrote"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`id` is base64(SHA-256(SPKI DER)), the hint cosign writes into its bundles."""

    id: str
    openssh_fingerprint: str
    algorithm: Algorithm = field(compare=False, repr=False)

    @classmethod
    def parse(cls, pem: bytes) -> PublicKey:
        """
        From PEM SubjectPublicKeyInfo, one key in a file.

        Raises `InputError` for anything else, and for a kind or size of key that does not count.
        """
        key: object
        try:
            key = serialization.load_pem_public_key(pem[:_MAX_FILE])
        except (ValueError, TypeError) as error:
            raise InputError("not a PEM public key", hint=_hint(pem)) from error
        except UnsupportedAlgorithm as error:
            raise refused(f"unknown: {error}") from error
        if not isinstance(key, VerifyingKey):
            raise refused(f"of the kind {type(key).__name__.removesuffix('PublicKey')}")
        if pem.count(b"-----BEGIN ") != 1:
            raise InputError("more than one PEM block", hint="one key in a file")
        # Loaded as if it were the plain form: a key for RSA-PSS alone would lose its one meaning, and
        # the hash of the others is no id that cosign writes (Go reads none of them).
        if base64.b64encode(_der(key)) not in b"".join(pem.split()):
            raise InputError(
                "not the plain form of a key: RSA-PSS, PKCS#1, explicit parameters or a compressed point",
                hint="PEM of SubjectPublicKeyInfo, as `openssl pkey -pubout` writes it",
            )
        return cls.of(key)

    @classmethod
    def of(cls, key: VerifyingKey) -> PublicKey:
        """The value form of a loaded key. Raises `InputError` as `parse` does."""
        algorithm = Algorithm.of(key)
        ssh = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        blob = hashlib.sha256(base64.b64decode(ssh.split()[1])).digest()
        return cls(
            id=base64.b64encode(hashlib.sha256(_der(key)).digest()).decode(),
            openssh_fingerprint=f"SHA256:{base64.b64encode(blob).decode().rstrip('=')}",
            algorithm=algorithm,
        )

    def verifies(self, envelope: Envelope, message: Message) -> bool:
        """Whether this key signed the envelope; `message` is its `signed_bytes`."""
        # The one non-empty keyid cosign takes is the key's own OpenSSH fingerprint.
        return envelope.keyid in ("", self.openssh_fingerprint) and self.algorithm.verifies(
            envelope.signature, message
        )


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
        hinted, message = self.keys.get(bundle.hint), Message(envelope.signed_bytes)
        if hinted is not None and hinted.verifies(envelope, message):
            return Statement.parse(envelope.payload), hinted.id
        # A hint is signed by nobody: empty, absent or wrong, it must not hide a good signature.
        for key in self.keys.values():
            if key is not hinted and key.verifies(envelope, message):
                return Statement.parse(envelope.payload), key.id
        if hinted is not None:
            remark = f"; {hinted.algorithm.remark}" if hinted.algorithm.remark else ""
            owner = self.owners[hinted.id]
            raise AttestationError(
                Code.SIGNATURE_INVALID,
                f"names the key of {owner}, but the bytes do not verify under it{remark}",
            )
        raise AttestationError(Code.SIGNER_UNKNOWN, "no key of the policy set verifies it")


def _der(key: VerifyingKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _hint(pem: bytes) -> str:
    """What to do with a file that holds no public key."""
    return "a private key belongs to whoever signs" if b"PRIVATE KEY-----" in pem else _GENERATE


def _claimed_type(envelope: Envelope) -> str:
    """The predicate type an unverified payload claims, for an explanation only."""
    try:
        return Statement.parse(envelope.payload).predicate_type
    except AttestationError:
        return ""
