"""
The evidence of what an applier brings, kept in the cluster: packed files in a mounted directory.

A decision then needs no registry. Whoever may write the ConfigMaps can hide evidence and invent none:
what is read here is verified like a stranger's, and what is not here is asked for at the next source.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import MAX_CANDIDATES, Candidate, Deadline
from stagepass.packed_evidence import MAX_PACKED, SUFFIX, PackedEvidence, unpack
from stagepass.release.store import ReleaseSource

_LOOK_SECONDS = 0.5
_MAX_FILES = 200
_MAX_HELD = 64 << 20

_Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _File:
    """
    A packed file as it was when it was `mark`ed (inode, time, size).

    `problem` where nothing is held of it; then `size` is what it would take, in bytes, if there were room.
    """

    mark: _Mark
    evidence: PackedEvidence
    problem: str = ""
    size: int = 0


class Mirror:
    """
    All `*.evidence` files of `root`, read again when they change; an `EvidenceSource` and `Blobs`.

    Thread-safe. A file that cannot be read hides none of the others. All together hold at most 64 MiB
    of memory, twice that while they change: in the order of names, a file for which there is no room is
    one that cannot be read. A name that sorts first can so hide others, as whoever may write them can.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, _File] = {}
        self._failure, self._looked = "", float("-inf")
        self._lock = threading.Lock()

    def source(self) -> ReleaseSource:
        """For releases, beside all other evidence."""
        return ReleaseSource(self, self)

    def batches(
        self,
        image: ImageRef,  # noqa: ARG002  # keyed by digest alone
        digest: Digest,
        wanted: frozenset[str],  # noqa: ARG002
        deadline: Deadline,
    ) -> Iterator[Sequence[Candidate]]:
        """
        One batch: a bundle that two applications brought is in it once.

        Raises `Unavailable` after it where a file could not be read, and past the cap.
        """
        files, failure = self._current(deadline)
        found = {
            data: str(self._root / name)
            for name, file in files.items()
            for data in file.evidence.bundles.get(digest, ())
        }
        candidates = [Candidate(data, origin) for data, origin in found.items()]
        yield candidates[:MAX_CANDIDATES]
        if len(candidates) > MAX_CANDIDATES:
            message = f"{self._root} holds over {MAX_CANDIDATES} bundles about {digest}"
            raise Unavailable(Code.EVIDENCE_LIMIT, message)
        if failure:
            raise Unavailable(Code.REGISTRY_UNAVAILABLE, failure)

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:  # noqa: ARG002
        """As `Blobs.blob`; the digest was compared when the file was read."""
        files, failure = self._current(deadline)
        for file in files.values():
            if digest in file.evidence.blobs:
                return file.evidence.blobs[digest]
        message = failure or f"{self._root} does not hold {digest}"
        raise Unavailable(Code.REGISTRY_UNAVAILABLE, message)

    def _current(self, deadline: Deadline) -> tuple[dict[str, _File], str]:
        """Every file, and why one could not be read ("" where all could)."""
        deadline.remaining()
        with self._lock:
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                self._look()
                self._looked = time.monotonic()
            return self._files, self._failure

    def _look(self) -> None:
        """What is unchanged is kept as it was read."""
        try:
            names = sorted(n for n in os.listdir(self._root) if _is_packed(n))  # noqa: PTH208
            if len(names) > _MAX_FILES:
                raise OSError(0, f"over {_MAX_FILES} files")
        except OSError as error:
            # What was read is verified anyhow, and an unmounted volume takes none of it back.
            self._failure = f"{self._root}: {error.strerror}"
            return
        files: dict[str, _File] = {}
        room = _MAX_HELD
        for name in names:
            files[name] = file = self._read(name, room)
            room -= 0 if file.problem else file.size
        problems = [f"{self._root / name}: {f.problem}" for name, f in files.items() if f.problem]
        self._files, self._failure = files, next(iter(problems), "")

    def _read(self, name: str, room: int) -> _File:
        """What does not fit into `room`, in bytes, is unpacked once, and again when there is enough."""
        path, known = self._root / name, self._files.get(name)
        try:
            stat = path.stat()
            mark = stat.st_ino, stat.st_mtime_ns, stat.st_size
            if known is not None and known.mark == mark:
                if known.size > room:
                    return _without_room(mark, known.size)
                if not known.problem or not known.size:
                    return known
            if not path.is_file():  # opening a pipe would wait for a writer
                return _File(mark, PackedEvidence(), "not a regular file")
            with path.open("rb") as file:
                data = file.read(MAX_PACKED + 1)
        except OSError as error:
            return _File((0, 0, 0), PackedEvidence(), error.strerror or "unreadable")
        try:
            evidence = unpack(data)
        except InputError as error:
            return _File(mark, PackedEvidence(), error.message)
        size = evidence.size
        return _without_room(mark, size) if size > room else _File(mark, evidence, size=size)


def _without_room(mark: _Mark, size: int) -> _File:
    problem = f"with it, the mirror would hold over {_MAX_HELD} bytes"
    return _File(mark, PackedEvidence(), problem, size)


def _is_packed(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")
