"""
A bare mirror of one Git URL: fetched, never checked out, read object by object.

Refs are kept under `refs/stagepass/` by the hash of their name, so that no name becomes a path here and
a branch `a` never stands in the way of a branch `a/b`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from applier.failure import Failure, Reason
from applier.git_auth import GitCredentials, check_url, scrub
from applier.git_lock import Session, session
from applier.git_objects import OID, Objects
from applier.git_refusals import Refusals
from applier.git_signatures import CommitSigners, verify
from applier.process import OutputLimitError
from applier.tree import TreeLimits, check_path, refused

__all__ = ["CommitSigners", "GitCredentials", "Mirror", "Ref", "Revision", "TreeLimits"]

_MAX_COMMIT = 1 << 20
_MAX_SUBJECT = 200
_MAX_PACKS = 50
_NAME = re.compile(r"refs/(heads|tags)(?:/[A-Za-z0-9_][A-Za-z0-9._+@#=-]*)+")
_KINDS = {"branch": "heads", "tag": "tags"}


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or a tag by its full name. Raises GIT_REFUSED for a name outside a plain alphabet."""

    kind: Literal["branch", "tag"]
    name: str

    def __post_init__(self) -> None:
        match = _NAME.fullmatch(self.name)
        bad = ".." in self.name or "@{" in self.name or len(self.name) > 250
        if match is None or bad or self.name.endswith((".lock", ".")) or ".lock/" in self.name:
            raise Failure(Reason.GIT_REFUSED, f"{self.name[:100]!r} is not a full name of a ref")
        if _KINDS.get(self.kind) != match[1]:
            raise Failure(Reason.GIT_REFUSED, f"{self.name} is not a {self.kind}")

    @property
    def local(self) -> str:
        """Its name in a mirror."""
        return f"refs/stagepass/{hashlib.sha256(self.name.encode()).hexdigest()[:40]}"


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit that changed what stands below the root."""

    commit: str
    tree: str
    """The id of the root's own tree."""
    time: datetime
    """The committer's, in UTC."""
    subject: str


class Mirror:
    """
    The mirror of `url` below `directory`, shared by everybody who names the same URL.

    Writing holds a lock file against threads and processes alike; reading needs none, as objects
    never change.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        credentials: GitCredentials,
        *,
        allow_file: bool = False,
        limits: TreeLimits = TreeLimits(),  # noqa: B008  # frozen
    ) -> None:
        self._parts = check_url(url, allow_file=allow_file)
        self._url, self._credentials, self._limits = url, credentials, limits
        name = hashlib.sha256(url.encode()).hexdigest()[:40]
        self._path = directory.absolute() / f"{name}.git"
        self._objects, self._refusals = Objects(self._path), Refusals()

    def fetch(self, refs: Collection[Ref], *, timeout: float) -> None:
        """
        Bring `refs` up to date, all or none, within `timeout` seconds; one request when nothing moved.

        A ref that the server no longer has is gone here as well. Raises GIT_UNAVAILABLE, GIT_REFUSED.
        """
        deadline = time.monotonic() + timeout
        with session(self._path, self._parts, self._credentials, deadline) as running:
            there = self._list(running, refs)
            if not there and not self._path.exists():
                return  # which object format it will have shows with its first commit
            self._create(running, there)
            here = self._objects.refs()
            moved = [r for r in refs if there.get(r.name, here.get(r.local)) != here.get(r.local)]
            if moved:  # all of them: from one look of the server at its refs, or two may not agree
                with self._refusals.guard(frozenset(there.values())):
                    self._fetch(running, [ref for ref in refs if ref.name in there])
            for ref in refs:
                if ref.name not in there and ref.local in here:
                    self._objects.git("update-ref", "--no-deref", "-d", ref.local)
            self._tidy(running)

    def head(self, ref: Ref) -> str:
        """The commit that `ref` names, through an annotated tag. Raises REF_MISSING."""
        found = self._path.exists() and self._objects.ask(f"{ref.local}^{{commit}}")
        if not found:
            raise Failure(Reason.REF_MISSING, f"{self._url}: there is no commit at {ref.name}")
        return found[0]

    def history(
        self, head: str, root: str, *, since: str | None, limit: int = 50
    ) -> list[Revision]:
        """
        Where the tree of `root` changed, by first parents, newest first, down to `since` exclusive.

        Commits without `root` are left out. Raises PATH_MISSING where `head` itself has none.
        """
        known = _known(head)
        arguments = ["log", "--first-parent", "-z", "--no-notes", "--no-mailmap", "--no-color"]
        arguments += ["--encoding=UTF-8", "--format=%H %ct %s", f"--max-count={limit}"]
        if since is not None:  # which the mirror may have lost: then it bounds nothing
            arguments += ["--ignore-missing", f"^{_known(since)}"]
        where = _spec(known, root)
        try:
            done = self._objects.git(*arguments, known, "--", *([] if root == "." else [root]))
        except OutputLimitError as error:
            raise refused(f"the subjects of commits: {error}") from error
        records = [r.split(b" ", 2) for r in done.stdout.split(b"\0") if r]
        specs = [where, *(_spec(commit.decode(), root) for commit, _, _ in records)]
        here, *trees = self._objects.ask_all(specs)
        if here is None or here[1] != "tree":
            raise Failure(Reason.PATH_MISSING, f"{head} has no directory {root!r}")
        found: list[Revision] = []
        for (commit, when, subject), answer in zip(records, trees, strict=True):
            if answer is not None and answer[1] == "tree":
                at = datetime.fromtimestamp(int(when), UTC)
                found.append(Revision(commit.decode(), answer[0], at, _subject(subject)))
        return found

    def descends(self, new: str, old: str) -> bool:
        """Is `old` an ancestor of `new`, or the same? One that the mirror does not know is none."""
        if not self._objects.ask(f"{_known(old)}^{{commit}}"):
            return False
        done = self._objects.git("merge-base", "--is-ancestor", old, _known(new), codes=(0, 1))
        return done.code == 0

    def tree_of(self, commit: str, root: str) -> str:
        """The id of the tree at `root`, `.` for all of it. Raises PATH_MISSING."""
        answer = self._objects.ask(_spec(_known(commit), root))
        if answer is None or answer[1] != "tree":
            raise Failure(Reason.PATH_MISSING, f"{commit} has no directory {root!r}")
        return answer[0]

    def trees_of(self, commit: str, roots: Collection[str]) -> dict[str, str]:
        """By root, the ids of those that `commit` has as directories, in one call to git."""
        answers = self._objects.ask_all([_spec(_known(commit), root) for root in roots])
        pairs = zip(roots, answers, strict=True)
        return {root: found[0] for root, found in pairs if found and found[1] == "tree"}

    def read(self, tree: str) -> dict[str, bytes]:
        """Every file below `tree` by its relative path. Raises TREE_REFUSED, with path and limit."""
        return self._objects.read(_known(tree), self._limits)

    def signer(self, commit: str, allowed: CommitSigners) -> str:
        """Which allowed signer signed `commit`. Raises COMMIT_UNSIGNED."""
        return verify(self.raw(commit), allowed)

    def raw(self, commit: str) -> bytes:
        """A commit object as it is written. Raises COMMIT_UNSIGNED for one of over 1 MiB."""
        try:
            done = self._objects.git("cat-file", "commit", _known(commit), max_output=_MAX_COMMIT)
        except OutputLimitError as error:
            raise Failure(Reason.COMMIT_UNSIGNED, f"{commit}: {error}") from error
        return done.stdout

    def _list(self, running: Session, refs: Collection[Ref]) -> dict[str, str]:
        """What the server says: full name → object id."""
        names = {ref.name for ref in refs}
        done = running.ask("ls-remote", "--quiet", "--refs", "--", self._url, *sorted(names))
        lines = [line.split("\t") for line in done.stdout.decode("utf-8", "replace").splitlines()]
        found = {fields[1]: fields[0] for fields in lines if len(fields) == 2}
        if not all(OID.fullmatch(oid) for oid in found.values()):
            raise Failure(Reason.GIT_UNAVAILABLE, f"{self._url}: the list of refs cannot be read")
        return {name: oid for name, oid in found.items() if name in names}

    def _create(self, running: Session, there: Mapping[str, str]) -> None:
        """Made aside and renamed: a crash in between leaves nothing that looks like a mirror."""
        if self._path.exists():
            if (self._path / "objects" / "info" / "alternates").exists():
                raise Failure(Reason.GIT_REFUSED, "the mirror has alternates, which are not ours")
            return
        new = self._path.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        kind = "sha256" if any(len(oid) == 64 for oid in there.values()) else "sha1"
        arguments = ("init", "--quiet", "--bare", "--template=", f"--object-format={kind}", "--")
        running.check(running.local(*arguments, str(new)))
        new.rename(self._path)

    def _fetch(self, running: Session, refs: Collection[Ref]) -> None:
        running.clean(self._path)
        flags = ("--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc")
        specs = [f"+{ref.name}:{ref.local}" for ref in refs]
        try:
            running.ask(
                "fetch", "--quiet", "--force", "--atomic", "--refmap=", *flags, "--", self._url, *specs,
                git_dir=self._path, limits=self._limits,
            )  # fmt: skip
        except Failure:
            running.clean(self._path)
            raise

    def _tidy(self, running: Session) -> None:
        """Every fetch that brought something left a pack; reads slow down with their number."""
        if sum(1 for _ in self._path.glob("objects/pack/*.pack")) > _MAX_PACKS:
            running.check(running.local("repack", "-a", "-d", "-q", git_dir=self._path))


def _known(oid: str) -> str:
    """An object id; anything else would be an expression or an option to git."""
    if not OID.fullmatch(oid):
        raise Failure(Reason.REF_MISSING, f"{oid[:80]!r} is not a full object id")
    return oid


def _spec(commit: str, root: str) -> str:
    if root == ".":
        return f"{commit}^{{tree}}"
    with suppress(Failure, UnicodeEncodeError):
        return f"{commit}:{check_path(root.encode(), TreeLimits())}"
    raise Failure(Reason.PATH_MISSING, f"{root[:100]!a} is not a relative path")


def _subject(raw: bytes) -> str:
    return scrub(raw.decode("utf-8", "replace")[:_MAX_SUBJECT], ())
