"""Signed sets: with a root key, a set counts as that key signed it, while it lasts (B59, B67)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from stagepass import strictjson
from stagepass.bundle import Bundle
from stagepass.clock import format_time
from stagepass.decision import Answer, Code
from stagepass.digest import Digest
from stagepass.evidence import Deadline
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.policy.store import load_directory, sign_directory
from stagepass.policy.trust import SIGNATURE_FILE
from stagepass.predicates.members import POLICY_SET
from stagepass.stage import Place
from stagepass.statement import compose
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.policy.signed import ATTESTORS, beside, emergency, full_evidence, receipt
from tests.world import (
    DAY,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    SECOND,
    changed,
    codes,
    judged,
    signed,
    signer,
    statement,
    write_policy,
)

ENDS = NOW + 30 * DAY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An unsigned set."""
    return write_policy(tmp_path / "policy", ATTESTORS, extra=beside())


def sign(folder: Path, by: str = "root", *, at: datetime = NOW, at_least: int = 1) -> int:
    """Sign the set and return its sequence."""
    key = signer(by).private
    return sign_directory(folder, key, issued=at, expires=at + 30 * DAY, at_least=at_least).sequence


def load(folder: Path, by: str = "root") -> PolicySet:
    """As a gate with that root key."""
    return load_directory(folder, signer(by).private.public)


def refusal(folder: Path, by: str = "root") -> str:
    """Why it does not load."""
    with pytest.raises(PolicyError) as caught:
        load(folder, by)
    (error,) = caught.value.errors
    return str(error)


def forge(folder: Path, by: str = "root", **changes: Any) -> None:
    """A signature over the present files with members of its predicate changed, or its subject."""
    path = folder / SIGNATURE_FILE
    subject = changes.pop("subject", None)
    payload = json.loads(_payload(path))
    predicate = changed(payload["predicate"], changes)
    text = compose(
        name="policy-set",
        digest=subject or Digest(payload["subject"][0]["digest"]["sha256"]),
        predicate_type=POLICY_SET,
        predicate=strictjson.dumps(predicate),
    )
    path.write_bytes(signed(text, by))


def _payload(path: Path) -> bytes:
    return Bundle.parse(path.read_bytes()).envelope.payload


def test_a_signed_set_loads_with_its_sequence_and_its_end(folder: Path) -> None:
    assert sign(folder) == 1
    policy = load(folder)

    assert (policy.sequence, policy.expires) == (1, ENDS)
    assert judged(policy, full_evidence()).answer is Answer.ADMITTED
    assert judged(policy, full_evidence()).valid_until is not None


def test_without_a_root_key_the_signature_is_a_file_like_any_other(folder: Path) -> None:
    sign(folder)
    policy = load_directory(folder)

    assert (policy.sequence, policy.expires) == (0, None)


def test_an_unsigned_set_is_refused_with_the_command(folder: Path) -> None:
    assert refusal(folder) == (
        f"{SIGNATURE_FILE}: the set is not signed, and a root key is configured"
        " (stagepass policy sign DIR --key KEY)"
    )


def _alter(folder: Path) -> None:
    path = folder / "policy.yaml"
    path.write_text(path.read_text().replace('"unlisted": "deny"', '"unlisted": "audit"'))


def _add(folder: Path) -> None:
    (folder / "more.yaml").write_text("")


def _add_below(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / SIGNATURE_FILE).write_text("{}")


def _remove(folder: Path) -> None:
    (folder / "keys" / "stranger.pub").unlink()


def _swap(folder: Path) -> None:
    (folder / "keys" / "ci.pub").write_bytes(signer("stranger").public_pem)


def _rename(folder: Path) -> None:
    (folder / "policy.yaml").rename(folder / "policy.yml")


def _link(folder: Path) -> None:
    (folder / "copy.yaml").symlink_to("policy.yaml")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_alter, "policy.yaml"),
        (_add, "more.yaml"),
        (_add_below, f"a/b/{SIGNATURE_FILE}"),
        (_remove, "keys/stranger.pub"),
        (_swap, "keys/ci.pub"),
        (_rename, "policy.yaml, policy.yml"),
        (_link, "copy.yaml"),
    ],
)
def test_any_change_after_signing_refuses_the_set_and_names_the_files(
    folder: Path, change: Any, named: str
) -> None:
    """Whoever merges a commit does not hold the key."""
    sign(folder)
    change(folder)

    assert refusal(folder) == f"{SIGNATURE_FILE}: not as signed: {named} (sign the set again)"


def test_hidden_files_are_no_part_of_the_set_before_and_after(folder: Path) -> None:
    sign(folder)
    (folder / ".hidden.yaml").write_text("kind: Nonsense")

    assert load(folder).sequence == 1


@pytest.mark.parametrize("by", ["ci", "security", "stranger", "alice"])
def test_only_the_root_key_signs_sets_and_no_key_of_the_set_does(folder: Path, by: str) -> None:
    sign(folder, by)

    assert refusal(folder).startswith(f"{SIGNATURE_FILE}: SIGN")
    assert load(folder, by).sequence == 1


@pytest.mark.parametrize("content", [b"", b"junk", b"{}"])
def test_a_signature_that_is_none_refuses_the_set(folder: Path, content: bytes) -> None:
    (folder / SIGNATURE_FILE).write_bytes(content)

    assert refusal(folder).startswith(f"{SIGNATURE_FILE}: STATEMENT_INVALID: ")


def test_a_statement_of_another_type_by_the_root_key_is_no_signature(folder: Path) -> None:
    (folder / SIGNATURE_FILE).write_bytes(signed(statement(), "root"))

    assert "a statement of type" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sequence": -1}, "sequence is not a count"),
        ({"sequence": "1"}, "sequence is not a count"),
        ({"issued": "today"}, "issued: 'today' is not an RFC 3339"),
        ({"expires": None}, "expires: None is not an RFC 3339"),
        ({"files": []}, "files is not an object"),
        ({"files": {}}, "the signature's subject is not its list of files"),
        ({"critical": ["unheard"]}, "which this version does not understand"),
        ({"subject": Digest.of(b"x")}, "the signature's subject is not its list of files"),
    ],
)
def test_every_member_of_a_signature_is_checked(
    folder: Path, changes: dict[str, Any], reason: str
) -> None:
    sign(folder)
    forge(folder, **changes)

    assert reason in refusal(folder)


def test_a_set_is_refused_by_its_signature_before_anything_it_says_is_read(folder: Path) -> None:
    sign(folder)
    (folder / "policy.yaml").write_text("kind: Nonsense")

    assert "not as signed: policy.yaml" in refusal(folder)


@pytest.mark.parametrize("place", [PROD_EU, Place("test", "other"), Place("unknown", "x")])
def test_a_set_that_expired_answers_could_not_find_out_to_everything(
    folder: Path, place: Place
) -> None:
    sign(folder)
    policy = load(folder)
    evidence = [*full_evidence(), receipt(), emergency(issued=ENDS)]
    decision = judged(policy, evidence, place, now=ENDS)

    assert (decision.answer, codes(decision)) == (Answer.UNDETERMINED, ["POLICY_INVALID"])
    assert not decision.allowed
    before = judged(policy, full_evidence(ENDS - HOUR), now=ENDS - SECOND)
    assert (before.answer, before.valid_until) == (Answer.ADMITTED, ENDS)


def test_an_expired_set_asks_no_registry(folder: Path) -> None:
    sign(folder)
    source = MemorySource(full_evidence())
    decision = Verifier(load(folder), [source]).decide(
        IMAGE, PROD_EU, now=ENDS, deadline=Deadline.after(60)
    )

    assert (decision.violations[0].code, source.calls) == (Code.POLICY_INVALID, 0)


def test_each_signature_is_one_higher_than_the_last_of_the_same_key(folder: Path) -> None:
    assert [sign(folder) for _ in range(3)] == [1, 2, 3]
    _alter(folder)
    assert sign(folder) == 4
    assert load(folder).unlisted is not None


def test_a_last_signature_by_another_key_is_not_believed(folder: Path) -> None:
    """A merged commit could else set the sequence so high that no set after it would ever count."""
    sign(folder)
    forge(folder, "stranger", sequence=2**53 - 1)
    with pytest.raises(PolicyError) as caught:
        sign(folder)

    assert "move it away, and give the next sequence with --sequence" in str(caught.value)
    (folder / SIGNATURE_FILE).unlink()
    assert sign(folder, at_least=8) == 8
    assert sign(folder, at_least=3) == 9


def test_a_set_that_does_not_load_is_never_signed(folder: Path) -> None:
    (folder / "more.yaml").write_text("kind: Nonsense")

    with pytest.raises(PolicyError):
        sign(folder)
    assert not (folder / SIGNATURE_FILE).exists()


def test_signing_follows_no_link_that_was_planted(folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (folder / f".{SIGNATURE_FILE}.part").symlink_to(victim)
    sign(folder)

    assert victim.read_text() == "mine"
    assert load(folder).sequence == 1


def test_a_set_that_cannot_be_written_is_a_policy_error(folder: Path) -> None:
    (folder / SIGNATURE_FILE).mkdir()

    with pytest.raises(PolicyError, match="cannot write"):
        sign(folder)


def test_the_signature_names_every_file_by_its_digest(folder: Path) -> None:
    sign(folder)
    predicate = json.loads(_payload(folder / SIGNATURE_FILE))["predicate"]
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    del files[SIGNATURE_FILE]

    assert predicate["files"] == {n: Digest.of(p.read_bytes()).hex for n, p in files.items()}
    assert (predicate["issued"], predicate["expires"]) == (format_time(NOW), format_time(ENDS))
