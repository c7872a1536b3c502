"""`revoke --identity`, `--issuer`, `--compromised-since`: who signs no more, and since when."""

from __future__ import annotations

import json

import pytest

from stagepass.clock import format_time
from stagepass.digest import Digest
from stagepass.predicates.revocation import Entry
from tests.cli.conftest import Shop
from tests.cli.test_revoke import DOCUMENT, listed, production, revoke, target
from tests.cli.test_revoke_running import lost, running
from tests.keyless.keyed import proven, trust_files
from tests.policy.signed import full_evidence, write_shop
from tests.world import DAY, HOUR, IMAGE, NOW, SECOND, signed_pass, signer, stored

BY = "staging-cluster"
STAGED = signed_pass("staging")
SINCE = NOW - 30 * 60 * SECOND
SUBJECT, ISSUER = "https://ci.example.com/acme/shop@main", "https://ci.example.com"


@pytest.fixture
def full(shop: Shop) -> Shop:
    """The shop in full that trusts the miniature; the pass of staging is not there yet."""
    write_shop(shop.root, {}, DOCUMENT)
    for name, text in trust_files().items():
        path = shop.policy / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    stored(shop.evidence, [b for b in full_evidence() if _payload(b) != _payload(STAGED)])
    (shop.root / f"{BY}.pub").write_bytes(signer(BY).public_pem)
    return shop


def stolen(shop: Shop, *more: str) -> list[str]:
    """The options that revoke the key of staging."""
    return ["--public-key", str(shop.root / f"{BY}.pub"), "--reason", "stolen", *more]


def _payload(bundle: bytes) -> Digest:
    return Digest.of(json.loads(bundle)["dsseEnvelope"]["payload"].encode())


def test_what_the_key_provably_signed_before_lives_on(full: Shop) -> None:
    """The pass dated an hour ago: by its stamp too, or only after the theft."""
    since = ["--compromised-since", format_time(SINCE)]
    stored(full.evidence, [proven(STAGED, BY, SINCE + SECOND, log="v1")])
    named = revoke(full, *stolen(full, *since, "--dry-run"), *running(full, IMAGE))
    assert lost(named) == ["PASS_MISSING"]

    stored(full.evidence, [proven(STAGED, BY, SINCE - SECOND, log="v1")])
    assert lost(revoke(full, *stolen(full, *since), *running(full, IMAGE))) == []
    assert production(full) == []
    assert lost(revoke(full, *stolen(full), *running(full, IMAGE))) == ["PASS_MISSING"]
    assert production(full) == ["PASS_MISSING", "REVOKED"]


def test_a_pass_of_no_proven_time_dies_with_its_key(full: Shop) -> None:
    stored(full.evidence, [STAGED])
    since = ["--compromised-since", format_time(NOW - SECOND)]

    assert lost(revoke(full, *stolen(full, *since), *running(full, IMAGE))) == ["PASS_MISSING"]
    assert "nothing proves that this is from before 2026-11-26T11:59:59Z" in _said(full)


def test_identities_and_times_are_written(full: Shop) -> None:
    since = ["--compromised-since", format_time(SINCE)]
    two = ["--identity", SUBJECT, "--identity", "carol@example.com", "--reason", "left"]
    assert revoke(full, *two, "--issuer", ISSUER).code == 0
    assert revoke(full, *two[:2], "--reason", "stolen", *since).code == 0
    assert revoke(full, *stolen(full, *since)).code == 0

    assert listed(full).entries == (
        Entry("identity", SUBJECT, "left", ISSUER),
        Entry("identity", "carol@example.com", "left", ISSUER),
        Entry("identity", SUBJECT, "stolen", "", SINCE),
        Entry("key", signer(BY).private.public.id, "stolen", "", SINCE),
    )
    assert production(full) == ["PASS_MISSING"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--issuer", ISSUER], "--issuer goes with --identity"),
        (["--compromised-since", format_time(SINCE)], "goes with --public-key or --identity"),
        (
            ["--identity", SUBJECT, "--reason", "x", "--compromised-since", "yesterday"],
            "'yesterday' is not an RFC 3339 time",
        ),
        (
            ["--identity", SUBJECT, "--compromised-since", format_time(NOW + HOUR)],
            "ahead of now",
        ),
        (["--identity", SUBJECT], "--reason is missing"),
        (["--identity", "", "--reason", "x"], "--identity is blank"),
        (["--identity", f"{SUBJECT}***", "--reason", "x"], "has three stars in a row"),
        (["--identity", SUBJECT, "--issuer", "", "--reason", "x"], "'' is no issuer"),
    ],
)
def test_an_option_that_would_say_nothing_is_usage(
    full: Shop, arguments: list[str], reason: str
) -> None:
    result = revoke(full, *arguments)

    assert (result.code, target(full).exists()) == (64, False)
    assert reason in result.err


def test_a_list_of_before_is_read_and_continued(full: Shop) -> None:
    """Written by the version that knew neither identities nor times: entries of three members."""
    revoke(full, *stolen(full), "--valid-for", "9d")
    before = listed(full)
    written = json.loads(json.dumps([entry.to_json() for entry in before.entries]))

    assert all(entry.keys() == {"kind", "value", "reason"} for entry in written)
    assert revoke(full, "--identity", SUBJECT, "--reason", "left").code == 0
    assert listed(full).entries[: len(before.entries)] == before.entries
    assert listed(full).expires == NOW + 30 * DAY


def _said(shop: Shop) -> str:
    result = shop.verify("production", "--namespace", "shop", "--cluster", "prod-eu")
    return " ".join(v["message"] for v in result.line["violations"])
