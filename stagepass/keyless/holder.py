"""Whom a certificate of Fulcio names: one subject, one issuer, and the claims policies may ask for."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat import asn1

from stagepass.decision import Code
from stagepass.errors import AttestationError
from stagepass.identity import CLAIMS, Certified, Kind

_ARC = "1.3.6.1.4.1.57264.1"
_MAX_TEXT = 2048  # characters; what Fulcio writes are URLs, addresses and names
_ISSUER, _USER_NAME, _ISSUER_V2 = f"{_ARC}.1", f"{_ARC}.7", f"{_ARC}.8"
_SUBJECT = x509.SubjectAlternativeName.oid.dotted_string

Extensions = Mapping[str, x509.ExtensionType]


def certified(leaf: x509.Certificate, roots: frozenset[str]) -> Certified:
    """
    What a leaf that verified under `roots` says.

    Raises `AttestationError` with `SIGNER_UNKNOWN` where it does not name exactly one subject and issuer.
    """
    # Once through: the library looks each of thirteen up from the start.
    extensions = {each.oid.dotted_string: each.value for each in leaf.extensions}
    texts = {name: _text(extensions, oid) for name, oid in CLAIMS.items()}
    claims = {name: text for name, text in texts.items() if text is not None}
    kind, subject = _subject(extensions)
    return Certified(_issuer(extensions), subject, claims, roots, kind)


def _subject(extensions: Extensions) -> tuple[Kind, str]:
    found = extensions.get(_SUBJECT)
    names = list(found) if isinstance(found, x509.SubjectAlternativeName) else []
    if len(names) != 1:
        # With two of them whoever reads the first and whoever reads any would differ.
        raise _unknown(f"the certificate names {len(names)} subjects; exactly one counts")
    match names[0]:
        case x509.UniformResourceIdentifier(value=subject):
            kind = Kind.URI
        case x509.RFC822Name(value=subject):
            kind = Kind.EMAIL
        case x509.OtherName(type_id=oid, value=raw) if oid.dotted_string == _USER_NAME:
            kind, subject = Kind.USER, _utf8(raw, "subject")
        case other:
            raise _unknown(f"the certificate's subject is a {type(other).__name__}")
    if not subject:
        raise _unknown("the certificate's subject is empty")
    return kind, _bounded(subject, "subject")


def _issuer(extensions: Extensions) -> str:
    raw = _raw(extensions, _ISSUER)
    old = None if raw is None else _bounded(raw.decode(errors="replace"), "issuer")
    new = _text(extensions, _ISSUER_V2)
    if old is not None and new is not None and old != new:
        raise _unknown(f"the certificate names two issuers, {new!r} and {old!r}")
    issuer = old if new is None else new
    if not issuer:
        raise _unknown("the certificate names no issuer")
    return issuer


def _text(extensions: Extensions, oid: str) -> str | None:
    raw = _raw(extensions, oid)
    return None if raw is None else _bounded(_utf8(raw, f"extension {oid}"), f"extension {oid}")


def _raw(extensions: Extensions, oid: str) -> bytes | None:
    found = extensions.get(oid)
    return found.value if isinstance(found, x509.UnrecognizedExtension) else None


def _utf8(der: bytes, what: str) -> str:
    try:
        return asn1.decode_der(str, der)
    except ValueError as error:
        raise _unknown(f"the certificate's {what} is not a UTF8String") from error


def _bounded(text: str, what: str) -> str:
    if len(text) > _MAX_TEXT:
        raise _unknown(f"the certificate's {what} has {len(text)} characters, over {_MAX_TEXT}")
    if not text.isprintable():
        # What a policy shows and a person compares is one line, in the order it is read in.
        raise _unknown(f"the certificate's {what} is not printable: {text!r}")
    return text


def _unknown(message: str) -> AttestationError:
    return AttestationError(Code.SIGNER_UNKNOWN, message)
