from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from stagepass.attestor import PublicKey
from stagepass.signing import PrivateKey
from tests.cli.conftest import Shop


def test_a_pair_is_written_that_signs_and_that_a_policy_can_name(shop: Shop) -> None:
    result = shop.run(
        "keys", "generate", str(shop.root / "new"), "--name", "ci", "--output", "json"
    )
    private, public = shop.root / "new" / "ci.key", shop.root / "new" / "ci.pub"

    assert result.code == 0
    assert result.line == {
        "key": str(private),
        "public": str(public),
        "id": PublicKey.parse(public.read_bytes()).id,
    }
    assert PrivateKey.read(private).public.id == result.line["id"]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_private_key_is_for_its_owner_alone_whatever_the_umask(shop: Shop, mask: int) -> None:
    before = os.umask(mask)
    try:
        assert shop.run("keys", "generate", str(shop.root), "--name", "ci").code == 0
    finally:
        os.umask(before)

    assert stat.S_IMODE((shop.root / "ci.key").stat().st_mode) == 0o600


def test_the_text_says_which_file_is_the_secret(shop: Shop) -> None:
    result = shop.run("keys", "generate", str(shop.root), "--name", "ci")

    assert result.out == (f"wrote {shop.root}/ci.key (keep it secret) and {shop.root}/ci.pub\n")


@pytest.mark.parametrize("existing", ["ci.key", "ci.pub"])
def test_a_key_is_never_written_over(shop: Shop, existing: str) -> None:
    (shop.root / existing).write_text("precious")
    result = shop.run("keys", "generate", str(shop.root), "--name", "ci")

    assert result.code == 64
    assert f"{existing}: exists already (choose another --name)" in result.err
    assert (shop.root / existing).read_text() == "precious"


def test_a_passphrase_comes_from_the_environment_and_encrypts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_PASSPHRASE", "correct horse")
    name = ["--name", "ci", "--passphrase-env", "KEY_PASSPHRASE"]

    assert shop.run("keys", "generate", str(shop.root), *name).code == 0
    private = shop.root / "ci.key"
    assert PrivateKey.read(private, b"correct horse").public
    assert "ENCRYPTED" in private.read_text()


@pytest.mark.parametrize("value", [None, ""])
def test_a_passphrase_that_is_not_set_writes_no_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """An empty one would leave the key in the clear."""
    monkeypatch.delenv("KEY_PASSPHRASE", raising=False)
    if value is not None:
        monkeypatch.setenv("KEY_PASSPHRASE", value)
    result = shop.run(
        "keys", "generate", str(shop.root), "--name", "ci", "--passphrase-env", "KEY_PASSPHRASE"
    )

    assert result.code == 64
    assert "the variable 'KEY_PASSPHRASE' is not set" in result.err
    assert not (shop.root / "ci.key").exists()


@pytest.mark.parametrize("name", ["", "../ci", "a/b", ".hidden", "/ci"])
def test_a_name_is_a_file_name(shop: Shop, name: str) -> None:
    before = sorted(shop.root.rglob("*"))

    assert shop.run("keys", "generate", str(shop.root), "--name", name).code == 64
    assert sorted(shop.root.rglob("*")) == before


def test_where_nothing_can_be_written_the_code_is_64(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = shop.run("keys", "generate", str(tmp_path / "file"), "--name", "ci")

    assert result.code == 64
    assert f"error: {tmp_path}/file: cannot write" in result.err


@pytest.mark.parametrize("arguments", [[], ["DIR"], ["--name", "ci"]])
def test_what_is_missing_on_the_command_line_is_usage(shop: Shop, arguments: list[str]) -> None:
    assert shop.run("keys", "generate", *arguments).code == 64
