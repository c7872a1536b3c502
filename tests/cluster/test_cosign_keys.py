"""A private key in cosign's own container signs with Stagepass, and both verify the result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stagepass.attestor import PublicKey
from stagepass.errors import InputError
from stagepass.signing import PrivateKey
from tests.cluster import tools
from tests.cluster.shop import Shop
from tests.cluster.signer import Cosign
from tests.simulators.registry import Registry

pytestmark = pytest.mark.cluster

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


def run(program: Path, directory: Path, *arguments: str, password: str) -> str:
    """What `program` printed; both read the password from the variable that cosign has for it."""
    done = subprocess.run(
        [program, *arguments],
        cwd=directory,
        env={"PATH": os.defpath, "HOME": str(directory), "COSIGN_PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cosign(directory: Path, *arguments: str, password: str = PASSWORD) -> str:
    return run(tools.binaries()["cosign"], directory, *arguments, password=password)


@pytest.mark.parametrize("password", [PASSWORD, "", "pässwört"], ids=["plain", "empty", "utf-8"])
def test_a_key_that_cosign_made_signs_a_pass_that_both_verify(
    judge: Cosign, registry: Registry, tmp_path: Path, password: str
) -> None:
    cosign(tmp_path, "generate-key-pair", "--output-key-prefix", "ours", password=password)
    public = tmp_path / "ours.pub"
    shop = Shop(tmp_path, registry.host, public)
    image = f"{registry.host}/shop/web@{registry.push_image('shop/web', b'one')}"
    assert not judge.accepts(image, public)

    option = ("--passphrase-env", "COSIGN_PASSWORD") if password else ()
    signing = ("attest", image, "--key", "ours.key", "--stage", "test", *option)
    where = ("--policy", str(shop.policy), "--evidence", "registry")
    stagepass = Path(sys.executable).with_name("stagepass")
    run(stagepass, tmp_path, *signing, *where, password=password)

    assert shop.verify(image).returncode == 0
    assert judge.accepts(image, public)
    assert not judge.accepts(image, judge.public)


def test_a_key_of_ours_that_cosign_imports_is_the_same_key_when_it_is_read_again(
    tmp_path: Path,
) -> None:
    private, public = PrivateKey.generate().write(tmp_path, "ours")
    names = ("--key", private.name, "--output-key-prefix", "theirs", "--yes")
    cosign(tmp_path, "import-key-pair", *names)

    theirs = PrivateKey.read(tmp_path / "theirs.key", PASSWORD.encode()).public
    assert theirs == PublicKey.parse(public.read_bytes())
    assert theirs == PublicKey.parse((tmp_path / "theirs.pub").read_bytes())


def test_cosigns_container_with_another_kind_of_key_verifies_but_does_not_sign(
    tmp_path: Path,
) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    (tmp_path / "p384.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    names = ("--key", "p384.pem", "--output-key-prefix", "p384", "--yes")
    cosign(tmp_path, "import-key-pair", *names)

    parsed = PublicKey.parse((tmp_path / "p384.pub").read_bytes())
    assert parsed == PublicKey.of(key.public_key())
    with pytest.raises(InputError, match="not an ECDSA P-256 key"):
        PrivateKey.read(tmp_path / "p384.key", PASSWORD.encode())
