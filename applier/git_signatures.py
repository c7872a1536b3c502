"""
Who signed a commit: SSH by an allowed-signers list, OpenPGP by a ring of the policy's keys alone.

The signature is taken out of the commit object and verified by ssh-keygen or gpg, whose own trust
stores are never opened. As git does, an SSH key's `valid-before` is held against the commit's own time:
a key that must not sign any more leaves the list.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from applier.failure import Failure, Reason
from applier.git_command import NO_ACCESS, environment
from applier.process import Finished, OutputLimitError, TimedOutError, run

_TIMEOUT = 20.0
_MAX_OUTPUT = 1 << 20
_HEADERS = (b"gpgsig ", b"gpgsig-sha256 ")
_TIME = re.compile(rb"^committer .*> (\d{1,12}) [-+]\d{4}$", re.MULTILINE)
_GOOD_SSH = re.compile(r'Good "git" signature for (.+) with \S+ key (SHA256:\S+)')
# Any of these beside a good one means that the signature is not simply good.
_BAD_GPG = frozenset(
    {"BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NODATA", "FAILURE", "UNEXPECTED"}
)


@dataclass(frozen=True, slots=True)
class CommitSigners:
    """Whose signature counts; both None: nobody's."""

    ssh: bytes | None = None
    """The text of an allowed-signers file (ssh-keygen(1))."""
    gpg: bytes | None = None
    """Armoured public keys."""


def verify(commit: bytes, allowed: CommitSigners) -> str:
    """
    The signer of a raw commit object: `principal SHA256:...` or an OpenPGP fingerprint.

    Raises COMMIT_UNSIGNED where no allowed signer signed exactly these bytes, GIT_UNAVAILABLE where
    the program that verifies does not run.
    """
    payload, signature = split(commit)
    with tempfile.TemporaryDirectory(prefix="sp-sig-") as name:  # short: gpg puts sockets into it
        home = Path(name)
        if signature.startswith(b"-----BEGIN SSH SIGNATURE-----") and allowed.ssh is not None:
            return _ssh(home, payload, signature, allowed.ssh, _committed(payload))
        if signature.startswith(b"-----BEGIN PGP SIGNATURE-----") and allowed.gpg is not None:
            return _gpg(home, payload, signature, allowed.gpg)
    raise _unsigned("no allowed signer for this kind of signature")


def split(commit: bytes) -> tuple[bytes, bytes]:
    """What was signed, and the signature. Raises COMMIT_UNSIGNED unless there is exactly one."""
    head, blank, body = commit.partition(b"\n\n")
    kept: list[bytes] = []
    signature: list[bytes] = []
    inside, count = False, 0
    for line in head.split(b"\n"):
        if name := next((h for h in _HEADERS if line.startswith(h)), None):
            inside, count = True, count + 1
            signature.append(line.removeprefix(name))
        elif inside and line.startswith(b" "):
            signature.append(line[1:])
        else:
            inside = False
            kept.append(line)
    if count != 1:
        raise _unsigned(
            "the commit is not signed" if not count else "the commit has two signatures"
        )
    return b"\n".join(kept) + blank + body, b"\n".join(signature) + b"\n"


def _committed(payload: bytes) -> str:
    """The committer's time as ssh-keygen takes it (UTC)."""
    match = _TIME.search(payload.partition(b"\n\n")[0])
    if match is None:
        raise _unsigned("the commit has no time")
    try:
        return datetime.fromtimestamp(int(match[1]), UTC).strftime("%Y%m%d%H%M%SZ")
    except (OverflowError, ValueError, OSError) as error:
        raise _unsigned("the commit's time is not one") from error


def _ssh(home: Path, payload: bytes, signature: bytes, allowed: bytes, when: str) -> str:
    signers, file = home / "allowed", home / "sig"
    signers.write_bytes(allowed)
    file.write_bytes(signature)
    common = ["-f", str(signers), "-s", str(file), f"-Overify-time={when}"]
    found = _run(home, ["ssh-keygen", "-Y", "find-principals", *common])
    if found.code != 0:
        raise _unsigned("the SSH key that signed the commit is not among the allowed signers")
    for principal in found.stdout.decode("utf-8", "replace").splitlines():
        argv = ["ssh-keygen", "-Y", "verify", *common, "-n", "git", "-I", principal]
        done = _run(home, argv, payload)
        good = _GOOD_SSH.search(done.stdout.decode("utf-8", "replace"))
        if done.code == 0 and good:
            return f"{good[1]} {good[2]}"
    raise _unsigned("the SSH signature does not verify")


def _gpg(home: Path, payload: bytes, signature: bytes, keys: bytes) -> str:
    for name, content in (("keys", keys), ("sig", signature), ("commit", payload)):
        (home / name).write_bytes(content)
    base = ["gpg", "--batch", "--no-tty", "--no-autostart", "--no-options", f"--homedir={home}"]
    imported = _run(home, [*base, "--import", str(home / "keys")])
    if imported.code != 0:
        raise _unsigned("the policy's OpenPGP keys cannot be read")
    flags = [
        "--trust-model=always",
        "--no-auto-key-retrieve",
        "--weak-digest=SHA1",
        "--status-fd=1",
    ]
    done = _run(home, [*base, *flags, "--verify", str(home / "sig"), str(home / "commit")])
    status = [
        line.split()[1:]
        for line in done.stdout.decode("utf-8", "replace").splitlines()
        if line.startswith("[GNUPG:] ") and len(line.split()) > 1
    ]
    words = [fields[0] for fields in status]
    valid = [fields for fields in status if fields[0] == "VALIDSIG"]
    if done.code or _BAD_GPG & set(words) or words.count("GOODSIG") != 1 or len(valid) != 1:
        raise _unsigned("no allowed OpenPGP key signed the commit, or the signature is not good")
    return valid[0][-1]  # the fingerprint of the primary key


def _run(home: Path, argv: Sequence[str], stdin: bytes = b"") -> Finished:
    try:
        return run(
            argv,
            env=environment(home, "none", NO_ACCESS),
            cwd=home,
            timeout=_TIMEOUT,
            max_output=_MAX_OUTPUT,
            stdin=stdin,
        )
    except (TimedOutError, OutputLimitError) as error:
        raise _unsigned(f"{argv[0]}: {error}") from error
    except OSError as error:
        text = f"{argv[0]} does not start: {error.strerror}"
        raise Failure(Reason.GIT_UNAVAILABLE, text) from error


def _unsigned(message: str) -> Failure:
    return Failure(Reason.COMMIT_UNSIGNED, message)
