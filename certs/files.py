"""PEM files: read with errors a person can act on, written whole and never readable by others."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stagepass.errors import InputError

PRIVATE = 0o600
PUBLIC = 0o644


def replace(path: Path, data: bytes, *, mode: int) -> None:
    """
    Put `data` at `path` in one step: a reader sees all of the old bytes or all of the new.

    The new file has `mode`, whatever the umask, and never a wider one, not even while it is empty.
    A link is followed: what it points at is replaced. Raises `OSError`; `path` is then as it was.
    """
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
