"""
A development CA, and the serving certificate it signs for the webhook.

Everything is P-256 and PKCS#8: an RSA-2048 leaf costs the server 1.4 times the CPU per handshake
(3.0-4.2 against 2.3-2.6 ms), and PKCS#8 is the one form that every server reads. The profile is
what a strict RFC 5280 check wants: critical basicConstraints and keyUsage, SKI and AKI.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.files import read_certificate, read_key, write_pair
from certs.names import Names
from stagepass.errors import InputError

CA_CERTIFICATE, CA_KEY = "ca.crt", "ca.key"
CERTIFICATE, KEY = "tls.crt", "tls.key"  # the names in a Secret of type kubernetes.io/tls

CA_DAYS = 365
_CLOCK_SKEW = timedelta(minutes=5)  # a node whose clock is slow must accept a new certificate
_NEW_CA = f"move {CA_CERTIFICATE} and {CA_KEY} away to begin a new CA"


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate, and the key that signs for it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, now: datetime) -> Authority:
        """Begin one, for `CA_DAYS`. It signs servers only: no CA below it (pathlen 0)."""
        key = ec.generate_private_key(ec.SECP256R1())
        serial = x509.random_serial_number()
        # A name of its own: during a change of CA the bundle holds the old one and the new one.
        name = _common_name(f"Stagepass development CA {serial % 16**8:08x}")
        builder = (
            _builder(name, name, key.public_key(), now=now, days=CA_DAYS)
            .serial_number(serial)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, directory: Path) -> Authority:
        """Read the one in `directory`. Raises `InputError` when its two files are not one CA."""
        path = directory / CA_CERTIFICATE
        certificate = read_certificate(path, hint=f"put it back, or {_NEW_CA}")
        key = read_key(directory / CA_KEY, hint=f"put it back, or {_NEW_CA}")
        if certificate.public_key() != key.public_key():
            raise InputError(f"not the certificate of {CA_KEY}", where=str(path), hint=_NEW_CA)
        if not is_ca(certificate):
            raise InputError("not the certificate of a CA", where=str(path), hint=_NEW_CA)
        return cls(certificate, key)

    def sign(
        self, names: Names, public: ec.EllipticCurvePublicKey, *, now: datetime, days: int
    ) -> x509.Certificate:
        """Make a serving certificate for `public`; that the CA outlives it is the caller's duty."""
        ca_key = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_key)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        subject = _common_name(names.common)
        return (
            _builder(subject, self.certificate.subject, public, now=now, days=days)
            .serial_number(x509.random_serial_number())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(names.san(), critical=False)
            .add_extension(aki, critical=False)
            .sign(self.key, hashes.SHA256())
        )


@dataclass(frozen=True, slots=True)
class Issued:
    """What the directory holds now."""

    authority: x509.Certificate
    certificate: x509.Certificate
    new_authority: bool


def issue(directory: Path, names: Names, *, days: int, replace: bool, now: datetime) -> Issued:
    """
    Write `tls.crt` and `tls.key`, signed by the CA in `directory`, which is begun if it has none.

    `days` is the life of the certificate, 1 to `CA_DAYS`. Each file is replaced in one step, the
    pair is not: between the two a server sees a key without its certificate, and ours then keeps
    the pair it has. Raises `InputError`, before anything is written, when a pair is there and
    `replace` is false, and when the CA is unusable or ends before the certificate would.
    """
    now = now.replace(microsecond=0)  # X.509 has none: a CA must not end before its own leaf
    _refuse_to_overwrite(directory, replace=replace)
    begun = not any((directory / name).exists() for name in (CA_CERTIFICATE, CA_KEY))
    authority = Authority.create(now) if begun else Authority.load(directory)
    _refuse_to_outlive(authority.certificate, directory / CA_CERTIFICATE, now=now, days=days)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.sign(names, key.public_key(), now=now, days=days)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if begun:
        ca_files = directory / CA_CERTIFICATE, directory / CA_KEY
        write_pair(ca_files[0], authority.certificate, ca_files[1], authority.key)
    write_pair(directory / CERTIFICATE, certificate, directory / KEY, key)
    return Issued(authority.certificate, certificate, begun)


def is_ca(certificate: x509.Certificate) -> bool:
    """Tell whether it may sign others (RFC 5280 4.2.1.9)."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    return basic.value.ca


def _refuse_to_overwrite(directory: Path, *, replace: bool) -> None:
    for path in (directory / CERTIFICATE, directory / KEY):
        if path.exists() and not replace:
            hint = "--force replaces it; `rotate` renews it with the same names"
            raise InputError("exists already", where=str(path), hint=hint)


def _refuse_to_outlive(
    authority: x509.Certificate, path: Path, *, now: datetime, days: int
) -> None:
    ends = authority.not_valid_after_utc
    left = (ends - now).days
    if left < days:
        hint = f"--days {left} or less, or {_NEW_CA}" if left >= 1 else _NEW_CA
        raise InputError(f"ends {ends:%Y-%m-%d}, in {left} days", where=str(path), hint=hint)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    ski = x509.SubjectKeyIdentifier.from_public_key(public)
    return (
        x509.CertificateBuilder(issuer_name=issuer, subject_name=subject, public_key=public)
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(ski, critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
