"""
A time stamp authority (RFC 3161) that can be asked what time it is to say.

Stamps are written here and not by `openssl ts`, which knows only the present and takes a process
for each; `openssl ts -verify` is what proves them (tests/keyless/test_miniature_services.py).
"""

from __future__ import annotations

import secrets
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.simulators.sigstore import der
from tests.simulators.sigstore.authority import make_ca

__all__ = ["Tsa"]

_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_SHA256_NULL = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.tlv(der.NULL))
_ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
_SIGNED_DATA, _TST_INFO = der.oid("1.2.840.113549.1.7.2"), der.oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE, _MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.3"), der.oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = der.oid("1.2.840.113549.1.9.16.2.47")
_POLICY = der.oid("1.3.6.1.4.1.57264.2")
_CONTEXT_0 = 0xA0


class Tsa:
    """A root and one stamping certificate on P-256."""

    def __init__(self, organization: str, url: str, life: tuple[datetime, datetime]) -> None:
        self.url, self.life, self.organization = url, life, organization
        root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = make_ca(organization, f"{organization} tsa root", root_key, life, path_length=0)
        self.certificate = make_ca(
            organization,
            f"{organization} tsa",
            self.key,
            life,
            by=(self.root, root_key),
            path_length=None,
            usage=ExtendedKeyUsageOID.TIME_STAMPING,
        )

    @property
    def chain(self) -> list[x509.Certificate]:
        """The stamping certificate, then its root."""
        return [self.certificate, self.root]

    def stamp(self, data: bytes, at: datetime) -> bytes:
        """A response, in DER, that `data` existed at `at`; it carries the certificate."""
        return self._response(_imprint(data), at, b"", with_certificate=True)

    def answer(self, request: bytes, at: datetime) -> bytes:
        """The response to a TimeStampReq; raises `IndexError` or `ValueError` on nonsense."""
        (_, body), *_ = der.elements(request)
        _version, (_, imprint), *optional = der.elements(body)
        if not imprint.startswith((_SHA256, _SHA256_NULL)):
            raise ValueError("only SHA-256 imprints are stamped")
        nonce = b"".join(der.tlv(tag, value) for tag, value in optional if tag == der.INTEGER)
        with_certificate = (der.BOOLEAN, b"\xff") in optional
        return self._response(der.sequence(imprint), at, nonce, with_certificate=with_certificate)

    def _response(
        self, imprint: bytes, at: datetime, nonce: bytes, *, with_certificate: bool
    ) -> bytes:
        serial = der.integer(secrets.randbits(63) | 1)
        time = der.generalized_time(at)
        info = der.sequence(der.integer(1), _POLICY, imprint, serial, time, nonce)
        certificates = b""
        if with_certificate:
            certificates = der.tlv(_CONTEXT_0, self.certificate.public_bytes(Encoding.DER))
        signed = der.sequence(
            der.integer(3),
            der.tlv(der.SET, _SHA256),
            der.sequence(_TST_INFO, der.tlv(_CONTEXT_0, der.tlv(der.OCTETS, info))),
            certificates,
            der.tlv(der.SET, self._signer(info)),
        )
        granted = der.sequence(der.integer(0))
        return der.sequence(granted, der.sequence(_SIGNED_DATA, der.tlv(_CONTEXT_0, signed)))

    def _signer(self, info: bytes) -> bytes:
        """SignerInfo (RFC 5652 5.3): the attributes are signed as a SET, sent as [0]."""
        certificate = self.certificate.public_bytes(Encoding.DER)
        essence = der.sequence(der.tlv(der.OCTETS, sha256(certificate).digest()))
        attributes = sorted(
            [
                _attribute(_CONTENT_TYPE, _TST_INFO),
                _attribute(_MESSAGE_DIGEST, der.tlv(der.OCTETS, sha256(info).digest())),
                _attribute(_SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(essence))),
            ]
        )
        signed = der.tlv(der.SET, *attributes)
        issuer = self.certificate.issuer.public_bytes()
        return der.sequence(
            der.integer(1),
            der.sequence(issuer, der.integer(self.certificate.serial_number)),
            _SHA256,
            der.tlv(_CONTEXT_0, *attributes),
            _ECDSA_SHA256,
            der.tlv(der.OCTETS, self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
        )


def _attribute(kind: bytes, value: bytes) -> bytes:
    return der.sequence(kind, der.tlv(der.SET, value))


def _imprint(data: bytes) -> bytes:
    return der.sequence(_SHA256, der.tlv(der.OCTETS, sha256(data).digest()))
