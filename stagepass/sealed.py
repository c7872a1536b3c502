"""
The container of cosign's private keys: scrypt makes the key of a NaCl secretbox around PKCS#8.

As go-securesystemslib `encrypted` writes it (cosign-proof section 2). PyNaCl has one importer, this
module, and this module is loaded by the first such key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from stagepass import strictjson
from stagepass.errors import InputError

_PEM = re.compile(
    rb"-----BEGIN (ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY)-----\s"
    rb"([A-Za-z0-9+/=\s]*)-----END \1-----"
)
_MAX_BYTES, _MAX_DEPTH = 1 << 16, 8
# What cosign takes, exactly: the file's author chooses memory (128·N·r bytes: 128 MiB) and time.
_PARAMETERS = [{"N": 1 << power, "r": 8, "p": 1} for power in (15, 16, 17)]
_MAX_MEMORY = 160 << 20


def unseal(pem: bytes, passphrase: bytes) -> bytes:
    """The PKCS#8 DER inside. Raises `InputError`: no such container, or a wrong passphrase."""
    found = _PEM.search(pem)
    document = strictjson.loads_object(
        _base64(found[2].translate(None, b" \t\r\n") if found else b""),
        max_bytes=_MAX_BYTES,
        max_depth=_MAX_DEPTH,
    )
    kdf, cipher = _named(document, "kdf", "scrypt"), _named(document, "cipher", "nacl/secretbox")
    parameters = next((known for known in _PARAMETERS if known == kdf.get("params")), None)
    nonce = _base64(cipher.get("nonce"))
    if parameters is None or len(nonce) != SecretBox.NONCE_SIZE:
        raise InputError("scrypt parameters or a nonce that cosign does not write")
    key = hashlib.scrypt(
        passphrase,
        salt=_base64(kdf.get("salt")),
        n=parameters["N"],
        r=parameters["r"],
        p=parameters["p"],
        dklen=SecretBox.KEY_SIZE,
        maxmem=_MAX_MEMORY,
    )
    try:
        return SecretBox(key).decrypt(_base64(document.get("ciphertext")), nonce)
    except CryptoError as error:
        raise InputError(
            "a wrong passphrase, or not the bytes that cosign wrote",
            hint="--passphrase-env names the variable that holds it",
        ) from error


def _named(document: Mapping[str, Any], member: str, name: str) -> Mapping[str, Any]:
    value = document.get(member)
    if not isinstance(value, dict) or value.get("name") != name:
        raise InputError(f"{member} is not {name}")
    return value


def _base64(text: object) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, bytes | str) else "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"not base64: {error}") from error
