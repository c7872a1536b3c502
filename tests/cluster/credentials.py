"""What a test control plane proves itself with: certificates, keys, tokens and a kubeconfig."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ADMIN = "admin"
ORDINARY_USER = "alice"

_GROUPS = {ADMIN: "system:masters", ORDINARY_USER: "developers"}


def write_credentials(directory: Path, server: str, tokens: Mapping[str, str]) -> None:
    """
    Write what the three programs and kubectl read, secrets with mode 0600.

    `tokens` is user → bearer token, for users of this module. Files: ca.crt, api.crt, api.key,
    sa.pub, sa.key, tokens.csv, kubeconfig. `FileExistsError` if a secret is already there.
    """
    _write_certificates(directory)
    _write_service_account_keys(directory)
    lines = [f'{token},{name},{name},"{_GROUPS[name]}"\n' for name, token in tokens.items()]
    _write_private(directory / "tokens.csv", "".join(lines).encode())
    _write_private(directory / "kubeconfig", json.dumps(_kubeconfig(server, tokens)).encode())


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(content)


def _write_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    _write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def _certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    """A builder with everything that a CA and a server have in common; valid for a day."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("test-ca"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_certificates(directory: Path) -> None:
    """`ca.crt`, `api.crt` and `api.key`; the CA's own key is written nowhere."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    is_ca = x509.BasicConstraints(ca=True, path_length=0)
    ca = _certificate("test-ca", ca_key).add_extension(is_ca, critical=True)
    names: list[x509.GeneralName] = [
        x509.IPAddress(IPv4Address("127.0.0.1")),
        x509.DNSName("localhost"),
    ]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    server = (
        _certificate("kube-apiserver", _write_key(directory / "api.key"))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
    )
    for file, builder in (("ca.crt", ca), ("api.crt", server)):
        signed = builder.sign(ca_key, hashes.SHA256())
        (directory / file).write_bytes(signed.public_bytes(Encoding.PEM))


def _write_service_account_keys(directory: Path) -> None:
    public = _write_key(directory / "sa.key").public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / "sa.pub").write_bytes(pem)


def _kubeconfig(server: str, tokens: Mapping[str, str]) -> dict[str, Any]:
    """One context and one user per token, both called like the person."""
    cluster = {"server": server, "certificate-authority": "ca.crt"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}} for name, token in tokens.items()],
        "contexts": [
            {"name": name, "context": {"cluster": "test", "user": name}} for name in tokens
        ],
        "current-context": ADMIN,
    }
