from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from stagepass.attestor import KeyRing, PublicKey
from stagepass.errors import InputError
from stagepass.evidence import Attestation, Candidate
from stagepass.signing import PrivateKey
from tests.world import DIGEST, statement

PASSPHRASE = b"correct horse"


def test_a_written_pair_signs_and_verifies(tmp_path: Path) -> None:
    private, public = PrivateKey.generate().write(tmp_path / "new" / "keys", "ci")
    key = PrivateKey.read(private)
    ring = KeyRing.of([(PublicKey.parse(public.read_bytes()), "ci")])

    found = ring.verify(Candidate(key.sign(statement()).to_bytes(), "here"), DIGEST)
    assert isinstance(found, Attestation)
    assert key.public == PublicKey.parse(public.read_bytes())


def test_only_the_owner_may_read_a_private_key(tmp_path: Path) -> None:
    private, public = PrivateKey.generate().write(tmp_path, "ci")

    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) & 0o133 == 0
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize("existing", ["ci.key", "ci.pub"])
def test_a_key_is_never_written_over(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        PrivateKey.generate().write(tmp_path, "ci")

    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "precious"


def test_a_link_to_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "ci.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="cannot write"):
        PrivateKey.generate().write(tmp_path, "ci")

    assert not (tmp_path / "elsewhere").exists()


def test_where_no_directory_can_be_made_the_refusal_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cannot write"):
            PrivateKey.generate().write(directory, "ci")


def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    private, _ = key.write(tmp_path, "ci", PASSPHRASE)

    assert private.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert PrivateKey.read(private, PASSPHRASE).public == key.public
    with pytest.raises(InputError, match=r"Password was not given.*--passphrase-env"):
        PrivateKey.read(private)
    with pytest.raises(InputError, match="a wrong passphrase"):
        PrivateKey.read(private, b"wrong")


def test_a_passphrase_for_a_key_that_is_not_encrypted_is_refused(tmp_path: Path) -> None:
    private, _ = PrivateKey.generate().write(tmp_path, "ci")
    with pytest.raises(InputError, match="Password was given but private key is not encrypted"):
        PrivateKey.read(private, PASSPHRASE)


def test_a_passphrase_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="passphrase"):
        PrivateKey.generate().write(tmp_path, "ci", b"x" * 2000)
    assert not (tmp_path / "ci.key").exists()


def test_a_key_in_the_older_sec1_form_is_read(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "ci.key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )

    assert PrivateKey.read(path).public == PublicKey.of(key.public_key())


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_only_a_p256_key_signs(
    tmp_path: Path,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> None:
    path = tmp_path / "ci.key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(InputError, match="not an ECDSA P-256 key"):
        PrivateKey.read(path)


def test_a_key_as_openssl_ecparam_writes_it_is_read(tmp_path: Path) -> None:
    """`openssl ecparam -genkey` puts the name of the curve before the key, in a block of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    curve = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    path = tmp_path / "ci.key"
    path.write_bytes(
        curve
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )

    assert PrivateKey.read(path).public == PublicKey.of(key.public_key())


def test_a_key_is_read_from_a_pipe(tmp_path: Path) -> None:
    """`--key <(command)`: no copy of the secret on a disk."""
    private, _ = PrivateKey.generate().write(tmp_path, "ci")
    reader, writer = os.pipe()
    os.write(writer, private.read_bytes())
    os.close(writer)
    try:
        assert PrivateKey.read(Path(f"/dev/fd/{reader}")).public == PrivateKey.read(private).public
    finally:
        os.close(reader)


def test_no_more_is_read_than_a_key_takes() -> None:
    with pytest.raises(InputError, match="not a PEM private key"):
        PrivateKey.read(Path("/dev/zero"))


@pytest.mark.parametrize("content", [b"", b"junk", b"\x00" * 100])
def test_what_is_no_key_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ci.key"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a PEM private key") as caught:
        PrivateKey.read(path)
    assert caught.value.where == str(path)


def test_a_key_that_cannot_be_read_is_refused_with_its_path(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.key", tmp_path):
        with pytest.raises(InputError, match="cannot read the key") as caught:
            PrivateKey.read(path)
        assert caught.value.where == str(path)
