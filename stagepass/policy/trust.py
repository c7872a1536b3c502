"""What in a policy set is signed: the set itself, and its revocation list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from stagepass import strictjson
from stagepass.attestor import KeyRing, PublicKey
from stagepass.clock import format_time
from stagepass.digest import Digest
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.policy.attestors import Attestor
from stagepass.policy.revocations import Revocations, signers_of
from stagepass.predicates.members import (
    POLICY_SET,
    REVOCATION_LIST,
    mapping,
    number,
    refuse_unknown_critical,
    time,
)
from stagepass.predicates.revocation import RevocationList

_NEVER = datetime.max.replace(tzinfo=UTC)
SIGNATURE_FILE = "policy-set.sigstore.json"
"""At the root of a signed set, beside the files it is about."""


@dataclass(frozen=True, slots=True)
class SetSignature:
    """What the root key says of a set: `files` is path → hex sha256, `sequence` only grows."""

    sequence: int
    issued: datetime
    expires: datetime
    files: Mapping[str, str]

    @classmethod
    def over(
        cls, files: Mapping[str, bytes], *, sequence: int, issued: datetime, expires: datetime
    ) -> SetSignature:
        """Of every file but an earlier signature."""
        digests = {n: Digest.of(files[n]).hex for n in sorted(files) if n != SIGNATURE_FILE}
        return cls(sequence, issued, expires, digests)

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> SetSignature:
        """From a verified predicate. Raises `AttestationError`."""
        refuse_unknown_critical(predicate)
        files = {str(name): str(digest) for name, digest in mapping(predicate, "files").items()}
        return cls(
            number(predicate, "sequence"),
            time(predicate, "issued"),
            time(predicate, "expires"),
            files,
        )

    @property
    def digest(self) -> Digest:
        """The subject of the statement: of the list of files."""
        return Digest.of(strictjson.dumps(dict(sorted(self.files.items()))))

    def compose(self) -> bytes:
        """The predicate's text."""
        return strictjson.dumps(
            {
                "sequence": self.sequence,
                "issued": format_time(self.issued),
                "expires": format_time(self.expires),
                "files": dict(self.files),
                "critical": [],
            }
        )


def read_signature(files: Mapping[str, bytes], root: PublicKey) -> SetSignature:
    """
    The root key's word on exactly these files. Raises `InputError`.

    An added, missing or altered file refuses the set: whoever merges a commit does not hold the key.
    """
    if SIGNATURE_FILE not in files:
        raise InputError(
            "the set is not signed, and a root key is configured",
            hint="stagepass policy sign DIR --key KEY",
        )
    signature = verified_signature(files[SIGNATURE_FILE], root)
    actual = {name: Digest.of(data).hex for name, data in files.items() if name != SIGNATURE_FILE}
    differing = sorted(
        n for n in actual.keys() | signature.files.keys() if actual.get(n) != signature.files.get(n)
    )
    if differing:
        raise InputError(f"not as signed: {', '.join(differing[:5])}", hint="sign the set again")
    return signature


def verified_signature(content: bytes, root: PublicKey) -> SetSignature:
    """What the root key says in this bundle, about whatever files. Raises `InputError`."""
    attestation = _verified(content, KeyRing.of([(root, "root")]), POLICY_SET)
    try:
        signature = SetSignature.parse(attestation.statement.predicate)
    except AttestationError as error:
        raise InputError(error.message) from error
    if signature.digest not in attestation.statement.digests:
        raise InputError("the signature's subject is not its list of files")
    return signature


def read_revocations(
    content: bytes, keys: KeyRing, signers: Sequence[Attestor], *, deny_when_expired: bool
) -> Revocations:
    """
    The list in a bundle, signed by one of `signers`. Raises `InputError`.

    It expires with the key that signed it: a retired key must not speak for the set for ever. But what
    that provably signed while it was valid holds for as long as it says.
    """
    listed, attestation = verified_list(content, keys)
    by = attestation.key_id, attestation.certified
    entries = [key for signer in signers for key in signer.entries(*by)]
    if (signed := attestation.signed) is not None:
        entries = [key for key in entries if key.valid_at(signed.earliest, signed.latest)]
    if not entries:
        raise InputError(f"signed by {attestation.owner}, who may not revoke")
    ends = (key.valid_until or _NEVER for key in entries if signed is None)
    expires = min((listed.expires, *ends))
    found = in_force(listed, expires, deny_when_expired=deny_when_expired)
    return replace(found, signers=tuple(signer.name for signer in signers))


def in_force(listed: RevocationList, expires: datetime, *, deny_when_expired: bool) -> Revocations:
    """A list whose signer somebody has judged, until `expires`."""
    by_kind = {
        kind: {entry.value: entry.reason for entry in listed.entries if entry.kind == kind}
        for kind in ("artifact", "attestation")
    }
    keys, identities = signers_of(listed.entries)
    return Revocations(
        listed.sequence,
        expires,
        deny_when_expired,
        artifacts=by_kind["artifact"],
        attestations=by_kind["attestation"],
        keys=keys,
        identities=identities,
    )


def verified_list(content: bytes, keys: KeyRing) -> tuple[RevocationList, Attestation]:
    """The list in a bundle, signed by whichever of `keys`. Raises `InputError`."""
    attestation = _verified(content, keys, REVOCATION_LIST)
    try:
        listed = RevocationList.parse(attestation.statement.predicate)
    except AttestationError as error:
        raise InputError(error.message) from error
    if listed.digest not in attestation.statement.digests:
        raise InputError("the statement's subject is not its list of entries")
    return listed, attestation


def _verified(content: bytes, keys: KeyRing, predicate_type: str) -> Attestation:
    found = keys.read(Candidate(content, "the signature"))
    if isinstance(found, Rejection):
        raise InputError(f"{found.code}: {found.message}")
    if found.statement.predicate_type != predicate_type:
        raise InputError(
            f"a statement of type {found.statement.predicate_type!r}, not {predicate_type!r}"
        )
    return found
