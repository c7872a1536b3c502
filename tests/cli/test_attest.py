"""`attest` without a policy: what is signed, and what is refused before anything is."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass import strictjson
from stagepass.attestor import KeyRing
from stagepass.bundle import Bundle
from stagepass.digest import Digest
from stagepass.evidence import Attestation, Candidate
from stagepass.predicates.members import STAGE_PASSED
from tests.cli.conftest import Shop
from tests.world import DIGEST, IMAGE, PROVENANCE, signer

TAGGED = "registry.example.com/shop/checkout:1.2"
FAILED = """{"pipeline": "shop", "stage": "test", "environment": {"clusterName": "test"},
  "verificationResult": "FAILED", "timeVerified": "2026-11-26T12:00:00Z",
  "expires": "2026-11-27T12:00:00Z"}"""
STAGE = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]


def predicate_of(shop: Shop) -> dict[str, Any]:
    """The predicate of the only bundle that is stored."""
    (path,) = shop.bundles()
    payload = Bundle.parse(path.read_bytes()).envelope.payload
    found: dict[str, Any] = strictjson.loads_object(payload, max_bytes=1 << 16, max_depth=9)[
        "predicate"
    ]
    return found


def test_a_pass_is_signed_stored_and_verifies_under_the_key(shop: Shop) -> None:
    result = shop.attest("--key", shop.key("test-cluster"), *STAGE)
    (path,) = shop.bundles()
    ring = KeyRing.of([(signer("test-cluster").private.public, "test-cluster")])
    found = ring.verify(Candidate(path.read_bytes(), "here"), DIGEST)

    assert result.code == 0
    assert isinstance(found, Attestation)
    assert result.line == {
        "image": str(IMAGE),
        "predicateType": STAGE_PASSED,
        "payloadDigest": str(found.statement.payload_digest),
        "stored": [str(path)],
    }


def test_everything_said_on_the_command_line_is_in_the_pass(shop: Shop) -> None:
    result = shop.attest(
        *("--key", shop.key("test-cluster"), *STAGE, "--namespace", "shop"),
        *("--cluster-uid", "6f1c", "--source", "git+https://user@git.example.com/shop@c0ffee"),
        *("--observed-from", "2026-11-25T12:00:00Z", "--observed-to", "2026-11-26T11:00:00Z"),
        *("--valid-for", "12h"),
    )
    predicate = predicate_of(shop)

    assert result.code == 0
    assert predicate["environment"] == {
        "cluster": "6f1c",
        "clusterName": "test",
        "namespace": "shop",
    }
    assert predicate["source"] == {
        "uri": "git+https://user@git.example.com/shop",
        "digest": {"gitCommit": "c0ffee"},
    }
    assert predicate["observed"] == {
        "from": "2026-11-25T12:00:00Z",
        "to": "2026-11-26T11:00:00Z",
        "soakSeconds": 82800,
    }
    assert predicate["timeVerified"] == "2026-11-26T12:00:00Z"
    assert predicate["expires"] == "2026-11-27T00:00:00Z"
    assert predicate["resourceUri"] == f"oci://{IMAGE}"


def test_what_was_not_watched_is_not_said_to_have_been(shop: Shop) -> None:
    assert shop.attest("--key", shop.key("test-cluster"), *STAGE).code == 0
    assert "observed" not in predicate_of(shop)


def test_a_watch_without_an_end_lasts_until_now(shop: Shop) -> None:
    observed = ["--observed-from", "2026-11-26T11:00:00Z"]

    assert shop.attest("--key", shop.key("test-cluster"), *STAGE, *observed).code == 0
    assert predicate_of(shop)["observed"]["to"] == "2026-11-26T12:00:00Z"


@pytest.mark.parametrize(
    "observed",
    [
        ["--observed-to", "2026-11-26T11:00:00Z"],
        ["--observed-from", "2026-11-26T11:00:00Z", "--observed-to", "2026-11-26T10:00:00Z"],
        ["--observed-from", "2026-11-26T11:00:00Z", "--observed-to", "2026-11-26T12:00:01Z"],
        ["--observed-from", "2026-11-26T12:00:01Z"],
        ["--observed-from", "yesterday"],
        ["--source", "no-commit"],
        ["--source", "@c0ffee"],
        ["--source", "uri@"],
        ["--valid-for", "30"],
        ["--valid-for", "999999d"],
    ],
)
def test_what_cannot_be_true_is_refused_before_anything_is_signed(
    shop: Shop, observed: list[str]
) -> None:
    assert shop.attest("--key", shop.key("test-cluster"), *STAGE, *observed).code == 64
    assert shop.bundles() == []


@pytest.mark.parametrize(
    "text",
    [
        b'{"b": 1.50, "a": 12345678901234567890, "e": 1e2, "u": "\\u00e9"}',
        b'\n\t{"nested": {"x": [1, 2.0, -0]}}\n\n',
        b"{}",
    ],
)
def test_a_predicate_of_another_type_is_signed_byte_for_byte(shop: Shop, text: bytes) -> None:
    file = shop.root / "predicate.json"
    file.write_bytes(text)
    key = ["--key", shop.key("ci")]
    result = shop.attest(*key, "--type", PROVENANCE, "--predicate", str(file))
    payload = Bundle.parse(shop.bundles()[0].read_bytes()).envelope.payload

    assert (result.code, result.line["predicateType"]) == (0, PROVENANCE)
    assert payload.endswith(b',"predicate":' + text.strip() + b"}")
    assert result.line["payloadDigest"] == str(Digest.of(payload))


def test_two_signers_of_one_predicate_are_both_kept(shop: Shop) -> None:
    file = shop.root / "predicate.json"
    file.write_text("{}")
    for name in ("ci", "scanner"):
        shop.attest("--key", shop.key(name), "--type", PROVENANCE, "--predicate", str(file))

    hints = {Bundle.parse(path.read_bytes()).hint for path in shop.bundles()}
    assert hints == {signer(name).private.public.id for name in ("ci", "scanner")}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"not json", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xef\xbb\xbf{}", b"{}{}"],
)
def test_a_predicate_that_two_readers_could_read_differently_is_refused(
    shop: Shop, content: bytes
) -> None:
    file = shop.root / "predicate.json"
    file.write_bytes(content)
    key = ["--key", shop.key("ci")]
    result = shop.attest(*key, "--type", PROVENANCE, "--predicate", str(file))

    assert result.code == 64
    assert f"error: {file}: " in result.err
    assert shop.bundles() == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"verificationResult": "FAILED"}', "pipeline is missing"),
        ("{}", "pipeline is missing"),
        (FAILED, "a failure is never signed"),
    ],
)
def test_a_failure_is_never_signed_as_a_pass(shop: Shop, content: str, reason: str) -> None:
    """`cosign verify --key` takes any attestation by a key for a signature."""
    file = shop.root / "predicate.json"
    file.write_text(content)
    key = ["--key", shop.key("ci")]
    result = shop.attest(*key, "--type", STAGE_PASSED, "--predicate", str(file))

    assert (result.code, shop.bundles()) == (64, [])
    assert reason in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--stage", "test"],
        ["--stage", "test", "--cluster", "test"],
        ["--stage", "test", "--pipeline", "shop"],
        ["--type", PROVENANCE],
        ["--type", PROVENANCE, "--predicate", "absent.json"],
        [*STAGE, "--type", PROVENANCE],
        [*STAGE, "--predicate", "absent.json"],
        [*STAGE, "--evidence", "directory:x"],
        [*STAGE, "--evidence", "dir:"],
        [*STAGE, "--evidence", "registry", "--offline"],
    ],
)
def test_an_incomplete_or_contradicting_command_signs_nothing(
    shop: Shop, arguments: list[str]
) -> None:
    result = shop.attest("--key", shop.key("test-cluster"), *arguments)

    assert result.code == 64
    assert (result.out, shop.bundles()) == ("", [])


@pytest.mark.parametrize(
    "image",
    [TAGGED, "registry.example.com/shop/checkout", "", "UPPER@sha256:00", f"{IMAGE}x", str(DIGEST)],
)
def test_a_tag_is_never_signed_because_tags_move(shop: Shop, image: str) -> None:
    result = shop.attest("--key", shop.key("test-cluster"), *STAGE, image=image)

    assert result.code == 64
    assert shop.bundles() == []


def test_the_refusal_of_a_tag_says_what_to_write(shop: Shop) -> None:
    result = shop.attest("--key", shop.key("test-cluster"), *STAGE, image=TAGGED)

    assert "has no digest: tags move (write IMAGE@sha256:" in result.err


@pytest.mark.parametrize("content", [None, b"junk", signer("ci").public_pem])
def test_a_key_that_cannot_be_read_is_refused_with_its_path(
    shop: Shop, content: bytes | None
) -> None:
    file = shop.root / "x.key"
    if content is not None:
        file.write_bytes(content)
    result = shop.attest("--key", str(file), *STAGE)

    assert (result.code, shop.bundles()) == (64, [])
    assert str(file) in result.err


def test_an_encrypted_key_signs_with_its_passphrase(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_PASSPHRASE", "correct horse")
    passphrase = ["--passphrase-env", "KEY_PASSPHRASE"]
    shop.run("keys", "generate", str(shop.root), "--name", "locked", *passphrase)
    key = ["--key", str(shop.root / "locked.key")]

    without = shop.attest(*key, *STAGE)
    assert without.code == 64
    assert "--passphrase-env" in without.err
    assert shop.attest(*key, *STAGE, *passphrase).code == 0
    monkeypatch.setenv("KEY_PASSPHRASE", "wrong")
    assert shop.attest(*key, *STAGE, *passphrase).code == 64


def test_a_bundle_is_stored_in_every_directory_that_is_named(shop: Shop) -> None:
    second = shop.root / "second"
    result = shop.attest("--key", shop.key("test-cluster"), *STAGE, "--evidence", f"dir:{second}")

    assert len(result.line["stored"]) == 2
    assert [path.read_bytes() for path in second.glob("*/*")] == [
        path.read_bytes() for path in shop.bundles()
    ]


def test_the_text_says_what_was_signed_and_where_it_lies(shop: Shop) -> None:
    result = shop.run(
        *("attest", str(IMAGE), "--key", shop.key("test-cluster"), *STAGE),
        *("--evidence", f"dir:{shop.evidence}"),
    )
    (path,) = shop.bundles()

    assert result.out == f"signed {STAGE_PASSED} of {IMAGE}\n  stored in {path}\n"


def test_a_pass_of_a_stage_without_a_name_is_never_signed(shop: Shop) -> None:
    """It would be a pass of nothing, and reads as none."""
    named = ("--stage", "", "--pipeline", "shop", "--cluster", "test")
    result = shop.attest("--key", shop.key("test-cluster"), *named)

    assert (result.code, shop.bundles()) == (64, [])
