"""Git over ssh against OpenSSH's own server: who it is must be known, and who we are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import GitCredentials, Mirror
from tests.applier.sshd import SshServer, make_key
from tests.applier.world import MAIN

_LOGGED_IN = "Accepted publickey"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    directory = tmp_path / "served"
    directory.mkdir()
    with SshServer(directory) as running:
        running.create("deploy").commit("main", {"a": b"1"})
        yield running


def _mirror(server: SshServer, tmp_path: Path, key: Path | None, known: Path | None) -> Mirror:
    credentials = GitCredentials(ssh_key=key, known_hosts=known)
    return Mirror(server.url("deploy"), tmp_path / "mirrors", credentials)


def _content(found: Mirror) -> dict[str, bytes]:
    found.fetch([MAIN], timeout=60)
    return found.read(found.tree_of(found.head(MAIN), "."))


def _refused(found: Mirror) -> str:
    with pytest.raises(Failure) as raised:
        found.fetch([MAIN], timeout=60)
    assert raised.value.reason is Reason.GIT_REFUSED, raised.value
    return raised.value.message


def test_a_known_host_and_our_key_open_the_door(server: SshServer, tmp_path: Path) -> None:
    found = _mirror(server, tmp_path, server.key, server.known_hosts())

    assert _content(found) == {"a": b"1"}

    server.create("deploy").commit("main", {"a": b"2"})
    assert _content(found) == {"a": b"2"}
    assert _LOGGED_IN in server.log()


def test_an_unknown_host_is_not_trusted_on_first_use(server: SshServer, tmp_path: Path) -> None:
    """CVE-2025-23390: nor on the second, and nothing is learned."""
    known = tmp_path / "known_hosts"
    known.write_text("example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n")
    before = known.read_bytes()
    found = _mirror(server, tmp_path, server.key, known)

    for _ in range(2):
        assert "the host key is in no known_hosts" in _refused(found)

    assert known.read_bytes() == before
    assert _LOGGED_IN not in server.log()


def test_a_changed_host_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    """A machine in the middle, or a host that was set up anew: a person must say which."""
    known = server.known_hosts(make_key(tmp_path / "other"))

    said = _refused(_mirror(server, tmp_path, server.key, known))

    assert "the host key is not the one in known_hosts" in said
    assert _LOGGED_IN not in server.log()


def test_a_wrong_user_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")

    said = _refused(_mirror(server, tmp_path, stranger, server.known_hosts()))

    assert "Permission denied" in said
    assert str(stranger) not in said


def test_without_a_key_nobody_else_s_is_used(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither that of the home directory, nor an agent's."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    shutil.copy(server.key, home / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(home))

    assert "Permission denied" in _refused(_mirror(server, tmp_path, None, server.known_hosts()))


def test_a_key_that_is_none_is_refused(server: SshServer, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-4f\n")

    said = _refused(_mirror(server, tmp_path, broken, server.known_hosts()))

    assert "Permission denied" in said
    assert "canary-4f" not in said


def test_keys_and_hosts_are_read_at_each_fetch(server: SshServer, tmp_path: Path) -> None:
    """A rotation needs no restart, and what was fetched before it stays."""
    key, known = tmp_path / "key", tmp_path / "known_hosts"
    shutil.copy(server.key, key)
    shutil.copy(server.known_hosts(), known)
    found = _mirror(server, tmp_path, key, known)
    head = _content(found)
    known.write_text("")
    _refused(found)
    assert found.read(found.tree_of(found.head(MAIN), ".")) == head

    next_key = make_key(tmp_path / "next")
    shutil.copy(tmp_path / "next.pub", server.directory / "authorized_keys")
    shutil.copy(server.known_hosts(), known)
    assert "Permission denied" in _refused(found)
    key.write_bytes(next_key.read_bytes())

    assert _content(found) == {"a": b"1"}


def test_a_missing_repository_is_refused(server: SshServer, tmp_path: Path) -> None:
    credentials = GitCredentials(server.key, server.known_hosts())
    found = Mirror(server.url("none"), tmp_path / "mirrors", credentials)

    assert "does not appear to be a git repository" in _refused(found)
