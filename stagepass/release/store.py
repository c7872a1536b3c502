"""
Where releases lie: bundles and blobs, here those of a directory (`sha256-HEX/`, `blobs/sha256/HEX`).

A bundle is stored twice, beside the artifact, where `cosign verify-attestation` finds it, and beside the
line, where the gate does. What is read by digest is hashed before anybody sees it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stagepass import wholefile
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Candidate, Deadline, DirectorySource, EvidenceSource
from stagepass.policy.releases import ReleaseRule
from stagepass.predicates.release import RELEASE, ReleaseStatement
from stagepass.release.artifact import line_digest
from stagepass.release.model import MAX_BYTES, Release, subjects

NOWHERE = ImageRef.parse("release.invalid/release")
"""The repository of what lies in directories alone; no registry has that name (RFC 6761)."""
SECONDS = 120.0
"""For 32 MiB there and back."""


def repository_of(rule: ReleaseRule | None) -> ImageRef:
    """Where a registry holds the releases of a stage with that rule; `NOWHERE` where none does."""
    return NOWHERE if rule is None or rule.repository is None else ImageRef.parse(rule.repository)


class Blobs(Protocol):
    """Somewhere the objects of releases are kept."""

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
        """
        The bytes whose sha256 is `digest`, never another's; at most 32 MiB. Raises `Unavailable`.

        `repository` is where a registry holds it; a directory needs none.
        """
        ...


@dataclass(frozen=True, slots=True)
class DirectoryBlobs:
    """`ROOT/blobs/sha256/HEX`, as in an OCI layout."""

    root: Path

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:  # noqa: ARG002  # a directory is keyed by digest alone
        """As `Blobs.blob`."""
        deadline.remaining()
        path = self.path(digest)
        try:
            if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise _unavailable(f"{path}: {error.strerror}") from error
        if Digest.of(data) != digest:
            raise _unavailable(f"{path} holds other bytes than {digest}")
        return data

    def put(self, data: bytes) -> Path:
        """Store `data` and return its file, which appears whole or not at all. Raises `InputError`."""
        path = self.path(Digest.of(data))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            wholefile.replace(path, data)
        except OSError as error:
            raise InputError(f"cannot write: {error.strerror}", where=str(path)) from error
        return path

    def path(self, digest: Digest) -> Path:
        """Its file."""
        return self.root / "blobs" / "sha256" / digest.hex


@dataclass(frozen=True, slots=True)
class ReleaseSource:
    """One place with bundles and blobs; `is_remote` where a repository has to be named."""

    bundles: EvidenceSource
    blobs: Blobs
    is_remote: bool = False

    @classmethod
    def directory(cls, root: Path) -> ReleaseSource:
        """That of `--evidence dir:ROOT`."""
        return cls(DirectorySource(root), DirectoryBlobs(root))

    def candidates(
        self, repository: ImageRef, digest: Digest, deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        """What is said to be signed about an artifact or a line, newest first. Raises `Unavailable`."""
        yield from self.bundles.batches(repository, digest, frozenset({RELEASE}), deadline)


def write_directory(root: Path, release: Release, bundle: bytes) -> list[Path]:
    """Store a signed release; the bundles come last, as they say that it is there. Raises `InputError`."""
    blobs, source = DirectoryBlobs(root), DirectorySource(root)
    return [
        blobs.put(release.statement.resource_list),
        blobs.put(release.data),
        source.write(release.artifact_digest, bundle),
        source.write(line_digest(release.pipeline, release.stage), bundle),
    ]


def read_back(source: ReleaseSource, repository: ImageRef, release: Release, bundle: bytes) -> None:
    """
    Read a release as its readers will, within 30 s. Raises `Unavailable` where it is not all there.

    The bundle beside the artifact and beside the line, byte for byte, and the objects.
    """
    _read_whole(source, repository, release.statement, bundle)


def holds(
    source: ReleaseSource, repository: ImageRef, statement: ReleaseStatement, bundle: bytes
) -> bool:
    """Whether `read_back` would find it all; False as well where that cannot be known."""
    try:
        _read_whole(source, repository, statement, bundle)
    except Unavailable:
        return False
    return True


def _read_whole(
    source: ReleaseSource, repository: ImageRef, statement: ReleaseStatement, bundle: bytes
) -> None:
    deadline, about = Deadline.after(30), subjects(statement)
    for digest in (about["artifact"], about["line"]):
        if not _is_there(source, repository, digest, bundle, deadline):
            raise _unavailable(
                f"{repository.name}@{digest}: the bundle was stored, and is not read back"
            )
    source.blobs.blob(repository, statement.objects, deadline)
    source.blobs.blob(repository, about["release"], deadline)


def _is_there(
    source: ReleaseSource, repository: ImageRef, digest: Digest, bundle: bytes, deadline: Deadline
) -> bool:
    """Past the cap on what is read there is no answer, unless it is among the first: the newest."""
    batches = source.candidates(repository, digest, deadline)
    return any(candidate.data == bundle for batch in batches for candidate in batch)


def _unavailable(message: str) -> Unavailable:
    return Unavailable(Code.REGISTRY_UNAVAILABLE, message)
