"""Sigstore bundles v0.3 with a DSSE envelope and a public key: how evidence travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stagepass import strictjson
from stagepass.decision import Code
from stagepass.envelope import Envelope
from stagepass.errors import AttestationError, InputError

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
# Both spellings of v0.3, and nothing else (R5; cosign refuses 0.2 and 0.4 from a registry as well).
_MEDIA_TYPES = {MEDIA_TYPE, "application/vnd.dev.sigstore.bundle+json;version=0.3"}
MAX_BYTES = 1 << 20
_MAX_DEPTH = 32

_MEMBERS = {"mediaType", "verificationMaterial", "dsseEnvelope"}
_MATERIAL = {
    "publicKey",
    "certificate",
    "x509CertificateChain",
    "tlogEntries",
    "timestampVerificationData",
}
_KINDS = {"publicKey", "certificate", "x509CertificateChain"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """Unverified. `hint` names a public key and is signed by nobody; "" where the bundle has none."""

    envelope: Envelope
    hint: str

    @classmethod
    def parse(cls, data: bytes) -> Bundle:
        """Raises `AttestationError`: `STATEMENT_INVALID`, or `SIGNER_UNKNOWN` for a certificate."""
        try:
            document = strictjson.loads_object(data, max_bytes=MAX_BYTES, max_depth=_MAX_DEPTH)
        except InputError as error:
            raise _invalid(f"the bundle is {error}") from error
        media_type = document.get("mediaType")
        if not isinstance(media_type, str) or media_type not in _MEDIA_TYPES:
            raise _invalid(f"mediaType {media_type!r} is not a bundle v0.3")
        if unknown := document.keys() - _MEMBERS:
            raise _invalid(f"the bundle has unknown members {sorted(unknown)}")
        hint = _hint(document.get("verificationMaterial"))
        return cls(Envelope.parse(document.get("dsseEnvelope")), hint)

    def to_bytes(self) -> bytes:
        """As cosign writes it: three members, no `tlogEntries`, no newline."""
        return strictjson.dumps(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": {"publicKey": {"hint": self.hint}},
                "dsseEnvelope": self.envelope.to_json(),
            }
        )


def _hint(material: object) -> str:
    if not isinstance(material, dict) or not material or material.keys() - _MATERIAL:
        raise _invalid("verificationMaterial is not an object of the members v0.3 names")
    _optional_list(material.get("tlogEntries"), "tlogEntries")
    kinds = material.keys() & _KINDS
    if len(kinds) != 1:
        raise _invalid(
            f"verificationMaterial holds {sorted(kinds) or 'nothing'}; exactly one kind counts"
        )
    if kinds != {"publicKey"}:
        # A certificate never satisfies a key, not even the very key's (R5, cosign-proof section 5).
        raise AttestationError(
            Code.SIGNER_UNKNOWN, "signed with a certificate; the policy names keys"
        )
    key: Any = material["publicKey"]
    hint = key.get("hint", "") if isinstance(key, dict) and not key.keys() - {"hint"} else None
    if not isinstance(hint, str):
        raise _invalid("publicKey is not an object with a hint")
    return hint


def _optional_list(value: object, what: str) -> None:
    if value is not None and not (
        isinstance(value, list) and all(isinstance(v, dict) for v in value)
    ):
        raise _invalid(f"{what} is not a list of objects")


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.STATEMENT_INVALID, message)
