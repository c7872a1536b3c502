"""
The certificate authority: root, intermediate, leaves of ten minutes, and the log of certificates.

Leaves have the profile of Fulcio's docs/certificate-specification.md.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.simulators.sigstore import der
from tests.simulators.sigstore.fulcio import Identity
from tests.simulators.sigstore.lies import HONEST, Lies

__all__ = ["LEAF_LIFE", "Authority", "CertificateLog", "make_ca", "spki"]

LEAF_LIFE = timedelta(minutes=10)
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_CA_USAGE = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
_LEAF_USAGE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)

PublicKey = ec.EllipticCurvePublicKey


def spki(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo in DER; its SHA-256 is the id of a log."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _name(organization: str, common: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def make_ca(
    organization: str,
    common: str,
    key: ec.EllipticCurvePrivateKey,
    life: tuple[datetime, datetime],
    *,
    by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    path_length: int | None,
    usage: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    """
    A certificate for `key`, by itself or `by` another; with a path length it may issue others.

    `usage` is its extended key usage; RFC 3161 2.3 wants that critical for a time stamp authority.
    """
    issuer, signer = (by[0].subject, by[1]) if by else (_name(organization, common), key)
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    is_ca = path_length is not None
    builder = (
        _blank(issuer, _name(organization, common), key.public_key(), life)
        .add_extension(x509.BasicConstraints(is_ca, path_length), critical=True)
        .add_extension(_CA_USAGE if is_ca else _LEAF_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(aki, critical=False)
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=not is_ca)
    return builder.sign(signer, hashes.SHA256())


def _blank(
    issuer: x509.Name, subject: x509.Name, key: PublicKey, life: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=life[0],
        not_valid_after=life[1],
    )


class CertificateLog:
    """Signs that it has seen a certificate (RFC 6962 3.2); keeps nothing."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = sha256(spki(self.key.public_key())).digest()

    def promise(self, tbs: bytes, issuer: PublicKey, at: datetime) -> bytes:
        """A serialized SCT over a precertificate, here without its poison."""
        stamp = struct.pack("!BQ", 0, int(at.timestamp() * 1000))
        entry = sha256(spki(issuer)).digest() + len(tbs).to_bytes(3) + tbs
        signed = stamp[:1] + b"\0" + stamp[1:] + b"\0\1" + entry + b"\0\0"
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        # 4, 3: SHA-256 with ECDSA (RFC 5246 7.4.1.4.1).
        tail = b"\0\0" + b"\4\3" + struct.pack("!H", len(signature)) + signature
        return stamp[:1] + self.id + stamp[1:] + tail


def _sct_list(*scts: bytes) -> x509.UnrecognizedExtension:
    listed = b"".join(struct.pack("!H", len(sct)) + sct for sct in scts)
    packed = struct.pack("!H", len(listed)) + listed
    return x509.UnrecognizedExtension(_SCT_LIST, der.tlv(der.OCTETS, packed))


class Authority:
    """A root and an intermediate on P-384, and the certificate log they use."""

    def __init__(self, organization: str, life: tuple[datetime, datetime]) -> None:
        self.organization, self.life = organization, life
        self.certificate_log = CertificateLog()
        root_key = ec.generate_private_key(ec.SECP384R1())
        self._key = ec.generate_private_key(ec.SECP384R1())
        common = f"{organization} root"
        self.root = make_ca(organization, common, root_key, life, path_length=1)
        self.intermediate = make_ca(
            organization,
            f"{organization} intermediate",
            self._key,
            life,
            by=(self.root, root_key),
            path_length=0,
            usage=ExtendedKeyUsageOID.CODE_SIGNING,
        )

    @property
    def chain(self) -> list[x509.Certificate]:
        """Intermediate, then root."""
        return [self.intermediate, self.root]

    def issue(
        self,
        key: PublicKey,
        identity: Identity,
        at: datetime,
        lies: Lies = HONEST,
        foreign_log: CertificateLog | None = None,
    ) -> x509.Certificate:
        """A leaf for `key` that lives from `at` for `LEAF_LIFE`."""
        builder = self._leaf(key, identity, at.replace(microsecond=0) + lies.late_leaf, lies)
        if lies.no_sct:
            return builder.sign(self._key, hashes.SHA384())
        # Signed once for its TBS bytes, which an SCT list at the end leaves as they are.
        tbs = builder.sign(self._key, hashes.SHA384()).tbs_certificate_bytes
        log = foreign_log if lies.foreign_sct and foreign_log else self.certificate_log
        scts = [log.promise(tbs, self._key.public_key(), at) for _ in range(1 + lies.two_scts)]
        return builder.add_extension(_sct_list(*scts), critical=False).sign(
            self._key, hashes.SHA384()
        )

    def _leaf(
        self, key: PublicKey, identity: Identity, start: datetime, lies: Lies
    ) -> x509.CertificateBuilder:
        life = (start, start + LEAF_LIFE)
        usage = ExtendedKeyUsageOID.CODE_SIGNING
        if lies.no_code_signing:
            usage = ExtendedKeyUsageOID.EMAIL_PROTECTION
        aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _blank(self.intermediate.subject, x509.Name([]), key, life)
            .add_extension(_LEAF_USAGE, critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(aki, critical=False)
        )
        if not lies.no_subject:
            names = [identity.name()]
            if lies.two_subjects:
                names.append(x509.UniformResourceIdentifier("https://example.com/second"))
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        for extension in identity.encoded(lies.other_issuer):
            builder = builder.add_extension(extension, critical=False)
        return builder
