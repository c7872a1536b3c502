"""`stagepass trust config`: the one file that signers of a private Sigstore instance get, made of its two."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sigstore.models import ClientTrustConfig

from tests.cli.conftest import Result, Shop
from tests.simulators.sigstore import Sigstore

INSTANCE = Sigstore("private")
OLD = b'{"old": true}'
Document = dict[str, Any]


def make(shop: Shop, root: bytes | None, signing: bytes | None, *arguments: str) -> Result:
    """Of these two files; None: there is none."""
    for path, content in ((root_file(shop), root), (signing_file(shop), signing)):
        if content is not None:
            path.write_bytes(content)
    files = ["--trusted-root", str(root_file(shop)), "--signing-config", str(signing_file(shop))]
    return shop.run("trust", "config", str(target(shop)), *files, *arguments)


def root_file(shop: Shop) -> Path:
    return shop.root / "trusted_root.json"


def signing_file(shop: Shop) -> Path:
    return shop.root / "signing_config.json"


def target(shop: Shop) -> Path:
    return shop.root / "trust-config.json"


@pytest.mark.parametrize("tsa", [False, True])
@pytest.mark.parametrize("log", ["v1", "v2"])
def test_both_are_in_it_as_they_were(shop: Shop, log: str, tsa: bool) -> None:
    result = make(shop, INSTANCE.trusted_root(), INSTANCE.signing_config(log, tsa=tsa))

    assert (result.code, result.out, result.err) == (0, f"{target(shop)}: written\n", "")
    text = target(shop).read_text()
    assert json.loads(text) == json.loads(INSTANCE.trust_config(log, tsa=tsa))
    assert ClientTrustConfig.from_json(text).signing_config.get_fulcio().url == INSTANCE.url


def test_json(shop: Shop) -> None:
    result = make(shop, INSTANCE.trusted_root(), INSTANCE.signing_config(), *("--output", "json"))

    assert result.line == {"file": str(target(shop)), "certificateAuthority": INSTANCE.url}


Change = Callable[[Document], object]
ROOTS: dict[str, Change] = {
    "no type": lambda root: root.pop("mediaType"),
    "no CA": lambda root: root.pop("certificateAuthorities"),
    "no CT log": lambda root: root.update(ctlogs=[]),
    "no log": lambda root: root.pop("tlogs"),
    "no window": lambda root: root["tlogs"][0]["publicKey"].pop("validFor"),
    "no key": lambda root: root["tlogs"][0]["publicKey"].update(rawBytes="AAAA"),
}
CONFIGS: dict[str, Change] = {
    "no type": lambda config: config.pop("mediaType"),
    "no CA": lambda config: config.update(caUrls=[]),
    "no log": lambda config: config.pop("rekorTlogUrls"),
    "retired CA": lambda config: config["caUrls"][0].update(
        validFor={"start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z"}
    ),
    "plain http": lambda config: config["caUrls"][0].update(url="http://ca.example.com"),
    "a log of another version": lambda config: config["rekorTlogUrls"][0].update(majorApiVersion=9),
}


def changed(document: bytes, change: Change) -> bytes:
    found: Document = json.loads(document)
    change(found)
    return json.dumps(found).encode()


def refused(shop: Shop, result: Result, where: Path) -> None:
    assert (result.code, result.out) == (64, "")
    assert str(where) in result.err
    assert target(shop).read_bytes() == OLD


@pytest.mark.parametrize("what", ROOTS)
def test_a_root_that_verifies_nothing_is_named_and_nothing_written(shop: Shop, what: str) -> None:
    target(shop).write_bytes(OLD)
    root = changed(INSTANCE.trusted_root(), ROOTS[what])

    refused(shop, make(shop, root, INSTANCE.signing_config()), root_file(shop))


@pytest.mark.parametrize("what", CONFIGS)
def test_a_signing_config_by_which_nobody_signs_is_named(shop: Shop, what: str) -> None:
    target(shop).write_bytes(OLD)
    config = changed(INSTANCE.signing_config(), CONFIGS[what])

    result = make(shop, INSTANCE.trusted_root(), config)
    refused(shop, result, signing_file(shop))
    assert "cosign signing-config create" in result.err


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"\0", b'{"a": 1, "a": 1}'])
def test_what_is_no_json_object(shop: Shop, content: bytes | None) -> None:
    target(shop).write_bytes(OLD)

    refused(shop, make(shop, content, INSTANCE.signing_config()), root_file(shop))
    refused(
        shop,
        make(shop, INSTANCE.trusted_root(), b"" if content is None else content),
        signing_file(shop),
    )


def test_the_two_in_the_wrong_order(shop: Shop) -> None:
    target(shop).write_bytes(OLD)

    result = make(shop, INSTANCE.signing_config(), INSTANCE.trusted_root())
    refused(shop, result, root_file(shop))


def test_a_directory_that_is_not_there(shop: Shop) -> None:
    files = ["--trusted-root", str(root_file(shop)), "--signing-config", str(signing_file(shop))]
    make(shop, INSTANCE.trusted_root(), INSTANCE.signing_config())
    result = shop.run("trust", "config", str(shop.root / "none" / "x.json"), *files)

    assert (result.code, "cannot write" in result.err) == (64, True)
