"""High-water marks: neither an older set nor an older revocation list is put in force again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.policy.watermark import HighWater
from tests.policy.signed import ARTIFACT, revocation_list, revoked, shop

FILE = "high-water.json"


def set_of(sequence: int, revocations: int | None = None) -> PolicySet:
    """A set of this sequence, with a list of that one."""
    if revocations is None:
        return replace(shop(), sequence=sequence)
    return replace(revoked(revocation_list(sequence=revocations)), sequence=sequence)


@pytest.mark.parametrize(
    ("before", "after", "taken"),
    [
        ((1, None), (1, None), True),
        ((1, None), (2, None), True),
        ((2, None), (1, None), False),
        ((1, 1), (1, 1), True),
        ((1, 1), (2, 1), True),
        ((1, 1), (1, 2), True),
        ((1, 2), (1, 1), False),
        ((1, 2), (2, 1), False),
        ((2, 1), (1, 2), False),
        ((1, 1), (2, None), False),
        ((0, 3), (0, None), False),
        ((5, None), (0, None), False),
    ],
)
def test_neither_sequence_ever_falls(
    tmp_path: Path, before: tuple[int, int | None], after: tuple[int, int | None], taken: bool
) -> None:
    """Taking the list out of the set, or the signature off it, is the same as an older one."""
    HighWater(tmp_path).pass_on(set_of(*before))
    later = set_of(*after)
    if taken:
        assert HighWater(tmp_path).pass_on(later) is later
        return
    with pytest.raises(PolicyError, match="is older than"):
        HighWater(tmp_path).pass_on(later)
    HighWater(tmp_path).pass_on(set_of(*before))


def test_a_refused_set_leaves_the_marks_alone(tmp_path: Path) -> None:
    marks = HighWater(tmp_path)
    marks.pass_on(set_of(2, 2))
    written = (tmp_path / FILE).read_bytes()
    with pytest.raises(PolicyError, match=r"sequence 1 of the revocations is older than 2"):
        marks.pass_on(set_of(9, 1))

    assert (tmp_path / FILE).read_bytes() == written
    assert list(tmp_path.iterdir()) == [tmp_path / FILE]


def test_a_revocation_cannot_be_taken_back_with_an_older_list(tmp_path: Path) -> None:
    before, after = revocation_list(sequence=3), revocation_list(ARTIFACT, sequence=4)
    HighWater(tmp_path).pass_on(revoked(after))

    with pytest.raises(PolicyError):
        HighWater(tmp_path).pass_on(revoked(before))


@pytest.mark.parametrize("content", [b"", b"junk", b"[]", b'{"set":1,"set":0}', b" " * 9000])
def test_marks_that_cannot_be_read_let_no_set_in(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)

    with pytest.raises(PolicyError, match="the high-water marks"):
        HighWater(tmp_path).pass_on(set_of(9))


def test_marks_that_cannot_be_written_let_no_set_in(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="the high-water marks"):
        HighWater(tmp_path / "none").pass_on(set_of(9))
    (tmp_path / FILE).mkdir()
    with pytest.raises(PolicyError, match="the high-water marks"):
        HighWater(tmp_path).pass_on(set_of(9))


def test_without_a_directory_the_marks_last_as_long_as_the_process() -> None:
    marks = HighWater(None)
    marks.pass_on(set_of(2))

    with pytest.raises(PolicyError, match="sequence 1 of the set is older than 2"):
        marks.pass_on(set_of(1))

    assert HighWater(None).pass_on(set_of(1)).sequence == 1
