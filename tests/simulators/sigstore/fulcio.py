"""
Who a certificate is for, and how Fulcio writes that into it.

Names and numbers of the extensions as in Fulcio's docs/oid-info.md (1.3.6.1.4.1.57264.1.N).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509

from tests.simulators.sigstore import der

__all__ = ["ARC", "EXTENSIONS", "OTHER_NAME", "Identity"]

ARC = "1.3.6.1.4.1.57264.1"
OTHER_NAME = x509.ObjectIdentifier(f"{ARC}.7")

EXTENSIONS = {
    "github-workflow-trigger": 2,
    "github-workflow-sha": 3,
    "github-workflow-name": 4,
    "github-workflow-repository": 5,
    "github-workflow-ref": 6,
    "build-signer-uri": 9,
    "build-signer-digest": 10,
    "runner-environment": 11,
    "source-repository-uri": 12,
    "source-repository-digest": 13,
    "source-repository-ref": 14,
    "source-repository-identifier": 15,
    "source-repository-owner-uri": 16,
    "source-repository-owner-identifier": 17,
    "build-config-uri": 18,
    "build-config-digest": 19,
    "build-trigger": 20,
    "run-invocation-uri": 21,
    "source-repository-visibility-at-signing": 22,
    "deployment-environment": 23,
}
_RAW = 6
"""Up to this number the value is the bare text; from .8 on it is a DER UTF8String."""


@dataclass(frozen=True, slots=True)
class Identity:
    """
    What a certificate will say: issuer, subject and extensions (by Fulcio's names).

    `kind` is the form of the subject alternative name: `uri`, `email` or `other` (a user name).
    """

    issuer: str
    subject: str
    extensions: Mapping[str, str] = field(default_factory=dict, hash=False)
    kind: str = ""

    def name(self) -> x509.GeneralName:
        """The subject alternative name; without a `kind`, an address becomes an `email`."""
        kind = self.kind or ("email" if "@" in self.subject and ":" not in self.subject else "uri")
        match kind:
            case "uri":
                return x509.UniformResourceIdentifier(self.subject)
            case "email":
                return x509.RFC822Name(self.subject)
            case "other":
                return x509.OtherName(OTHER_NAME, der.utf8(self.subject))
        raise ValueError(f"kind {kind!r} is none of uri, email, other")

    def encoded(self, other_issuer: str = "") -> list[x509.UnrecognizedExtension]:
        """The extensions in order of number; `other_issuer` is what .1 says, by default the truth."""
        values = {1: (other_issuer or self.issuer).encode(), 8: der.utf8(self.issuer)}
        for name, text in self.extensions.items():
            number = EXTENSIONS[name]
            values[number] = text.encode() if number <= _RAW else der.utf8(text)
        return [
            x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{ARC}.{number}"), values[number])
            for number in sorted(values)
        ]
