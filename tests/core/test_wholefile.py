from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stagepass.wholefile import replace


def test_a_link_at_the_target_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "target"
    victim.write_bytes(b"mine")
    target.symlink_to(victim)

    replace(target, b"new")

    assert (victim.read_bytes(), target.read_bytes()) == (b"mine", b"new")
    assert not target.is_symlink()


def test_writers_at_the_same_time_leave_one_whole_file_and_no_rest(tmp_path: Path) -> None:
    target, texts = tmp_path / "target", [bytes([65 + n]) * 100_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: replace(target, text), texts * 4))

    assert target.read_bytes() in texts
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("mode", [None, 0o600])
def test_what_cannot_be_put_in_place_leaves_no_rest(tmp_path: Path, mode: int | None) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()

    with pytest.raises(OSError, match="taken"):
        replace(taken, b"new", mode=mode, durable=True)

    assert list(tmp_path.iterdir()) == [taken]


def test_the_mode_is_the_umasks_unless_one_is_given(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace(tmp_path / "a", b"")
        replace(tmp_path / "b", b"", mode=0o644)
    finally:
        os.umask(before)

    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"]
    assert modes == [0o640, 0o644]
