"""Sigstore bundles v0.3 with a DSSE envelope, signed by a key or a certificate: how evidence travels."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
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
# Fulcio's have up to 3 KiB. A name in one of 1 MiB costs half a second to read.
_MAX_CERTIFICATE = 1 << 14

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
    """
    Unverified. Of a key or of a `certificate` (DER), None for a key.

    `hint` names a public key and is signed by nobody; "" where the bundle has none. `log_entries` are
    the JSON of transparency logs, `timestamps` the DER of RFC 3161 responses, b"" for what is none.
    """

    envelope: Envelope
    hint: str
    certificate: bytes | None = None
    log_entries: tuple[dict[str, Any], ...] = field(default=(), hash=False)
    timestamps: tuple[bytes, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Bundle:
        """Raises `AttestationError`: `STATEMENT_INVALID`, or `SIGNER_UNKNOWN` for a chain."""
        try:
            document = strictjson.loads_object(data, max_bytes=MAX_BYTES, max_depth=_MAX_DEPTH)
        except InputError as error:
            raise _invalid(f"the bundle is {error}") from error
        media_type = document.get("mediaType")
        if not isinstance(media_type, str) or media_type not in _MEDIA_TYPES:
            raise _invalid(f"mediaType {media_type!r} is not a bundle v0.3")
        if unknown := document.keys() - _MEMBERS:
            raise _invalid(f"the bundle has unknown members {sorted(unknown)}")
        material = _material(document.get("verificationMaterial"))
        is_key = "publicKey" in material
        return cls(
            Envelope.parse(document.get("dsseEnvelope")),
            _hint(material["publicKey"]) if is_key else "",
            None if is_key else _certificate(material["certificate"]),
            tuple(material.get("tlogEntries") or ()),
            _timestamps(material.get("timestampVerificationData")),
        )

    def to_bytes(self) -> bytes:
        """As cosign writes it: three members, proofs only where there are any, no newline."""
        material: dict[str, Any] = {"publicKey": {"hint": self.hint}}
        if self.certificate is not None:
            material = {"certificate": {"rawBytes": _encoded(self.certificate)}}
        if self.log_entries:
            material["tlogEntries"] = list(self.log_entries)
        if self.timestamps:
            stamps = [{"signedTimestamp": _encoded(stamp)} for stamp in self.timestamps]
            material["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
        return strictjson.dumps(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": material,
                "dsseEnvelope": self.envelope.to_json(),
            }
        )


def _material(material: object) -> dict[str, Any]:
    if not isinstance(material, dict) or not material or material.keys() - _MATERIAL:
        raise _invalid("verificationMaterial is not an object of the members v0.3 names")
    _optional_list(material.get("tlogEntries"), "tlogEntries")
    kinds = material.keys() & _KINDS
    if len(kinds) != 1:
        raise _invalid(
            f"verificationMaterial holds {sorted(kinds) or 'nothing'}; exactly one kind counts"
        )
    if kinds == {"x509CertificateChain"}:
        # Bundles v0.3 hold the leaf alone; whoever sends a chain chooses the path to the root.
        raise AttestationError(
            Code.SIGNER_UNKNOWN, "signed with a chain of certificates; v0.3 holds the leaf alone"
        )
    return material


def _hint(key: object) -> str:
    hint = key.get("hint", "") if isinstance(key, dict) and not key.keys() - {"hint"} else None
    if not isinstance(hint, str):
        raise _invalid("publicKey is not an object with a hint")
    return hint


def _certificate(certificate: object) -> bytes:
    """The DER; that it is a certificate is for whoever verifies it."""
    known = isinstance(certificate, dict) and certificate.keys() == {"rawBytes"}
    der = (
        strictjson.base64_bytes(certificate["rawBytes"])
        if isinstance(certificate, dict) and known
        else b""
    )
    if not der:
        raise _invalid("certificate is not an object with base64 rawBytes")
    if len(der) > _MAX_CERTIFICATE:
        raise _invalid(f"a certificate of {len(der)} bytes; at most {_MAX_CERTIFICATE} are read")
    return der


def _timestamps(stamps: object) -> tuple[bytes, ...]:
    """Nobody has to send any: of a key's bundle junk proves no time, and takes nothing away."""
    listed = stamps.get("rfc3161Timestamps") if isinstance(stamps, dict) else None
    return tuple(
        strictjson.base64_bytes(stamp.get("signedTimestamp")) if isinstance(stamp, dict) else b""
        for stamp in (listed if isinstance(listed, list) else ())
    )


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _optional_list(value: object, what: str) -> None:
    if value is not None and not (
        isinstance(value, list) and all(isinstance(v, dict) for v in value)
    ):
        raise _invalid(f"{what} is not a list of objects")


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.STATEMENT_INVALID, message)
