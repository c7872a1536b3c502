from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from applier.failure import Failure, Reason
from applier.git import GitCredentials, Mirror
from applier.git_auth import access, scrub, ssh_options
from tests.applier.world import MAIN, listener, mirror


def _fails(found: Mirror) -> Failure:
    with pytest.raises(Failure) as raised:
        found.fetch([MAIN], timeout=30)
    return raised.value


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x.git",
        "http://127.0.0.1.example.org/x.git",
        "git://127.0.0.1/x.git",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "file:///etc",
        "/etc",
        "../x",
        "--upload-pack=touch",
        "git@github.com:x/y.git",
        "https://user:p4ssw0rd@example.org/x.git",
        "https://t0ken@example.org/x.git",
        "ssh://git:p4ssw0rd@example.org/x.git",
        "ssh://-oProxyCommand=touch/x",
        "ssh://-oProxyCommand=touch@example.org/x",
        "ssh://example.org/-x",
        "https://example.org/x.git?a=b",
        "https://example.org/x.git#a",
        "https://example.org/x\n.git",
        "https://example.org:99999/x.git",
        "https:///x.git",
        "https://[::1/x.git",
        "https://exämple.org/x.git",
        f"https://example.org/{'x' * 3000}",
    ],
)
def test_a_url_that_is_not_plain_is_refused(url: str, tmp_path: Path) -> None:
    """G08, G09; the message does not show what may be a password."""
    with pytest.raises(Failure) as raised:
        mirror(url, tmp_path)
    assert raised.value.reason is Reason.GIT_REFUSED
    assert "p4ssw0rd" not in str(raised.value)
    assert "t0ken" not in str(raised.value)


def test_ssh_needs_known_hosts(tmp_path: Path) -> None:
    """CVE-2025-23390: an unknown host is never trusted on first use."""
    failed = _fails(mirror("ssh://git@127.0.0.1:1/x.git", tmp_path))

    assert failed.reason is Reason.GIT_REFUSED
    assert "known_hosts" in failed.message


def test_ssh_that_is_not_answered_is_unavailable(tmp_path: Path) -> None:
    """The real ssh starts, with our options, and reaches the port of the URL."""
    known, key = tmp_path / "known hosts", tmp_path / "key"
    known.write_text("")
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(argv, check=True)
    key.chmod(0o440)
    with listener() as host:
        url = f"ssh://git@127.0.0.1:{host.port}/x.git"
        found = Mirror(url, tmp_path, GitCredentials(ssh_key=key, known_hosts=known))

        assert _fails(found).reason is Reason.GIT_UNAVAILABLE
        assert host.connections == 1
    copies = Path("/dev/shm").glob("stagepass-key-*/key")  # noqa: S108  # where it was
    assert not [c for c in copies if c.read_bytes() == key.read_bytes()]


def test_ssh_takes_our_options_as_they_are_meant(tmp_path: Path) -> None:
    """`ssh -G` prints what it would do, after all of its own configuration."""
    known = tmp_path / "known 100%d hosts"
    known.write_text("")
    options = ssh_options(GitCredentials(known_hosts=known), tmp_path / "a key")

    argv = ["ssh", "-G", *options, "example.org"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)

    lines = {line.partition(" ")[0]: line.partition(" ")[2] for line in done.stdout.splitlines()}
    assert lines["stricthostkeychecking"] in ("yes", "true")
    assert lines["userknownhostsfile"].replace("%%", "%") == str(known)
    assert lines["identityfile"] == str(tmp_path / "a key")
    assert lines["batchmode"] == "yes"
    assert lines["forwardagent"] == "no"
    assert "proxycommand" not in lines


def test_messages_hold_no_userinfo_and_no_secret() -> None:
    text = "fatal: https://user:pw@example.org/x: s3cret\nnext\x1b[31m"

    assert scrub(text, ("s3cret",)) == "fatal: https://example.org/x: *** next [31m"


def test_a_mounted_key_is_copied_for_ssh_alone(tmp_path: Path) -> None:
    """A Secret's file is 0440, which ssh refuses as too open."""
    known, key = tmp_path / "known", tmp_path / "key.pem"
    known.write_text("")
    key.write_bytes(b"key")
    key.chmod(0o440)
    home = tmp_path / "home"
    home.mkdir()
    credentials = GitCredentials(ssh_key=key, known_hosts=known)

    with access(urlsplit("ssh://git@example.org/x.git"), credentials, home) as given:
        assert (home / "key").stat().st_mode & 0o777 == 0o600
        assert str(home / "key") in given.env["GIT_SSH_COMMAND"]
        assert given.config == ()
