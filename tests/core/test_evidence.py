from __future__ import annotations

import os
from pathlib import Path

import pytest

from stagepass.bundle import MAX_BYTES
from stagepass.digest import Digest
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import MAX_CANDIDATES, Candidate, Deadline, DirectorySource
from tests.world import (
    DIGEST,
    IMAGE,
    OTHER_DIGEST,
    PROVENANCE,
    good_evidence,
    signed_claim,
    signed_pass,
    stored,
)


def read(root: Path, digest: Digest = DIGEST) -> list[Candidate]:
    """All candidates; raises what the source raises."""
    deadline = Deadline.after(60)
    batches = DirectorySource(root).batches(IMAGE, digest, frozenset(), deadline)
    return [candidate for batch in batches for candidate in batch]


def read_until_unavailable(root: Path) -> tuple[list[bytes], Unavailable]:
    """What was read before the source said that it does not know the rest."""
    found: list[bytes] = []

    def drain() -> None:
        for batch in DirectorySource(root).batches(IMAGE, DIGEST, frozenset(), Deadline.after(60)):
            found.extend(candidate.data for candidate in batch)

    with pytest.raises(Unavailable) as caught:
        drain()
    return found, caught.value


def folder_of(root: Path) -> Path:
    return root / f"sha256-{DIGEST.hex}"


def test_what_is_stored_for_a_digest_is_read_back_and_nothing_else(tmp_path: Path) -> None:
    bundles = good_evidence()
    stored(tmp_path, bundles)
    stored(tmp_path, [signed_pass("test", digest=OTHER_DIGEST)], OTHER_DIGEST)

    assert sorted(c.data for c in read(tmp_path)) == sorted(bundles)
    assert all(Path(c.origin).parent == folder_of(tmp_path) for c in read(tmp_path))


def test_a_digest_without_a_folder_has_no_evidence(tmp_path: Path) -> None:
    """Git keeps no empty directories."""
    assert read(tmp_path) == []
    assert read(tmp_path / "absent") == []


def test_only_bundle_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.mkdir()
    for name in (
        "b.sigstore.json",
        "a.sigstore.json",
        "README.md",
        "c.json",
        "a.sigstore.json.part",
    ):
        (folder / name).write_text(name)

    assert [c.data for c in read(tmp_path)] == [b"a.sigstore.json", b"b.sigstore.json"]


def test_two_signers_of_the_same_statement_keep_each_their_own_bundle(tmp_path: Path) -> None:
    """Evidence is added, never replaced: the second signature must not take the first away."""
    bundles = [signed_claim(PROVENANCE, by) for by in ("ci", "scanner")]
    stored(tmp_path, bundles)

    assert sorted(c.data for c in read(tmp_path)) == sorted(bundles)


def test_storing_the_same_bundle_again_adds_nothing(tmp_path: Path) -> None:
    bundle = signed_pass("test")
    stored(tmp_path, [bundle, bundle])

    assert [c.data for c in read(tmp_path)] == [bundle]
    assert len(list(folder_of(tmp_path).iterdir())) == 1


def test_at_most_fifty_candidates_are_read_and_more_are_a_limit(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.mkdir()
    for index in range(MAX_CANDIDATES):
        (folder / f"{index:03}.sigstore.json").write_bytes(b"%d" % index)
    assert len(read(tmp_path)) == MAX_CANDIDATES

    (folder / "zzz.sigstore.json").write_bytes(b"one too many")
    found, error = read_until_unavailable(tmp_path)
    assert (len(found), error.code) == (MAX_CANDIDATES, "EVIDENCE_LIMIT")


def test_of_a_large_file_no_more_than_a_bundle_is_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.mkdir()
    (folder / "big.sigstore.json").write_bytes(b" " * (MAX_BYTES * 2))

    assert [len(c.data) for c in read(tmp_path)] == [MAX_BYTES + 1]


def test_a_folder_that_cannot_be_listed_is_not_known_to_be_empty(tmp_path: Path) -> None:
    folder_of(tmp_path).write_text("a file where the folder should be")
    _, error = read_until_unavailable(tmp_path)

    assert error.code == "REGISTRY_UNAVAILABLE"


def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    good = signed_pass("test")
    stored(tmp_path, [good])
    folder = folder_of(tmp_path)
    (folder / "000.sigstore.json").symlink_to(folder / "absent")
    (folder / "001.sigstore.json").mkdir()
    os.mkfifo(folder / "002.sigstore.json")

    found, error = read_until_unavailable(tmp_path)
    assert (found, error.code) == ([good], "REGISTRY_UNAVAILABLE")


def test_a_deadline_that_has_passed_is_no_answer(tmp_path: Path) -> None:
    stored(tmp_path, good_evidence())
    source = DirectorySource(tmp_path)

    with pytest.raises(Unavailable) as caught:
        list(source.batches(IMAGE, DIGEST, frozenset(), Deadline.after(0)))
    assert caught.value.code == "DEADLINE"


def test_where_nothing_can_be_written_the_refusal_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write") as caught:
        stored(tmp_path / "file", [signed_pass("test")])

    assert caught.value.where.startswith(str(tmp_path / "file"))
