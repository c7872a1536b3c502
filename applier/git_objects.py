"""The objects of a mirror, read by plumbing alone: no worktree, no index, no filter, no transport."""

from __future__ import annotations

import hashlib
import re
import signal
from pathlib import Path

from applier.failure import Failure, Reason
from applier.git_auth import scrub
from applier.git_command import git
from applier.process import Finished, OutputLimitError
from applier.tree import Blob, TreeLimits, blobs, check_content, refused

OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TIMEOUT = 60.0
_SMALL = 4 << 20
_LIMITS = TreeLimits()
_TOO_MUCH = re.compile(rb"out of memory|died of signal", re.I)


class Objects:
    """
    What `git_dir` holds. Raises GIT_UNAVAILABLE where the mirror is damaged: it is fetched again.

    TREE_REFUSED where an object takes more memory or time than a fetch may.
    """

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir

    def git(
        self,
        *arguments: str,
        stdin: bytes = b"",
        max_output: int = _SMALL,
        codes: tuple[int, ...] = (0,),
    ) -> Finished:
        """A call that ends with one of `codes`. Raises `OutputLimitError` past `max_output` bytes."""
        done = git(
            arguments,
            git_dir=self._git_dir,
            timeout=_TIMEOUT,
            max_output=max_output,
            stdin=stdin,
            max_memory=_LIMITS.memory,
            max_cpu=_LIMITS.cpu,
        )
        if done.code not in codes:
            said = scrub(done.stderr.decode("utf-8", "replace"), ())[-300:]
            if done.code == -signal.SIGXCPU or _TOO_MUCH.search(done.stderr):
                raise refused(f"git {arguments[0]}: it takes more time or memory than allowed")
            raise Failure(Reason.GIT_UNAVAILABLE, f"git {arguments[0]} on the mirror: {said}")
        return done

    def refs(self) -> dict[str, str]:
        """Local name → object id."""
        done = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/stagepass/")
        pairs = (line.partition(" ") for line in done.stdout.decode().splitlines())
        return {name: oid for name, _, oid in pairs}

    def ask(self, spec: str) -> tuple[str, str] | None:
        """Object id and type of `spec`, None where there is none."""
        return self.ask_all([spec])[0]

    def ask_all(self, specs: list[str]) -> list[tuple[str, str] | None]:
        """The same for many, in one process. No spec may hold a line feed."""
        if not specs:
            return []
        text = "".join(f"{spec}\n" for spec in specs).encode()
        done = self.git("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=text)
        answers: list[tuple[str, str] | None] = []
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            oid, _, kind = line.rpartition(" ")
            answers.append((oid, kind) if OID.fullmatch(oid) and kind != "missing" else None)
        if len(answers) != len(specs):
            raise Failure(Reason.GIT_UNAVAILABLE, "the mirror does not answer as one")
        return answers

    def read(self, tree: str, limits: TreeLimits) -> dict[str, bytes]:
        """Every file below `tree` by its path. Raises TREE_REFUSED before anything is too much."""
        words = ("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", tree)
        try:
            done = self.git(*words, max_output=limits.listing)
        except OutputLimitError as error:
            raise refused(f"over {limits.files} files, or too long names") from error
        return self._contents(blobs(done.stdout, limits))

    def _contents(self, files: list[Blob]) -> dict[str, bytes]:
        """
        Path → bytes, in one process; the sizes of the listing bound its output.

        Raises TREE_REFUSED for a pointer into large file storage.
        """
        if not files:
            return {}
        asked = "".join(f"{blob.oid}\n" for blob in files).encode()
        room = sum(blob.size for blob in files) + 200 * len(files)
        stream = self.git("cat-file", "--batch", stdin=asked, max_output=room).stdout
        found: dict[str, bytes] = {}
        at = 0
        for blob in files:
            start = stream.find(b"\n", at) + 1
            content = stream[start : start + blob.size]
            if stream[at:start] != f"{blob.oid} blob {blob.size}\n".encode():
                raise Failure(Reason.GIT_UNAVAILABLE, f"{blob.path}: missing in the mirror")
            if _blob_id(content, blob.oid) != blob.oid:  # git checks at the fetch, not at the read
                raise Failure(Reason.GIT_UNAVAILABLE, f"{blob.path}: damaged in the mirror")
            check_content(blob.path, content)
            found[blob.path] = content
            at = start + blob.size + 1
        return found


def _blob_id(content: bytes, like: str) -> str:
    algorithm = "sha256" if len(like) == 64 else "sha1"
    start = b"blob %d\0" % len(content)
    return hashlib.new(algorithm, start + content, usedforsecurity=False).hexdigest()
