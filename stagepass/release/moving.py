"""
Releases taken from where they lie to another place: a directory, a second registry.

What is taken is what a gate would read and count, under one policy set, each release whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError, Unavailable
from stagepass.evidence import MAX_CANDIDATES, Candidate, Deadline, Rejection
from stagepass.policy.model import Pipeline, PolicySet, Stage
from stagepass.predicates.release import ReleaseStatement
from stagepass.release.artifact import line_digest
from stagepass.release.listed import Listed, listed
from stagepass.release.model import Release
from stagepass.release.store import (
    NOWHERE,
    SECONDS,
    ReleaseSource,
    holds,
    read_back,
    repository_of,
    write_directory,
)


@dataclass(frozen=True, slots=True)
class Line:
    """The stage whose releases are moved."""

    pipeline: Pipeline
    stage: Stage

    @property
    def repository(self) -> ImageRef:
        """Where a registry holds them; `NOWHERE` where none does."""
        return repository_of(self.stage.release)

    @property
    def digest(self) -> Digest:
        """What they are listed beside."""
        return line_digest(self.pipeline.name, self.stage.name)

    def __str__(self) -> str:
        return f"{self.pipeline.name}/{self.stage.name}"


@dataclass(frozen=True, slots=True)
class Lying:
    """A bundle as it was found, and the source that has it."""

    candidate: Candidate
    source: ReleaseSource


@dataclass(frozen=True, slots=True)
class Listing:
    """
    At most 50 bundles of a line, newest first where the source says when, and what was not read.

    `is_cut`: there are more, which no gate would read there either.
    """

    found: tuple[Lying, ...]
    failures: tuple[Unavailable, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """
    One bundle on its way.

    `stored` says where it lies now, "" where the target had it already. `code` and `message` say why
    it was left behind: it counts for nothing (`release` is None), or of a `failure`, after which the
    next has no better chance where `is_last`.
    """

    origin: str
    release: Listed | None = None
    stored: str = ""
    code: str = ""
    message: str = ""
    failure: Unavailable | None = None
    is_last: bool = False


class Target(Protocol):
    """Where releases are taken to."""

    def holds(self, statement: ReleaseStatement, bundle: bytes) -> bool:
        """Whether it is all there; False as well where that cannot be known."""
        ...

    def put(self, release: Release, bundle: bytes, at: datetime) -> str:
        """
        Store it as of `at`, read it back, and say where its line has it.

        Raises `Unavailable` and `InputError`; the line then has it whole or not at all.
        """
        ...


@dataclass(frozen=True, slots=True)
class DirectoryTarget:
    """That of `dir:ROOT`; a file's time is that of its release, as a registry's is."""

    root: Path

    def holds(self, statement: ReleaseStatement, bundle: bytes) -> bool:
        """As `Target.holds`."""
        return holds(ReleaseSource.directory(self.root), NOWHERE, statement, bundle)

    def put(self, release: Release, bundle: bytes, at: datetime) -> str:
        """As `Target.put`. A line that is full is left as it is: of 51 files readers miss any one."""
        source = ReleaseSource.directory(self.root)
        digest = line_digest(release.pipeline, release.stage)
        batches = source.candidates(NOWHERE, digest, Deadline.after(SECONDS))
        present = {each.data for batch in batches for each in batch}
        if bundle not in present and len(present) >= MAX_CANDIDATES:
            message = (
                f"{self.root} has {MAX_CANDIDATES} releases of {release.pipeline}/{release.stage},"
                " all that are read of a directory: fill a new one"
            )
            raise Unavailable(Code.EVIDENCE_LIMIT, message)
        *_, beside_artifact, beside_line = write_directory(self.root, release, bundle)
        for path in (beside_artifact, beside_line):
            _date(path, at)
        read_back(source, NOWHERE, release, bundle)
        return str(beside_line)


@dataclass(frozen=True, slots=True)
class Move:
    """From `sources` to `target`; `time_of` says of an origin when its release was stored there."""

    policy: PolicySet
    line: Line
    sources: Sequence[ReleaseSource]
    target: Target
    time_of: Callable[[str], datetime]

    def one(self, lying: Lying) -> Moved:
        """A release that counts is read, checked against every digest in it, and only then stored."""
        candidate = lying.candidate
        judged = listed(self.policy, self.line.pipeline, self.line.stage, candidate)
        if isinstance(judged, Rejection):
            return Moved(candidate.origin, code=judged.code, message=judged.message)
        if self.target.holds(judged.statement, candidate.data):
            return Moved(candidate.origin, judged)
        try:
            release = Release.of(judged.statement, self._objects(lying, judged))
            at = self.time_of(candidate.origin)
        except AttestationError as error:
            return Moved(candidate.origin, code=error.code, message=error.message)
        except Unavailable as error:
            return _failed(candidate, judged, error, is_last=error.code == Code.DEADLINE)
        try:
            stored = self.target.put(release, candidate.data, at)
        except Unavailable as error:
            return _failed(candidate, judged, error, is_last=True)
        except InputError as error:
            unwritten = Unavailable(Code.REGISTRY_UNAVAILABLE, str(error))
            return _failed(candidate, judged, unwritten, is_last=True)
        return Moved(candidate.origin, judged, stored)

    def _objects(self, lying: Lying, release: Listed) -> bytes:
        """From the source of the bundle, else from the first that has them. Raises `Unavailable`."""
        failures = []
        for source in sorted(self.sources, key=lambda source: source is not lying.source):
            deadline = Deadline.after(SECONDS)
            try:
                return source.blobs.blob(self.line.repository, release.statement.objects, deadline)
            except Unavailable as error:
                failures.append(error)
        raise failures[0]


def lines(policy: PolicySet, images: Iterable[ImageRef]) -> list[Line]:
    """The stages that take releases, of the pipelines that cover one of the images."""
    wanted = tuple(images)
    covering = [p for p in policy.pipelines if any(map(p.covers, wanted))]
    return [Line(p, stage) for p in covering for stage in p.stages if stage.release is not None]


def listing(line: Line, sources: Sequence[ReleaseSource]) -> Listing:
    """What the sources say of a line, each bundle once."""
    found: dict[bytes, Lying] = {}
    failures: list[Unavailable] = []
    is_cut = False
    for source in sources:
        count = 0
        try:
            deadline = Deadline.after(SECONDS)
            for batch in source.candidates(line.repository, line.digest, deadline):
                count += len(batch)
                for candidate in batch:
                    found.setdefault(candidate.data, Lying(candidate, source))
        except Unavailable as error:
            # At the cap a source says nothing of what it could not read before.
            is_over = error.code == Code.EVIDENCE_LIMIT and count >= MAX_CANDIDATES
            is_cut = is_cut or is_over
            failures += [] if is_over else [error]
    is_cut = is_cut or len(found) > MAX_CANDIDATES
    return Listing(tuple(found.values())[:MAX_CANDIDATES], tuple(failures), is_cut)


def _failed(candidate: Candidate, release: Listed, error: Unavailable, *, is_last: bool) -> Moved:
    about = {"code": error.code, "message": error.message}
    return Moved(candidate.origin, release, **about, failure=error, is_last=is_last)


def _date(path: Path, at: datetime) -> None:
    try:
        os.utime(path, (at.timestamp(), at.timestamp()))
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise Unavailable(Code.REGISTRY_UNAVAILABLE, message) from error
