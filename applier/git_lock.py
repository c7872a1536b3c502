"""One writer of a mirror at a time, and what a writer that was killed leaves behind."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult

from applier.failure import Failure, Reason
from applier.git_auth import Access, GitCredentials, access
from applier.git_command import NO_ACCESS, failure, git
from applier.process import Finished, OutputLimitError
from applier.tree import TreeLimits

_POLL = 0.05
_MAX_ANSWER = 4 << 20


@dataclass(frozen=True, slots=True)
class Session:
    """The right to write, until `deadline` (seconds on the `time.monotonic()` clock)."""

    parts: SplitResult
    access: Access
    lock: int
    deadline: float

    def ask(
        self, *arguments: str, git_dir: Path | None = None, limits: TreeLimits | None = None
    ) -> Finished:
        """A call that asks the server. Raises GIT_UNAVAILABLE or GIT_REFUSED."""
        return self.check(self._run(arguments, git_dir, self.access, self.parts.scheme, limits))

    def local(self, *arguments: str, git_dir: Path | None = None) -> Finished:
        """A call that only writes the mirror: it has neither a transport nor credentials."""
        return self._run(arguments, git_dir, NO_ACCESS, "none", None)

    def check(self, done: Finished) -> Finished:
        """`done` itself if it went well."""
        if done.code != 0:
            raise failure(done, self.parts.geturl(), self.access.secrets)
        return done

    def clean(self, path: Path) -> None:
        """Remove what a killed git leaves: unfinished packs, and locks that nobody holds now."""
        for pattern in (
            "*.lock",
            "refs/stagepass/*.lock",
            "objects/pack/tmp_*",
            "objects/??/tmp_*",
        ):
            for left in path.glob(pattern):
                with suppress(OSError):
                    left.unlink()

    def _run(
        self,
        arguments: tuple[str, ...],
        git_dir: Path | None,
        given: Access,
        scheme: str,
        limits: TreeLimits | None,
    ) -> Finished:
        try:
            return git(
                arguments,
                git_dir=git_dir,
                timeout=max(0.01, self.deadline - time.monotonic()),
                max_output=_MAX_ANSWER,
                scheme=scheme,
                access=given,
                pass_fds=(self.lock,),  # a git that outlives us keeps the lock until it ends
                max_file=limits.pack if limits else None,
                max_memory=limits.memory if limits else None,
                max_cpu=limits.cpu if limits else None,
            )
        except OutputLimitError as error:
            raise Failure(Reason.GIT_REFUSED, f"git {arguments[0]}: {error}") from error


@contextmanager
def session(
    path: Path, parts: SplitResult, credentials: GitCredentials, deadline: float
) -> Iterator[Session]:
    """Wait for the lock beside the mirror at `path`. Raises GIT_UNAVAILABLE at the deadline."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(lock, deadline)
        with _home(path) as home, access(parts, credentials, home) as given:
            yield Session(parts, given, lock, deadline)
    finally:
        os.close(lock)


def _acquire(lock: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                text = "another fetch of the same URL still runs"
                raise Failure(Reason.GIT_UNAVAILABLE, text) from None
            time.sleep(_POLL)
        else:
            return


@contextmanager
def _home(path: Path) -> Iterator[Path]:
    """
    A private directory for a key, in memory where there is a RAM disk.

    Its name is the mirror's, so that what a killed process left is gone with the next fetch.
    """
    shm = Path("/dev/shm")  # noqa: S108  # a private directory is made in it
    parent = shm if os.access(shm, os.W_OK) else Path(tempfile.gettempdir())
    home = parent / f"stagepass-key-{hashlib.sha256(bytes(path)).hexdigest()[:32]}"
    shutil.rmtree(home, ignore_errors=True)
    try:
        home.mkdir(mode=0o700)
    except OSError as error:  # somebody else's: never written into
        raise Failure(Reason.GIT_UNAVAILABLE, f"{home}: {error.strerror}") from error
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
