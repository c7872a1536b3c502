"""PEM files: read with errors a person can act on, written whole and never readable by others."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stagepass import wholefile
from stagepass.errors import InputError

PRIVATE = 0o600
PUBLIC = 0o644


def replace(path: Path, data: bytes, *, mode: int) -> None:
    """
    As `wholefile.replace`, and on the disk when it returns.

    A link is followed: what it points at is replaced. Raises `OSError`; `path` is then as it was.
    """
    wholefile.replace(path.resolve(), data, mode=mode, durable=True)


def write_pair(
    certificate_path: Path,
    certificate: x509.Certificate,
    key_path: Path,
    key: ec.EllipticCurvePrivateKey,
) -> None:
    """Replace both, the key first. Each is whole at any moment; the two may not match for one."""
    pkcs8 = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    replace(key_path, pkcs8, mode=PRIVATE)
    replace(certificate_path, pem, mode=PUBLIC)


def read_certificate(path: Path, *, hint: str) -> x509.Certificate:
    """Load one certificate. Raises `InputError` with `hint` when it is missing or not PEM."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        raise InputError("is missing", where=str(path), hint=hint) from None
    except ValueError:
        raise InputError("not a PEM certificate", where=str(path), hint=hint) from None


def read_key(path: Path, *, hint: str) -> ec.EllipticCurvePrivateKey:
    """Load one key. Raises `InputError` with `hint` unless it is elliptic-curve and unencrypted."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        raise InputError("is missing", where=str(path), hint=hint) from None
    except (ValueError, TypeError):  # TypeError: it is encrypted
        raise InputError("not a plain PEM private key", where=str(path), hint=hint) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError("not an elliptic-curve key", where=str(path), hint=hint)
    return key
