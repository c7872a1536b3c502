"""cosign's own key files: scrypt and a NaCl secretbox around PKCS#8, sealed here with PyNaCl itself."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from nacl.secret import SecretBox

from stagepass.attestor import PublicKey
from stagepass.errors import InputError
from stagepass.signing import PrivateKey
from tests.world import DROP, changed

P256 = ec.generate_private_key(ec.SECP256R1())
PASSPHRASE = b"correct horse"
SALT, NONCE = bytes(range(32)), bytes(range(24))


def sealed(plain: bytes, passphrase: bytes = PASSPHRASE, power: int = 15) -> dict[str, Any]:
    n = 1 << power
    key = hashlib.scrypt(passphrase, salt=SALT, n=n, r=8, p=1, dklen=32, maxmem=1 << 28)
    return {
        "kdf": {"name": "scrypt", "params": {"N": n, "r": 8, "p": 1}, "salt": text(SALT)},
        "cipher": {"name": "nacl/secretbox", "nonce": text(NONCE)},
        "ciphertext": text(SecretBox(key).encrypt(plain, NONCE).ciphertext),
    }


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pkcs8(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def armoured(content: bytes, label: str = "ENCRYPTED SIGSTORE PRIVATE KEY") -> bytes:
    body = base64.encodebytes(content)
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), body, label.encode())


def read(path: Path, content: bytes, passphrase: bytes | None = PASSPHRASE) -> PrivateKey:
    file = path / "cosign.key"
    file.write_bytes(content)
    return PrivateKey.read(file, passphrase)


GOOD = sealed(pkcs8(P256))


@pytest.mark.parametrize(
    "label", ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"]
)
@pytest.mark.parametrize("power", [15, 16, 17])
def test_the_container_of_cosign_opens_with_every_cost_that_it_writes(
    tmp_path: Path, label: str, power: int
) -> None:
    container = json.dumps(sealed(pkcs8(P256), power=power)).encode()

    assert read(tmp_path, armoured(container, label)).public == PublicKey.of(P256.public_key())


def test_a_container_with_an_empty_passphrase_opens_without_one(tmp_path: Path) -> None:
    """`COSIGN_PASSWORD= cosign generate-key-pair`, as many a CI does."""
    container = armoured(json.dumps(sealed(pkcs8(P256), b"")).encode())

    assert read(tmp_path, container, None).public == PublicKey.of(P256.public_key())
    assert read(tmp_path, container, b"").public == PublicKey.of(P256.public_key())


@pytest.mark.parametrize("passphrase", [None, b"", b"wrong", PASSPHRASE + b" "])
def test_a_wrong_passphrase_opens_nothing_and_the_error_says_where_it_comes_from(
    tmp_path: Path, passphrase: bytes | None
) -> None:
    with pytest.raises(InputError, match=r"cosign\.key: a wrong passphrase.*--passphrase-env"):
        read(tmp_path, armoured(json.dumps(GOOD).encode()), passphrase)


def test_a_key_of_another_kind_inside_does_not_sign(tmp_path: Path) -> None:
    container = json.dumps(sealed(pkcs8(ed25519.Ed25519PrivateKey.generate()))).encode()

    with pytest.raises(InputError, match="not an ECDSA P-256 key"):
        read(tmp_path, armoured(container))


@pytest.mark.parametrize("plain", [b"", b"junk", pkcs8(P256)[:-1]])
def test_what_is_inside_has_to_be_a_key(tmp_path: Path, plain: bytes) -> None:
    with pytest.raises(InputError, match="not a PEM private key"):
        read(tmp_path, armoured(json.dumps(sealed(plain)).encode()))


@pytest.mark.parametrize(
    "change",
    [
        {"kdf": DROP},
        {"kdf": "scrypt"},
        {"kdf.name": "argon2id"},
        {"kdf.params": DROP},
        {"kdf.salt": DROP},
        {"kdf.salt": "?"},
        {"kdf.salt": text(b"another")},
        {"cipher": DROP},
        {"cipher.name": "aes"},
        {"cipher.nonce": text(NONCE[1:])},
        {"cipher.nonce": text(bytes(24))},
        {"cipher.nonce": 24},
        {"cipher.nonce": "\u00e9"},
        {"ciphertext": DROP},
        {"ciphertext": "?"},
        {"ciphertext": text(bytes(15))},
        {"ciphertext": text(bytes(64))},
    ],
    ids=str,
)
def test_an_altered_container_is_refused_by_name(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, armoured(json.dumps(changed(GOOD, change)).encode()))

    assert caught.value.where.endswith("cosign.key")


@pytest.mark.parametrize(
    "parameters",
    [
        {"N": 1 << 14, "r": 8, "p": 1},
        {"N": 1 << 18, "r": 8, "p": 1},
        {"N": 1 << 40, "r": 8, "p": 1},
        {"N": 1 << 15, "r": 1 << 20, "p": 1},
        {"N": 1 << 15, "r": 8, "p": 1 << 20},
        {"N": -1, "r": 8, "p": 1},
        {"N": "32768", "r": 8, "p": 1},
        {"N": 1 << 15, "r": 8},
        {"N": 1 << 15, "r": 8, "p": 1, "x": 1},
        None,
        7,
    ],
    ids=str,
)
def test_the_author_of_a_file_chooses_neither_memory_nor_time(
    tmp_path: Path, parameters: object
) -> None:
    """With r or p of 2^20 it would take hours, with N of 2^40 a petabyte."""
    with pytest.raises(InputError, match="that cosign does not write"):
        read(tmp_path, armoured(json.dumps(changed(GOOD, {"kdf.params": parameters})).encode()))


@pytest.mark.parametrize(
    "content",
    [
        armoured(b""),
        armoured(b"junk"),
        armoured(b"[]"),
        armoured(b'{"kdf":1,"kdf":2}'),
        armoured(json.dumps(GOOD).encode())[:-40],
        armoured(json.dumps(GOOD).encode()).replace(b"-----END ENCRYPTED SIGSTORE", b"-----END"),
        armoured(json.dumps(GOOD).encode()).replace(b"ey", b"??", 1),
        armoured(b"[" * 100 + b"]" * 100),
        armoured(b" " * 60_000),
    ],
)
def test_what_is_no_container_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert caught.value.where.endswith("cosign.key")


def test_only_such_a_key_loads_the_library_for_it(tmp_path: Path) -> None:
    """PyNaCl takes 5 CPU-ms and 4 MB that no other command pays for."""
    private, _ = PrivateKey.generate().write(tmp_path, "ci")
    program = (
        "import sys; from pathlib import Path; from stagepass.signing import PrivateKey;"
        "PrivateKey.read(Path(sys.argv[1])); print('nacl' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(private)], capture_output=True, text=True
    )

    assert done.stdout == "False\n", done.stderr
