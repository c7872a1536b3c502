"""DSSE envelopes: the bytes a signature covers, and the one signature over them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.decision import Code
from stagepass.errors import AttestationError

_MEMBERS = {"payload", "payloadType", "signatures"}
_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Unverified: there is no way from here to the payload's claims but through an attestor."""

    payload_type: str
    payload: bytes
    signature: bytes
    keyid: str = ""

    @classmethod
    def parse(cls, document: object) -> Envelope:
        """From the decoded JSON of an envelope. Raises `AttestationError` with `STATEMENT_INVALID`."""
        members = _object(document, _MEMBERS, "the envelope")
        signatures = members.get("signatures")
        # Two signatures are refused by cosign in any order, and would leave open which one counts.
        if not isinstance(signatures, list) or len(signatures) != 1:
            raise _invalid("the envelope has not exactly one signature")
        signature = _object(signatures[0], {"sig", "keyid"}, "the signature")
        keyid = signature.get("keyid", "")
        payload_type = members.get("payloadType")
        if not isinstance(keyid, str) or not isinstance(payload_type, str):
            raise _invalid("payloadType or keyid is not text")
        return cls(
            payload_type=payload_type,
            payload=_base64(members.get("payload"), "payload"),
            signature=_base64(signature.get("sig"), "sig"),
            keyid=keyid,
        )

    @property
    def signed_bytes(self) -> bytes:
        """The pre-authentication encoding (DSSE v1): what the signature is over."""
        return pae(self.payload_type, self.payload)

    def to_json(self) -> dict[str, Any]:
        """As we write it: one signature, no `keyid` (any but one value makes cosign refuse it)."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"sig": base64.b64encode(self.signature).decode()}],
        }


def pae(payload_type: str, payload: bytes) -> bytes:
    """`DSSEv1 SP len(type) SP type SP len(payload) SP payload` (DSSE v1, protocol.md)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _object(document: object, members: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise _invalid(f"{what} is not an object")
    if unknown := document.keys() - members:
        raise _invalid(f"{what} has unknown members {sorted(unknown)}")
    return document


def _base64(text: object, what: str) -> bytes:
    """Both alphabets, padded or not: protobuf JSON allows all four and cosign reads them."""
    if not isinstance(text, str) or not text:
        raise _invalid(f"{what} is missing")
    standard = text.translate(_URL_SAFE)
    padding = "" if "=" in standard else "=" * (-len(standard) % 4)
    try:
        return base64.b64decode(standard + padding, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid(f"{what} is not base64: {error}") from error


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.STATEMENT_INVALID, message)
