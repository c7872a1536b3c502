"""A private certificate authority for a Git server of one's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


class Authority:
    """`ca_file` is what a client is to trust; `issue` gives a server's key and certificate in one file."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._directory, self._name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraint = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(name, name, self._key).add_extension(constraint, critical=True)
        self.ca_file = directory / f"{name}.crt"
        signed = builder.sign(self._key, hashes.SHA256())
        self.ca_file.write_bytes(signed.public_bytes(Encoding.PEM))

    def issue(self, host: str, days: int = 1) -> Path:
        """For a DNS name or an IP address; with negative `days` it is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        named: x509.GeneralName = x509.DNSName(host)
        if host[0].isdigit():
            named = x509.IPAddress(ip_address(host))
        names = x509.SubjectAlternativeName([named])
        builder = _builder(host, self._name, key, days).add_extension(names, critical=False)
        path = self._directory / f"{self._name}-{host}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        signed = builder.sign(self._key, hashes.SHA256())
        path.write_bytes(private + signed.public_bytes(Encoding.PEM))
        return path


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, days: int = 1
) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=2))
        .not_valid_after(end)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
