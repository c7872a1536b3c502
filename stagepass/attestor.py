"""
Attestors: who may sign, and the only door from a bundle to an `Attestation`.

Which key, which algorithm and which hash are the policy's choice, never the message's: each key has
the one `Algorithm` of its kind.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from stagepass.algorithms import Algorithm, Message, VerifyingKey, refused
from stagepass.bundle import Bundle
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.envelope import Envelope
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.identity import Certified, Identity, Opened, Span
from stagepass.statement import PAYLOAD_TYPE, Statement

_MAX_FILE = 1 << 16  # 20 times an RSA key of 16384 bits
_COMPARED = 20  # identities, for an explanation: whoever may push a bundle has it composed
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


class Certificates(Protocol):
    """What verifies bundles of certificates; made only for a set that names an identity."""

    def verify(self, data: bytes, bundle: Bundle | None = None) -> Opened:
        """
        Who signed it, and when; `bundle` is the same, where it was parsed already.

        Raises `AttestationError` with `SIGNATURE_INVALID` or as parsing does.
        """
        ...


class TrustedTimes(Protocol):
    """What proves when a key signed; made only for a set with trust roots."""

    @property
    def roots(self) -> frozenset[str]:
        """The trust roots with an authority or log that could prove a time."""
        ...

    def of(
        self, bundle: Bundle, key: PublicKey, roots: frozenset[str] | None = None
    ) -> Span | None:
        """
        When `key`, whose signature verified, signed this; None where no known authority says so.

        `roots` are the trust roots whose authorities count, None for all.

        Raises `AttestationError` for what a known authority says of something else.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeyRing:
    """
    Every key of a policy set, by id, with its owner; and its identities, each with its owner.

    `roots` are those trust roots whose authorities may date what a key signed, by its id; of a key that
    is not in it, all.
    """

    keys: Mapping[str, PublicKey]
    owners: Mapping[str, str]
    identities: tuple[tuple[Identity, str], ...] = ()
    certificates: Certificates | None = None
    times: TrustedTimes | None = None
    roots: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        keys: Iterable[tuple[PublicKey | Identity, str]],
        certificates: Certificates | None = None,
        times: TrustedTimes | None = None,
    ) -> KeyRing:
        """From (key or identity, owner) pairs."""
        pairs = list(keys)
        held = {key.id: (key, owner) for key, owner in pairs if isinstance(key, PublicKey)}
        return cls(
            {key_id: key for key_id, (key, _) in held.items()},
            {key_id: owner for key_id, (_, owner) in held.items()},
            tuple((key, owner) for key, owner in pairs if isinstance(key, Identity)),
            certificates,
            times,
        )

    def also(self, keys: Iterable[PublicKey]) -> KeyRing:
        """With these keys as well, of nobody."""
        more = {key.id: key for key in keys}
        owners = {**dict.fromkeys(more, ""), **self.owners}
        return replace(self, keys={**self.keys, **more}, owners=owners)

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
            if bundle.envelope.payload_type != PAYLOAD_TYPE:
                raise _other_type(bundle.envelope.payload_type)
            if bundle.certificate is None:
                return self._by_key(bundle)
            return self._by_certificate(candidate.data, bundle)
        except AttestationError as error:
            code, message = Code(error.code), error.message
        except Exception as error:
            # Whatever a stranger's bytes do to a reader of them, they hide no better evidence.
            code, message = Code.STATEMENT_INVALID, f"cannot be read: {type(error).__name__}"
        return Rejection(code, message, _claimed_type(bundle), candidate.origin)

    def _by_key(self, bundle: Bundle) -> Attestation:
        key = self._signer(bundle)
        statement = Statement.parse(bundle.envelope.payload)
        roots = self.roots.get(key.id)
        signed = None if self.times is None else self.times.of(bundle, key, roots)
        return Attestation(statement, key.id, self.owners[key.id], signed=signed)

    def _signer(self, bundle: Bundle) -> PublicKey:
        envelope = bundle.envelope
        hinted, message = self.keys.get(bundle.hint), Message(envelope.signed_bytes)
        if hinted is not None and hinted.verifies(envelope, message):
            return hinted
        # A hint is signed by nobody: empty, absent or wrong, it must not hide a good signature.
        for key in self.keys.values():
            if key is not hinted and key.verifies(envelope, message):
                return key
        if hinted is not None:
            remark = f"; {hinted.algorithm.remark}" if hinted.algorithm.remark else ""
            owner = self.owners[hinted.id]
            raise AttestationError(
                Code.SIGNATURE_INVALID,
                f"names the key of {owner}, but the bytes do not verify under it{remark}",
            )
        raise AttestationError(Code.SIGNER_UNKNOWN, "no key of the policy set verifies it")

    def _by_certificate(self, data: bytes, bundle: Bundle) -> Attestation:
        """A certificate never stands for a key, not even the very key's (R5, cosign-proof section 5)."""
        if self.certificates is None:
            raise AttestationError(
                Code.SIGNER_UNKNOWN, "signed with a certificate; the policy names keys alone"
            )
        opened = self.certificates.verify(data, bundle)
        if opened.payload_type != PAYLOAD_TYPE:
            raise _other_type(opened.payload_type)
        certified = opened.certified
        owner = next((o for i, o in self.identities if i.matches(certified)), None)
        if owner is None:
            raise AttestationError(Code.SIGNER_UNKNOWN, self._nearest(certified))
        # What sigstore verified is what is parsed, not what our own reading of the bundle held.
        statement = Statement.parse(opened.payload)
        return Attestation(statement, certified.id, owner, certified, opened.signed)

    def _nearest(self, certified: Certified) -> str:
        """That no identity matches, and what the nearest of them wants instead."""
        got = f"no identity matches {certified.subject!r} of issuer {certified.issuer!r}"
        known = [identity for identity, _ in self.identities]
        near = [each for each in known if each.issuer == certified.issuer] or known
        near = [each for each in near if each.subject.matches(certified.subject)] or near
        wanted = sorted(
            (len(found), identity.id, found)
            for identity in near[:_COMPARED]
            if (found := list(identity.differences(certified)))
        )
        return f"{got}; the nearest wants {', '.join(wanted[0][2])}" if wanted else got


def _other_type(payload_type: str) -> AttestationError:
    return AttestationError(
        Code.STATEMENT_INVALID, f"payloadType {payload_type!r} is not an in-toto statement"
    )


def _der(key: VerifyingKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _hint(pem: bytes) -> str:
    """What to do with a file that holds no public key."""
    return "a private key belongs to whoever signs" if b"PRIVATE KEY-----" in pem else _GENERATE


def _claimed_type(bundle: Bundle | None) -> str:
    """The predicate type an unverified payload claims, for an explanation only."""
    try:
        return Statement.parse(bundle.envelope.payload).predicate_type if bundle else ""
    except Exception:  # as in `read`
        return ""
