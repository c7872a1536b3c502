from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.simulators.git import GitServer

_ENV = {
    "PATH": "/usr/bin:/bin",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
}


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, env=_ENV, check=False
    )


def test_an_unmodified_git_clones_what_was_committed(tmp_path: Path) -> None:
    """And finds nothing wrong with objects that we wrote ourselves."""
    with GitServer(tmp_path / "served") as server:
        repository = server.create("deploy")
        repository.commit("main", {"a/b": b"1", "a.b": b"2", "c": b"3"}, "first")
        commit = repository.commit("main", {"a/b": b"4"}, "second")

        done = _git(
            "clone", "--quiet", "--branch=main", server.url("deploy"), str(tmp_path / "clone")
        )

        assert done.returncode == 0, done.stderr
        assert (tmp_path / "clone" / "a" / "b").read_bytes() == b"4"
        assert _git("-C", str(tmp_path / "clone"), "rev-parse", "HEAD").stdout.strip() == commit
        checked = _git("-C", str(tmp_path / "clone"), "fsck", "--strict")
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(("token", "code"), [("right", 0), ("wrong", 128)])
def test_a_token_is_asked_for(tmp_path: Path, token: str, code: int) -> None:
    with GitServer(tmp_path / "served", token="right") as server:
        server.create("deploy").commit("main", {"a": b"1"})
        url = server.url("deploy").replace("http://", f"http://git:{token}@")

        assert _git("ls-remote", url).returncode == code


@pytest.mark.parametrize("fault", ["down", "truncate", "flip"])
def test_a_fault_is_one_until_it_is_taken_back(tmp_path: Path, fault: str) -> None:
    with GitServer(tmp_path / "served") as server:
        server.create("deploy").commit("main", {"a": b"1"})
        setattr(server.faults, fault, True)
        assert _git("clone", "--bare", server.url("deploy"), str(tmp_path / "a")).returncode == 128
        setattr(server.faults, fault, False)
        assert _git("clone", "--bare", server.url("deploy"), str(tmp_path / "b")).returncode == 0
