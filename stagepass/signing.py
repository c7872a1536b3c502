"""Who signs a statement into a bundle; and private keys, made, read and used for that."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stagepass.attestor import KeyRing, PublicKey
from stagepass.bundle import Bundle
from stagepass.envelope import Envelope, pae
from stagepass.errors import InputError
from stagepass.identity import Certified, Span
from stagepass.statement import PAYLOAD_TYPE

_MAX_PASSPHRASE = 1023  # of OpenSSL's PEM encryption
_MAX_FILE = 1 << 16
_SEALED = re.compile(rb"-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----")


class Signer(Protocol):
    """The holder of a private key, or of an identity that a certificate is given for."""

    @property
    def key_id(self) -> str:
        """As in the `Attestation` of what it signs."""
        ...

    @property
    def issuers(self) -> tuple[str, ...]:
        """
        What its certificate could name as its issuer, the likeliest first; () of a key.

        Known before there is a certificate, which is logged for good.
        """
        ...

    @property
    def certified(self) -> Certified | None:
        """What its certificate says, None of a key. Its roots have no names of a policy set."""
        ...

    @property
    def signed(self) -> Span | None:
        """When it may have signed what it signs, as its certificate bounds that; None of a key."""
        ...

    @property
    def ring(self) -> KeyRing:
        """What reads back its bundles, and nobody else's."""
        ...

    def seal(self, payload: bytes) -> bytes:
        """
        A bundle over `payload`, an in-toto statement.

        Raises `InputError` for a statement or a signer that cannot be used, `Unavailable` where a
        service that has to sign as well cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An ECDSA P-256 key: of a kind that cosign verifies without extra flags (cosign-proof 1.3)."""

    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new key from the system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, path: Path, passphrase: bytes | None = None) -> PrivateKey:
        """
        From a file: PEM of PKCS#8 or SEC1, plain or encrypted, or the container `cosign.key`.

        Raises `InputError`, naming the file and what is wrong.
        """
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_FILE)
        except OSError as error:
            raise InputError(f"cannot read the key: {error.strerror}", where=str(path)) from error
        try:
            key = _loaded(data, passphrase)
        except InputError as error:
            raise InputError(error.message, where=str(path), hint=error.hint) from error
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return cls(key)
        hint = "`stagepass keys generate` makes one"
        raise InputError("not an ECDSA P-256 key", where=str(path), hint=hint)

    @property
    def public(self) -> PublicKey:
        """The half that goes into the policy set."""
        return PublicKey.of(self._key.public_key())

    @property
    def key_id(self) -> str:
        """The id of its public half."""
        return self.public.id

    @property
    def issuers(self) -> tuple[str, ...]:
        """Nobody issues anything to a key."""
        return ()

    @property
    def certified(self) -> None:
        """Nobody certifies a key."""

    @property
    def signed(self) -> None:
        """Nothing bounds when a key signs."""

    @property
    def ring(self) -> KeyRing:
        """Of its public half alone."""
        return KeyRing.of([(self.public, "")])

    def seal(self, payload: bytes) -> bytes:
        """The bytes of `sign`."""
        return self.sign(payload).to_bytes()

    def sign(self, payload: bytes) -> Bundle:
        """A bundle v0.3 over `payload`, an in-toto statement: DER signature, hint, no keyid (W2, W3)."""
        signature = self._key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
        return Bundle(Envelope(PAYLOAD_TYPE, payload, signature), self.public.id)

    def write(
        self, directory: Path, name: str, passphrase: bytes | None = None
    ) -> tuple[Path, Path]:
        """
        `NAME.key` (PKCS#8, mode 0600 from its first byte) and `NAME.pub`; returns both paths.

        Raises `InputError` where either exists: a key is never written over.
        """
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase is not None:
            if len(passphrase) > _MAX_PASSPHRASE:
                raise InputError(f"a passphrase has at most {_MAX_PASSPHRASE} bytes")
            encryption = serialization.BestAvailableEncryption(passphrase)
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        key_file, public_file = directory / f"{name}.key", directory / f"{name}.pub"
        for path in (key_file, public_file):
            if path.exists():
                raise InputError("exists already", where=str(path), hint="choose another --name")
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write: {error.strerror}", where=str(directory)) from error
        _create(key_file, private, 0o600)
        _create(public_file, public, 0o644)
        return key_file, public_file


def _loaded(data: bytes, passphrase: bytes | None) -> object:
    """A key of any kind, None for one that cryptography does not know. Raises `InputError`."""
    load = serialization.load_pem_private_key
    try:
        if _SEALED.search(data):
            # COSIGN_PASSWORD is often empty: then the container opens without any passphrase.
            unseal = import_module("stagepass.sealed").unseal
            data, passphrase = unseal(data, passphrase or b""), None
            load = serialization.load_der_private_key
        return load(data, passphrase)
    except TypeError as error:
        hint = "name the variable that holds it with --passphrase-env" if passphrase is None else ""
        raise InputError(str(error), hint=hint) from error
    except ValueError as error:
        raise InputError("not a PEM private key, or a wrong passphrase") from error
    except UnsupportedAlgorithm:
        return None


def _create(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(path)) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
