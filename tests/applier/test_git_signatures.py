from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import CommitSigners
from applier.git_signatures import split, verify
from tests.applier.world import MAIN, mirror
from tests.simulators.git import GitServer
from tests.simulators.git_store import Repository

Sign = Callable[[bytes], bytes]


class SshKey:
    def __init__(self, directory: Path, name: str) -> None:
        self.file = directory / name
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.file)]
        subprocess.run(argv, check=True)
        self.public = self.file.with_suffix(".pub").read_text().strip()

    def sign(self, payload: bytes, namespace: str = "git") -> bytes:
        argv = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(self.file)]
        return subprocess.run(argv, input=payload, capture_output=True, check=True).stdout

    def allowed(self, options: str = "") -> bytes:
        return f"dev@example.org {options} {self.public}\n".encode()


class GpgKey:
    def __init__(self, home: Path, name: str) -> None:
        self._base = ["gpg", "--batch", "--quiet", f"--homedir={home}", "--pinentry-mode=loopback"]
        self._name = name
        self._run("--passphrase=", "--quick-generate-key", name, "ed25519", "sign", "never")
        self.public = self._run("--armor", "--export", name)
        listing = self._run("--with-colons", "--list-keys", name).decode()
        self.fingerprint = next(
            line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr")
        )

    def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        argv = [*self._base, *arguments]
        return subprocess.run(argv, input=stdin, capture_output=True, check=True).stdout

    def sign(self, payload: bytes) -> bytes:
        return self._run(
            "--passphrase=", "-u", self._name, "--armor", "--detach-sign", stdin=payload
        )


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> tuple[SshKey, SshKey]:
    directory = tmp_path_factory.mktemp("ssh")
    return SshKey(directory, "dev"), SshKey(directory, "stranger")


@pytest.fixture(scope="module")
def gpg() -> Iterator[tuple[GpgKey, GpgKey]]:
    with tempfile.TemporaryDirectory(prefix="sp-gpg-") as home:  # short: its sockets go here
        yield GpgKey(Path(home), "dev@example.org"), GpgKey(Path(home), "stranger@example.org")
        argv = ["gpgconf", f"--homedir={home}", "--kill", "all"]
        subprocess.run(argv, check=True)


def _commit(sign: Sign | None, tmp_path: Path) -> bytes:
    repository = Repository.create(tmp_path / "r.git")
    tree = repository.files({"a": b"1"})
    oid = repository.commit_tree(tree, [], "subject\n\ngpgsig in the text\n", sign)
    argv = ["git", f"--git-dir={repository.path}", "cat-file", "commit", oid]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def _unsigned(commit: bytes, allowed: CommitSigners) -> None:
    with pytest.raises(Failure) as raised:
        verify(commit, allowed)
    assert raised.value.reason is Reason.COMMIT_UNSIGNED


def test_an_allowed_ssh_signature_names_its_principal(
    ssh: tuple[SshKey, SshKey], tmp_path: Path
) -> None:
    dev, _ = ssh

    signer = verify(_commit(dev.sign, tmp_path), CommitSigners(ssh=dev.allowed()))

    assert signer.startswith("dev@example.org SHA256:")


def test_an_allowed_pgp_signature_names_its_key(gpg: tuple[GpgKey, GpgKey], tmp_path: Path) -> None:
    dev, stranger = gpg

    keys = CommitSigners(gpg=stranger.public + dev.public)

    assert verify(_commit(dev.sign, tmp_path), keys) == dev.fingerprint


def test_the_mirror_says_who_signed(ssh: tuple[SshKey, SshKey], tmp_path: Path) -> None:
    dev, _ = ssh
    with GitServer(tmp_path / "served") as server:
        repository = server.create("deploy")
        unsigned = repository.commit("main", {"a": b"1"})
        signed = repository.commit("main", {"a": b"2"}, sign=dev.sign)
        found = mirror(server.url("deploy"), tmp_path / "mirrors")
        found.fetch([MAIN], timeout=30)

    allowed = CommitSigners(ssh=dev.allowed('namespaces="git"'))
    assert found.signer(signed, allowed).startswith("dev@example.org")
    with pytest.raises(Failure, match="not signed"):
        found.signer(unsigned, allowed)


def test_git_agrees_with_us(ssh: tuple[SshKey, SshKey], tmp_path: Path) -> None:
    """A commit that git itself signs is one that we accept: the payload is cut the same way."""
    dev, _ = ssh
    repository = Repository.create(tmp_path / "r.git")
    tree = repository.files({"a": b"1"})
    git = ["git", f"--git-dir={repository.path}"]
    config = {
        "gpg.format": "ssh",
        "user.signingKey": f"{dev.file}",
        "user.name": "D",
        "user.email": "d@e",
    }
    options = [word for key, value in config.items() for word in ("-c", f"{key}={value}")]
    argv = [*git, *options, "commit-tree", "-S", "-m", "subject", "-m", "body", tree]
    oid = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.strip()
    commit = subprocess.run(
        [*git, "cat-file", "commit", oid], capture_output=True, check=True
    ).stdout

    assert verify(commit, CommitSigners(ssh=dev.allowed())).startswith("dev@example.org")


def test_a_changed_commit_does_not_verify(
    ssh: tuple[SshKey, SshKey], gpg: tuple[GpgKey, GpgKey], tmp_path: Path
) -> None:
    for sign in (ssh[0].sign, gpg[0].sign):
        commit = _commit(sign, tmp_path / sign.__qualname__)
        allowed = CommitSigners(ssh=ssh[0].allowed(), gpg=gpg[0].public)
        verify(commit, allowed)

        _unsigned(commit.replace(b"subject", b"subjecT"), allowed)
        _unsigned(commit.replace(b"author Dev", b"author Eve"), allowed)


def test_a_stranger_s_signature_does_not_count(
    ssh: tuple[SshKey, SshKey], gpg: tuple[GpgKey, GpgKey], tmp_path: Path
) -> None:
    allowed = CommitSigners(ssh=ssh[0].allowed(), gpg=gpg[0].public)

    _unsigned(_commit(ssh[1].sign, tmp_path / "a"), allowed)
    _unsigned(_commit(gpg[1].sign, tmp_path / "b"), allowed)
    _unsigned(_commit(None, tmp_path / "c"), allowed)


def test_a_kind_that_the_policy_does_not_name_does_not_count(
    ssh: tuple[SshKey, SshKey], gpg: tuple[GpgKey, GpgKey], tmp_path: Path
) -> None:
    _unsigned(_commit(ssh[0].sign, tmp_path / "a"), CommitSigners(gpg=gpg[0].public))
    _unsigned(_commit(gpg[0].sign, tmp_path / "b"), CommitSigners(ssh=ssh[0].allowed()))
    _unsigned(_commit(ssh[0].sign, tmp_path / "c"), CommitSigners())


def test_a_signature_for_another_purpose_does_not_count(
    ssh: tuple[SshKey, SshKey], tmp_path: Path
) -> None:
    """The namespace keeps a signature over a file from being one over a commit."""
    dev, _ = ssh

    commit = _commit(lambda payload: dev.sign(payload, "file"), tmp_path)

    _unsigned(commit, CommitSigners(ssh=dev.allowed()))
    commit = _commit(dev.sign, tmp_path / "b")
    _unsigned(commit, CommitSigners(ssh=dev.allowed('namespaces="file"')))


def test_a_key_is_good_within_its_time_alone(ssh: tuple[SshKey, SshKey], tmp_path: Path) -> None:
    dev, _ = ssh
    commit = _commit(dev.sign, tmp_path)  # of September 2026

    verify(commit, CommitSigners(ssh=dev.allowed('valid-before="20270101"')))
    _unsigned(commit, CommitSigners(ssh=dev.allowed('valid-before="20260101"')))
    _unsigned(commit, CommitSigners(ssh=dev.allowed('valid-after="20270101"')))


def test_two_signatures_are_none(ssh: tuple[SshKey, SshKey], tmp_path: Path) -> None:
    """Whichever git would look at, the other one could have signed something else."""
    dev, stranger = ssh
    commit = _commit(dev.sign, tmp_path)
    payload, _ = split(commit)
    other = b"gpgsig " + stranger.sign(payload).strip().replace(b"\n", b"\n ") + b"\n"
    head, _, rest = commit.partition(b"\n")

    _unsigned(head + b"\n" + other + rest, CommitSigners(ssh=dev.allowed()))
    sha256 = other.replace(b"gpgsig ", b"gpgsig-sha256 ", 1)
    _unsigned(head + b"\n" + sha256 + rest, CommitSigners(ssh=dev.allowed()))


@pytest.mark.parametrize(
    "junk", [b"", b"\n\n", b"tree x\n\ngpgsig -----BEGIN SSH SIGNATURE-----\n"]
)
def test_junk_is_not_signed(junk: bytes, ssh: tuple[SshKey, SshKey]) -> None:
    _unsigned(junk, CommitSigners(ssh=ssh[0].allowed()))
