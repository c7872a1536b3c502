"""
Evidence: from untrusted bytes (`Candidate`) to verified claims (`Attestation`), and where it lies.

The two are different types on purpose. Only an attestor makes the second from the first.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from stagepass import wholefile
from stagepass.bundle import MAX_BYTES
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.identity import Certified, Span
from stagepass.statement import Statement

# A registry writer can add junk without end; past this the answer is undetermined, not slow (T8).
MAX_CANDIDATES = 50

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bundle's bytes, as found. `origin` says where, for people."""

    data: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Attestation:
    """
    A verified statement. `key_id` is the configured key that signed it, `owner` whose key that is.

    Of a certificate `key_id` is issuer and subject, and `certified` all that it says. `signed` is
    when, where a trusted authority proves that.
    """

    statement: Statement
    key_id: str
    owner: str
    certified: Certified | None = None
    signed: Span | None = None


@dataclass(frozen=True, slots=True, order=True)
class Rejection:
    """
    A candidate that does not count, kept so that a denial can say why.

    `predicate_type` is what the unverified payload claims, "" where it cannot be read: good for an
    explanation, never for a decision.
    """

    code: Code
    message: str
    predicate_type: str
    origin: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about one digest: verified claims, and why the rest does not count."""

    attestations: tuple[Attestation, ...] = ()
    rejections: tuple[Rejection, ...] = ()


@dataclass(slots=True)
class Deadline:
    """
    One time limit shared by everything a decision does, on the `time.monotonic()` clock.

    `used`: whether a source was asked under it, or another's search waited for.
    """

    at: float
    used: bool = False

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left. Raises `Unavailable` with `DEADLINE` when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise Unavailable(Code.DEADLINE, "the deadline passed before the evidence was read")
        return left

    def each(self, items: Iterable[_T]) -> Iterator[_T]:
        """
        `items`, while there is time: the first of them in any case, as it was fetched in time.

        Raises `Unavailable` as `remaining` does, before another: what is not looked at is not known.
        """
        for number, item in enumerate(items):
            if number:
                self.remaining()
            yield item


class EvidenceSource(Protocol):
    """Somewhere bundles are kept."""

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        """
        The candidates for `digest`, likeliest first, in batches: a caller stops when it has enough.

        `wanted` are the predicate types asked for, a hint. Raises `Unavailable` when it cannot know.
        """
        ...


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """`ROOT/sha256-HEX/*.sigstore.json`: air gap, Git evidence branch, tests, the embedded default."""

    root: Path

    def batches(
        self,
        image: ImageRef,  # noqa: ARG002  # a directory is keyed by digest alone
        digest: Digest,
        wanted: frozenset[str],  # noqa: ARG002
        deadline: Deadline,
    ) -> Iterator[Sequence[Candidate]]:
        """
        One batch, in name order; a folder that is not there holds nothing (Git keeps no empty ones).

        Raises `Unavailable` for what cannot be read and past the cap, after what could be.
        """
        folder = self._folder(digest)
        try:
            # Not glob(): it swallows a PermissionError and would answer "nothing here".
            files = sorted(folder.iterdir()) if folder.exists() else []
        except OSError as error:
            raise _unreadable(error) from error
        paths = [path for path in files if path.name.endswith(".sigstore.json")]
        found: list[Candidate] = []
        failure: Unavailable | None = None
        for path in paths[:MAX_CANDIDATES]:
            try:
                found.append(self._read(path, deadline))
            except Unavailable as error:
                failure = failure or error
        yield found
        if failure is not None:
            raise failure
        if len(paths) > MAX_CANDIDATES:
            raise Unavailable(Code.EVIDENCE_LIMIT, f"{folder} holds over {MAX_CANDIDATES} bundles")

    def write(self, digest: Digest, bundle: bytes) -> Path:
        """
        Add a bundle and return its file. It appears whole or not at all. Raises `InputError`.

        The name is the bundle's own digest: two signers of one statement keep a bundle each.
        """
        target = self._folder(digest) / f"{Digest.of(bundle).hex}.sigstore.json"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            wholefile.replace(target, bundle)
        except OSError as error:
            raise InputError(
                f"cannot write: {error.strerror}", where=str(error.filename)
            ) from error
        return target

    def _folder(self, digest: Digest) -> Path:
        return self.root / f"sha256-{digest.hex}"

    def _read(self, path: Path, deadline: Deadline) -> Candidate:
        deadline.remaining()
        try:
            if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            with path.open("rb") as file:
                # One byte over the cap is enough for the parser to refuse it with the right reason.
                return Candidate(file.read(MAX_BYTES + 1), str(path))
        except OSError as error:
            raise _unreadable(error) from error


def _unreadable(error: OSError) -> Unavailable:
    return Unavailable(Code.REGISTRY_UNAVAILABLE, f"{error.filename}: {error.strerror}")
