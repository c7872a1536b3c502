"""`policy sign`: what a gate with the root key takes, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.policy.store import load_directory
from stagepass.policy.trust import SIGNATURE_FILE
from stagepass.policy.watermark import HighWater
from tests.cli.conftest import Result, Shop
from tests.policy.signed import write_shop
from tests.world import DAY, NOW, signer


@pytest.fixture
def full(shop: Shop) -> Shop:
    """The shop in full, unsigned."""
    write_shop(shop.root)
    return shop


def sign(shop: Shop, *arguments: str, by: str = "root") -> Result:
    """At NOW."""
    options = ["--key", shop.key(by), "--now", format_time(NOW)]
    return shop.run("policy", "sign", str(shop.policy), *options, *arguments)


def loaded(shop: Shop) -> PolicySet:
    """As a gate with the root key."""
    return load_directory(shop.policy, signer("root").private.public)


def test_a_signed_set_is_taken_with_its_sequence_and_its_end(full: Shop) -> None:
    result = sign(full, "--valid-for", "7d")

    count = sum(p.is_file() for p in full.policy.rglob("*")) - 1
    assert (result.code, result.out) == (
        0,
        f"signed {count} files of {full.policy}: sequence 1, until 2026-12-03T12:00:00Z\n",
    )
    assert (loaded(full).sequence, loaded(full).expires) == (1, NOW + 7 * DAY)


def test_a_signed_set_is_linted_and_decides_like_an_unsigned_one(full: Shop) -> None:
    def asked() -> tuple[dict[str, Any], str]:
        linted = full.run("policy", "lint", str(full.policy))
        return full.verify("production", "--namespace", "shop").line, linted.out

    (before, findings), _, (after, findings_after) = asked(), sign(full), asked()
    assert findings_after == findings
    assert after["violations"] == before["violations"]
    assert after["policyRevision"] != before["policyRevision"]


def test_every_change_needs_a_new_signature_with_the_next_sequence(full: Shop) -> None:
    sign(full)
    file = full.policy / "policy.yaml"
    file.write_text(file.read_text().replace('"unlisted": "deny"', '"unlisted": "warn"'))
    with pytest.raises(PolicyError, match=r"not as signed: policy\.yaml"):
        loaded(full)

    assert "sequence 2" in sign(full).out
    assert loaded(full).sequence == 2


def test_a_gate_takes_no_set_that_is_older_than_one_it_has_seen(full: Shop, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    sign(full)
    old = (full.policy / SIGNATURE_FILE).read_bytes()
    sign(full)
    HighWater(state).pass_on(loaded(full))
    (full.policy / SIGNATURE_FILE).write_bytes(old)

    with pytest.raises(PolicyError, match="sequence 1 of the set is older than 2"):
        HighWater(state).pass_on(loaded(full))


def test_the_signature_of_another_key_is_not_continued_but_may_be_replaced(full: Shop) -> None:
    sign(full, by="stranger")
    result = sign(full)

    assert (result.code, "give the next sequence with --sequence" in result.err) == (64, True)
    (full.policy / SIGNATURE_FILE).unlink()
    assert "sequence 12" in sign(full, "--sequence", "12").out
    assert "sequence 13" in sign(full, "--sequence", "5").out


@pytest.mark.parametrize("sequence", ["0", "-1", "many", "9999999999999"])
def test_a_sequence_is_a_number_from_1(full: Shop, sequence: str) -> None:
    assert sign(full, "--sequence", sequence).code == 64


def test_a_set_that_does_not_load_is_not_signed(full: Shop) -> None:
    (full.policy / "more.yaml").write_text("kind: Nonsense\n")
    result = sign(full)

    assert (result.code, (full.policy / SIGNATURE_FILE).exists()) == (64, False)
    assert "kind 'Nonsense' is not a policy kind" in result.err


@pytest.mark.parametrize("name", ["none.key", "../policy/policy.yaml"])
def test_a_key_that_cannot_be_read_is_usage(full: Shop, name: str) -> None:
    result = full.run(
        "policy", "sign", str(full.policy), "--key", str(full.root / "private" / name)
    )

    assert (result.code, (full.policy / SIGNATURE_FILE).exists()) == (64, False)


def test_a_directory_that_is_not_there_is_usage(full: Shop) -> None:
    result = full.run("policy", "sign", str(full.root / "none"), "--key", full.key("root"))

    assert result.code == 64
