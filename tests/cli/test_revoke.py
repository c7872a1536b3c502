"""`revoke`: the next list, never out of a list that somebody else put there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stagepass.bundle import Bundle
from stagepass.clock import format_time
from stagepass.predicates.revocation import RevocationList
from tests.cli.conftest import Result, Shop
from tests.policy.signed import ARTIFACT, PEOPLE, full_evidence, revocation_list, write_shop
from tests.world import DAY, DIGEST, NOW, OTHER_DIGEST, signer, stored

DOCUMENT = {"kind": "Revocations", "file": "list.json", "from": ["security", "release-managers"]}


@pytest.fixture
def full(shop: Shop) -> Shop:
    """The shop in full, with an empty list, and everything that production asks for."""
    write_shop(shop.root, {}, DOCUMENT)
    stored(shop.evidence, full_evidence())
    for name in (*PEOPLE, "staging-cluster", "stranger"):
        (shop.root / f"{name}.pub").write_bytes(signer(name).public_pem)
    return shop


def target(shop: Shop) -> Path:
    """The file that the policy names."""
    return shop.policy / "list.json"


def revoke(shop: Shop, *arguments: str, by: str = "security") -> Result:
    """At NOW."""
    where = [str(target(shop)), "--key", shop.key(by), "--now", format_time(NOW)]
    return shop.run("revoke", *where, *arguments)


def listed(shop: Shop) -> RevocationList:
    """What stands in the file."""
    payload = json.loads(Bundle.parse(target(shop).read_bytes()).envelope.payload)
    return RevocationList.parse(payload["predicate"])


def production(shop: Shop) -> list[str]:
    """The codes of `verify`."""
    result = shop.verify("production", "--namespace", "shop", "--cluster", "prod-eu")
    return sorted({v["code"] for v in result.line["violations"]})


def test_a_list_begins_empty_and_grows_with_its_sequence(full: Shop) -> None:
    assert revoke(full).out == f"{target(full)}: sequence 1, 0 entries\n"
    assert production(full) == []
    assert revoke(full, "--artifact", str(OTHER_DIGEST), "--reason", "a").code == 0
    assert production(full) == []
    assert revoke(full, "--artifact", str(DIGEST), "--reason", "b").code == 0
    found = listed(full)

    assert production(full) == ["REVOKED"]
    assert (found.sequence, found.expires) == (3, NOW + 30 * DAY)
    assert [(e.kind, e.value, e.reason) for e in found.entries] == [
        ("artifact", OTHER_DIGEST.hex, "a"),
        ("artifact", DIGEST.hex, "b"),
    ]


def test_an_attestation_is_revoked_by_the_digest_that_verify_prints(full: Shop) -> None:
    revoke(full)
    evidence = full.verify("production", "--namespace", "shop").line["evidence"]
    scan = next(e for e in evidence if "vuln" in e["predicateType"])
    done = revoke(full, "--attestation", scan["payloadDigest"], "--reason", "in error")

    assert done.code == 0
    assert production(full) == ["REQUIREMENT_MISSING", "REVOKED"]


def test_a_key_is_revoked_by_its_public_file(full: Shop) -> None:
    public = str(full.root / "staging-cluster.pub")
    assert revoke(full, "--public-key", public, "--reason", "stolen").code == 0

    assert production(full) == ["PASS_MISSING", "REVOKED"]
    assert listed(full).entries[0].value == signer("staging-cluster").private.public.id


def test_the_same_entry_twice_stands_once(full: Shop) -> None:
    for _ in range(2):
        assert revoke(full, "--artifact", str(DIGEST), "--reason", "b").code == 0

    assert (listed(full).sequence, len(listed(full).entries)) == (2, 1)


def test_with_nothing_to_add_it_is_renewed(full: Shop) -> None:
    revoke(full, "--artifact", str(DIGEST), "--reason", "b", "--valid-for", "1d")
    assert listed(full).expires == NOW + DAY
    assert revoke(full, "--valid-for", "9d").code == 0

    assert (listed(full).sequence, listed(full).expires) == (2, NOW + 9 * DAY)
    assert len(listed(full).entries) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--artifact", str(DIGEST)], "--reason is missing"),
        (["--artifact", str(DIGEST), "--reason", ""], "--reason is missing"),
        (["--artifact", DIGEST.hex, "--reason", "x"], "is not 'sha256:'"),
        (["--artifact", str(DIGEST).upper(), "--reason", "x"], "is not 'sha256:'"),
        (["--attestation", "sha256:00", "--reason", "x"], "is not 'sha256:'"),
        (["--public-key", "none.pub", "--reason", "x"], "none.pub: cannot read"),
        (["--valid-for", "long"], "'long' is not a duration"),
    ],
)
def test_an_entry_that_could_match_nothing_is_never_written(
    full: Shop, arguments: list[str], reason: str
) -> None:
    result = revoke(full, *arguments)

    assert (result.code, target(full).exists()) == (64, False)
    assert reason in result.err


def test_a_private_key_in_place_of_a_public_one_is_refused(full: Shop) -> None:
    result = revoke(full, "--public-key", full.key("alice"), "--reason", "x")

    assert (result.code, "alice.key: " in result.err) == (64, True)


FORGED: dict[str, bytes] = {
    "by a stranger, without the entry": revocation_list(by="stranger", sequence=9),
    "of another type": full_evidence()[0],
    "altered": revocation_list(ARTIFACT)[:-60] + b'"}}',
    "junk": b"junk",
    "with other entries than its subject": revocation_list(ARTIFACT, changes={"entries": []}),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_list_that_somebody_else_put_there_is_never_signed_over(full: Shop, name: str) -> None:
    """Whoever merges a commit could else take entries out, and let security sign that."""
    revoke(full, "--artifact", str(DIGEST), "--reason", "b")
    target(full).write_bytes(FORGED[name])
    result = revoke(full, "--artifact", str(OTHER_DIGEST), "--reason", "c")

    assert (result.code, target(full).read_bytes()) == (64, FORGED[name])
    assert "bring the file back from Git" in result.err


def test_a_list_by_another_of_its_signers_is_continued_when_their_key_is_named(full: Shop) -> None:
    assert revoke(full, "--artifact", str(DIGEST), "--reason", "b", by="alice").code == 0
    more = ["--artifact", str(OTHER_DIGEST), "--reason", "c"]
    assert revoke(full, *more).code == 64
    assert revoke(full, *more, "--signer", str(full.root / "alice.pub")).code == 0

    assert (listed(full).sequence, len(listed(full).entries)) == (2, 2)
    assert production(full) == ["REVOKED"]


def _no_folder(shop: Shop) -> list[str]:
    return [str(shop.root / "none" / "list.json")]


def _a_folder(shop: Shop) -> list[str]:
    return [str(shop.policy)]


@pytest.mark.parametrize("where", [_no_folder, _a_folder])
def test_a_file_that_cannot_be_written_is_usage(full: Shop, where: Any) -> None:
    result = full.run("revoke", *where(full), "--key", full.key("security"))

    assert (result.code, result.out) == (64, "")
    assert "cannot " in result.err


def test_it_follows_no_link_that_was_planted(full: Shop) -> None:
    victim = full.root / "victim"
    victim.write_text("mine")
    (full.policy / ".list.json.part").symlink_to(victim)
    assert revoke(full).code == 0
    target(full).unlink()
    target(full).symlink_to(full.root / "elsewhere.json")
    assert revoke(full).code == 0

    assert (victim.read_text(), listed(full).sequence) == ("mine", 1)
    assert not (full.root / "elsewhere.json").exists()
