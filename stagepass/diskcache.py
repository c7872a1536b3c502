"""
Evidence kept on disk: the signed bytes, by the digest they are about, and the objects of releases by
their own. Nothing else.

No verdict is kept here and nothing read from here is believed: a `Verifier` puts every bundle
through the same key ring as a stranger's (V68). Whatever goes wrong with the disk, the next source
is asked as if there were no cache (V61).
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, StagepassError, Unavailable
from stagepass.evidence import MAX_CANDIDATES, Candidate, Deadline, DirectorySource
from stagepass.release.store import DirectoryBlobs

_FOLDER = re.compile(r"sha256-[0-9a-f]{64}", re.ASCII)
_BLOB = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHARE = 32
_LARGEST = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """
    `entries` files and `size` bytes; beyond two processes, each may add a sixteenth to them.

    One file may take a quarter of `size`; while room is made for one of over a thirty-second, the rest
    of it may come on top.
    """

    entries: int = 50_000
    size: int = 512 << 20


class EvidenceCache:
    """
    An `EvidenceStore` in `root`, longest unused out first. Thread-safe; processes may share `root`.

    `tell` is called with each failure of the disk; it decides nothing. Room is made in a thread of its
    own: looking at 50,000 files takes half a second of CPU, and a review must not wait for that.
    """

    def __init__(
        self,
        root: Path,
        limits: Limits = Limits(),  # frozen
        tell: Callable[[StagepassError], None] = lambda _: None,
    ) -> None:
        self._root, self._limits, self._tell = root, limits, tell
        self._directory, self._blobs = DirectorySource(root), DirectoryBlobs(root)
        self._lock = threading.Lock()
        self._entries_left = self._size_left = 0
        self._sweep: threading.Thread | None = None

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        """One batch. Raises `Unavailable` for the deadline alone: what cannot be read is not there."""
        try:
            for batch in self._directory.batches(image, digest, wanted, deadline):
                for candidate in batch:
                    _touch(candidate.origin)
                yield batch
        except Unavailable as error:
            if error.code == Code.DEADLINE:
                raise
            self._tell(error)

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
        """Hashed again. Raises `Unavailable` for what is not here."""
        data = self._blobs.blob(repository, digest, deadline)
        _touch(str(self._blobs.path(digest)))
        return data

    def holds_blob(self, digest: Digest) -> bool:
        """Whether there is a file for it; whether it is whole is found by reading it."""
        try:
            return self._blobs.path(digest).is_file()
        except OSError:
            return False

    def keep(self, digest: Digest, bundles: Sequence[bytes]) -> None:
        """
        Write each bundle, whole or not at all, while there is room. Never raises.

        The line of a stage never ends, and of one folder no more than `MAX_CANDIDATES` are read: what
        was written first goes.
        """
        self._write(lambda: self._write_bundles(digest, bundles))

    def keep_blob(self, data: bytes) -> None:
        """Write the objects of a release, whole or not at all, while there is room. Never raises."""
        self._write(lambda: self._blobs.put(data) if self._has_room(len(data)) else None)

    def _write(self, write: Callable[[], object]) -> None:
        try:
            if not self._root.is_dir():
                raise InputError("there is no such directory", where=str(self._root))
            write()
        except InputError as error:
            self._tell(error)
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread can be started
            self._tell(InputError(str(error), where=str(self._root)))

    def settle(self) -> None:
        """Wait until no room is being made."""
        with self._lock:
            sweep = self._sweep
        if sweep is not None:
            sweep.join()

    def _has_room(self, size: int) -> bool:
        """
        Whether `size` bytes more may be written.

        Each sweep brings a thirty-second of the limits to spend, also while it runs; it leaves four
        free, since each of two processes may spend one unseen and then another. For a larger file it
        brings what that takes, and leaves so much more.
        """
        if size > self._limits.size // _LARGEST:
            return False
        share = self._limits.size // _SHARE
        with self._lock:
            self._entries_left -= 1
            self._size_left -= size
            if self._entries_left >= 0 and self._size_left >= 0:
                return True
            if self._sweep is not None and self._sweep.is_alive():
                return False
            more = (max(0, size - share),)
            self._sweep = threading.Thread(
                target=self._make_room, args=more, name="evidence", daemon=True
            )
            self._sweep.start()
            self._entries_left = self._limits.entries // _SHARE - 1
            self._size_left = max(share, size) - size
            return self._entries_left >= 0 and self._size_left >= 0

    def _make_room(self, more: int) -> None:
        entries, left = (
            most - 4 * most // _SHARE for most in (self._limits.entries, self._limits.size)
        )
        left -= more
        try:
            for file in sorted(_files(self._root), reverse=True):
                entries, left = entries - 1, left - file.size
                if entries < 0 or left < 0:
                    _remove(file.path)
        except OSError as error:
            self._tell(InputError(error.strerror or "cannot make room", where=str(self._root)))

    def _write_bundles(self, digest: Digest, bundles: Sequence[bytes]) -> None:
        for bundle in bundles:
            if self._has_room(len(bundle)):
                self._write_bundle(digest, bundle)
        with suppress(FileNotFoundError):  # another process was faster
            _cut(self._root / f"sha256-{digest.hex}")

    def _write_bundle(self, digest: Digest, bundle: bytes) -> None:
        try:
            self._directory.write(digest, bundle)
        except InputError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            self._directory.write(digest, bundle)  # a sweep took the folder away, empty still


@dataclass(frozen=True, slots=True, order=True)
class _File:
    used: int
    size: int
    path: str


def _files(root: Path) -> Iterator[_File]:
    """Every file of ours. No link is followed: what it points to is not ours to remove."""
    with os.scandir(root) as folders:
        for folder in folders:
            if _FOLDER.fullmatch(folder.name) and folder.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):  # another process was faster
                    yield from _files_in(folder.path)
    blobs = root / "blobs"
    if _is_folder(blobs) and _is_folder(blobs / "sha256"):
        found = _files_in(str(blobs / "sha256"))
        yield from (f for f in found if _BLOB.fullmatch(f.path.rpartition("/")[2]))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _cut(folder: Path) -> None:
    """Leave no more files in it than are read, those that were written last."""
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".sigstore.json")]
    if len(files) <= MAX_CANDIDATES:
        return
    written = {file: file.lstat().st_mtime_ns for file in files}
    for file in sorted(files, key=lambda each: written[each])[:-MAX_CANDIDATES]:
        _remove(str(file))


def _touch(path: str) -> None:
    """Used now; that it was written earlier is told by the other of its two times."""
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(), os.stat(path).st_mtime_ns))  # noqa: PTH116


def _files_in(folder: str) -> Iterator[_File]:
    with os.scandir(folder) as files:
        for file in files:
            with suppress(FileNotFoundError):
                if file.is_file(follow_symlinks=False):
                    stat = file.stat(follow_symlinks=False)
                    yield _File(stat.st_atime_ns, stat.st_size, file.path)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108  # 50,000 Path objects take longer than the scan
    with suppress(OSError):  # not empty, most of the time
        os.rmdir(os.path.dirname(path))  # noqa: PTH106, PTH120
