from __future__ import annotations

import os
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.files import replace
from certs.issue import issue
from certs.names import Names

ROOT = Path(__file__).parents[2]
NAMES = Names.of_service("gate", "stagepass-system")
NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_keys_are_readable_by_their_owner_alone(tmp_path: Path, umask: int) -> None:
    directory = tmp_path / "dev"
    before = os.umask(umask)
    try:
        issue(directory, NAMES, days=90, replace=False, now=NOW)
    finally:
        os.umask(before)

    assert mode(directory) == 0o700
    assert {path.name: mode(path) for path in directory.iterdir()} == {
        "ca.crt": 0o644,
        "ca.key": 0o600,
        "tls.crt": 0o644,
        "tls.key": 0o600,
    }
    for name in ("ca.key", "tls.key"):
        assert (directory / name).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")


def test_a_key_is_never_readable_by_others_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the mode is set for good the bytes are there, under another name, for nobody else."""
    path, seen = tmp_path / "tls.key", []
    change_mode = os.fchmod

    def watch(descriptor: int, wanted: int) -> None:
        now = os.fstat(descriptor)
        seen.append((stat.S_IMODE(now.st_mode), now.st_size, path.exists()))
        change_mode(descriptor, wanted)

    monkeypatch.setattr(os, "fchmod", watch)
    before = os.umask(0)
    try:
        replace(path, b"secret", mode=0o600)
    finally:
        os.umask(before)

    assert seen == [(0o600, 6, False)]
    assert [file.name for file in tmp_path.iterdir()] == ["tls.key"]


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()

    with pytest.raises(OSError, match="taken"):
        replace(path, b"", mode=0o600)

    assert list(tmp_path.iterdir()) == [path]


def test_git_lets_nothing_but_sources_through() -> None:
    """Whatever is written below certs/, `git add .` does not see it."""
    made = ["certs/dev/tls.key", "certs/dev/ca.crt", "certs/tls.crt", "certs/.tls.key.a.tmp"]
    sources = ["certs/issue.py", "certs/README.md", "certs/.gitignore"]
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *made, *sources],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode == 128:
        pytest.skip("not a git checkout")

    assert done.stdout.split() == made
