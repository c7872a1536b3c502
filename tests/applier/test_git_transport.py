from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import GitCredentials, Mirror, TreeLimits
from tests.applier.world import MAIN, listener, mirror, running
from tests.simulators.git import GitFaults, GitServer
from tests.simulators.git_store import delta_bomb

TOKEN = "glpat-canary-5f1d0c"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "served") as running:
        running.create("deploy").commit("main", {"a": b"1"})
        yield running


@pytest.fixture
def private(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "served", token=TOKEN) as running:
        running.create("deploy").commit("main", {"a": b"1"})
        yield running


def _with_token(server: GitServer, tmp_path: Path, token: str = TOKEN) -> Mirror:
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    credentials = GitCredentials(token_file=file)
    return Mirror(server.url("deploy"), tmp_path / "mirrors", credentials)


def _fails(found: Mirror, timeout: float = 30) -> Failure:
    with pytest.raises(Failure) as raised:
        found.fetch([MAIN], timeout=timeout)
    return raised.value


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (GitFaults(down=True), Reason.GIT_UNAVAILABLE),
        (GitFaults(status=503), Reason.GIT_UNAVAILABLE),
        (GitFaults(status=429), Reason.GIT_UNAVAILABLE),
        (GitFaults(truncate=True), Reason.GIT_UNAVAILABLE),
        (GitFaults(flip=True), Reason.GIT_REFUSED),
        (GitFaults(status=404), Reason.GIT_REFUSED),
        (GitFaults(status=403), Reason.GIT_REFUSED),
    ],
    ids=["down", "503", "429", "truncated", "bad checksum", "404", "403"],
)
def test_what_goes_wrong_is_told_apart(
    server: GitServer, tmp_path: Path, faults: GitFaults, reason: Reason
) -> None:
    found = mirror(server.url("deploy"), tmp_path / "mirrors")
    for name in ("down", "status", "truncate", "flip"):
        setattr(server.faults, name, getattr(faults, name))

    assert _fails(found).reason is reason
    assert not list((tmp_path / "mirrors").rglob("tmp_*"))


@pytest.mark.parametrize("name", ["down", "truncate", "flip"])
def test_the_mirror_serves_its_old_state_and_recovers(
    server: GitServer, tmp_path: Path, name: str
) -> None:
    found = mirror(server.url("deploy"), tmp_path / "mirrors")
    found.fetch([MAIN], timeout=30)
    old = found.head(MAIN)
    repository = server.create("deploy")
    new = repository.commit("main", {"a": b"2"})
    setattr(server.faults, name, True)

    _fails(found)
    assert found.head(MAIN) == old
    setattr(server.faults, name, False)
    found.fetch([MAIN], timeout=30)
    assert found.head(MAIN) == new


def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    with listener() as gone:
        port = gone.port

    assert (
        _fails(mirror(f"http://127.0.0.1:{port}/x.git", tmp_path)).reason is Reason.GIT_UNAVAILABLE
    )


def test_a_hanging_server_is_left_at_the_deadline_with_every_process(
    server: GitServer, tmp_path: Path
) -> None:
    server.faults.hang = True
    started = time.monotonic()

    assert (
        _fails(mirror(server.url("deploy"), tmp_path), timeout=1).reason is Reason.GIT_UNAVAILABLE
    )

    assert time.monotonic() - started < 15
    # All of them were sent SIGKILL; those that nobody waits for die a moment later.
    while running(server.base):
        assert time.monotonic() - started < 20
        time.sleep(0.05)


def test_the_lock_is_waited_for_no_longer_than_the_deadline(
    server: GitServer, tmp_path: Path
) -> None:
    server.faults.hang = True
    first = threading.Thread(target=_fails, args=(mirror(server.url("deploy"), tmp_path), 2))
    first.start()
    while not server.requests:
        time.sleep(0.02)

    failed = _fails(mirror(server.url("deploy"), tmp_path), timeout=0.2)

    assert "another fetch" in failed.message
    first.join()


def test_a_redirect_is_not_followed_and_takes_no_token_along(
    private: GitServer, tmp_path: Path
) -> None:
    """G09, CVE-2022-27776 class: the token is for the host of the URL alone."""
    with listener() as elsewhere:
        private.faults.redirect = f"http://127.0.0.1:{elsewhere.port}"

        failed = _fails(_with_token(private, tmp_path))

        assert failed.reason is Reason.GIT_REFUSED
        assert elsewhere.connections == 0


def test_a_token_file_opens_the_door(private: GitServer, tmp_path: Path) -> None:
    found = _with_token(private, tmp_path)

    found.fetch([MAIN], timeout=30)

    assert found.read(found.tree_of(found.head(MAIN), ".")) == {"a": b"1"}


@pytest.mark.parametrize("token", ["wrong", "", "a\nInjected: header", "x" * (65 << 10)])
def test_a_wrong_token_is_refused_and_never_shown(
    private: GitServer, tmp_path: Path, token: str
) -> None:
    failed = _fails(_with_token(private, tmp_path, token))

    assert failed.reason is Reason.GIT_REFUSED
    assert not token or token not in str(failed)
    assert all("injected" not in request.headers for request in private.requests)


def test_a_missing_token_is_refused(private: GitServer, tmp_path: Path) -> None:
    assert _fails(mirror(private.url("deploy"), tmp_path)).reason is Reason.GIT_REFUSED


def test_the_token_is_in_no_command_line_and_no_file(private: GitServer, tmp_path: Path) -> None:
    """G40: /proc/PID/cmdline is everybody's to read."""
    private.faults.hang = True
    found = _with_token(private, tmp_path)
    thread = threading.Thread(target=_fails, args=(found, 2))
    thread.start()
    while not private.requests:
        time.sleep(0.02)
    basic = private.requests[0].headers["authorization"].removeprefix("Basic ")

    lines = running(private.base)

    assert any("git" in line for line in lines)
    assert not [line for line in lines if TOKEN in line or basic in line]
    thread.join()
    written = [f for f in (tmp_path / "mirrors").rglob("*") if f.is_file()]
    assert not [
        f for f in written if TOKEN.encode() in f.read_bytes() or basic.encode() in f.read_bytes()
    ]


def test_nothing_of_the_caller_s_environment_reaches_git(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy, a trace file, a config with a hook path: all of these are code or a leak."""
    canary = tmp_path / "canary"
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\n\tfsmonitor = touch {canary}\n\tsshCommand = touch {canary}\n")
    with listener() as proxy:
        for name, value in {
            "http_proxy": f"http://127.0.0.1:{proxy.port}",
            "GIT_TRACE": str(canary),
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(tmp_path),
            "GIT_DIR": str(tmp_path),
            "GIT_ASKPASS": "/bin/false",
        }.items():
            monkeypatch.setenv(name, value)

        found = mirror(server.url("deploy"), tmp_path / "mirrors")
        found.fetch([MAIN], timeout=30)

        assert found.read(found.tree_of(found.head(MAIN), ".")) == {"a": b"1"}
        assert proxy.connections == 0
    assert not canary.exists()


def test_a_pack_over_the_limit_is_refused_and_leaves_nothing(
    server: GitServer, tmp_path: Path
) -> None:
    """G11: what a hostile server sends is bounded on our disk."""
    repository = server.create("deploy")
    repository.commit("main", {"noise": os.urandom(3 << 20)})
    found = mirror(server.url("deploy"), tmp_path / "mirrors", limits=TreeLimits(pack=1 << 20))

    failed = _fails(found)

    assert failed.reason is Reason.GIT_REFUSED
    sizes = [f.stat().st_size for f in (tmp_path / "mirrors").rglob("*") if f.is_file()]
    assert sum(sizes) < 1 << 20


def test_a_file_url_is_read_by_flag_alone(server: GitServer, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/served/deploy.git"

    found = mirror(url, tmp_path / "mirrors", allow_file=True)
    found.fetch([MAIN], timeout=30)

    assert found.read(found.tree_of(found.head(MAIN), ".")) == {"a": b"1"}
    assert server.requests == []


@pytest.mark.parametrize(("memory", "fits"), [(384, False), (3072, True)])
def test_a_delta_that_stands_for_far_more_ends_at_the_limit_of_memory(
    server: GitServer, tmp_path: Path, memory: int, fits: bool
) -> None:
    """G11: a pack of a few kilobytes, whose last object takes 512 MiB to rebuild."""
    pack, commit = delta_bomb((64, 8))
    repository = server.create("bomb")
    repository.commit("main", {"a": b"1"})
    (repository.path / "refs" / "heads" / "main").write_text(f"{commit}\n")
    server.faults.pack = pack
    limits = TreeLimits(memory=memory << 20)
    found = mirror(server.url("bomb"), tmp_path / "mirrors", limits=limits)

    if fits:
        found.fetch([MAIN], timeout=120)
        with pytest.raises(Failure, match="zeros: 536870912 bytes; at most"):
            found.read(found.tree_of(commit, "."))
    else:
        assert _fails(found, timeout=120).reason is Reason.GIT_REFUSED
        assert not list((tmp_path / "mirrors").rglob("*.pack"))
    assert len(pack) < 8 << 10
