"""
Evidence kept on disk: the signed bytes, by the digest they are about, and nothing else.

No verdict is kept here and nothing read from here is believed: a `Verifier` puts every bundle
through the same key ring as a stranger's (V68). Whatever goes wrong with the disk, the next source
is asked as if there were no cache (V61).
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, StagepassError, Unavailable
from stagepass.evidence import Candidate, Deadline, DirectorySource

_FOLDER = re.compile(r"sha256-[0-9a-f]{64}", re.ASCII)
_SHARE = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """`entries` bundles and `size` bytes; beyond two processes, each may add a sixteenth to them."""

    entries: int = 50_000
    size: int = 512 << 20


class EvidenceCache:
    """
    An `EvidenceStore` in `root`, longest unused out first. Thread-safe; processes may share `root`.

    `tell` is called with each failure of the disk; it decides nothing.
    """

    def __init__(
        self,
        root: Path,
        limits: Limits = Limits(),  # frozen
        tell: Callable[[StagepassError], None] = lambda _: None,
    ) -> None:
        self._root, self._limits, self._tell = root, limits, tell
        self._directory = DirectorySource(root)
        self._lock = threading.Lock()
        self._entries_left = self._size_left = 0

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        """One batch. Raises `Unavailable` for the deadline alone: what cannot be read is not there."""
        try:
            for batch in self._directory.batches(image, digest, wanted, deadline):
                for candidate in batch:
                    with suppress(OSError):
                        os.utime(candidate.origin)
                yield batch
        except Unavailable as error:
            if error.code == Code.DEADLINE:
                raise
            self._tell(error)

    def keep(self, digest: Digest, bundles: Sequence[bytes]) -> None:
        """Write each bundle, whole or not at all. Never raises."""
        with self._lock:
            try:
                for bundle in bundles:
                    self._make_room(len(bundle))
                    self._directory.write(digest, bundle)
            except InputError as error:
                self._tell(error)
            except OSError as error:
                self._tell(InputError(error.strerror or "cannot write", where=str(self._root)))

    def _make_room(self, size: int) -> None:
        """Look again once a sixteenth of the limits was written since; then two are left free."""
        self._entries_left -= 1
        self._size_left -= size
        if self._entries_left >= 0 and self._size_left >= 0:
            return
        entries, left = (
            most - 2 * most // _SHARE for most in (self._limits.entries, self._limits.size)
        )
        for file in sorted(_files(self._root), reverse=True):
            entries, left = entries - 1, left - file.size
            if entries < 0 or left < 0:
                _remove(file.path)
        self._entries_left = self._limits.entries // _SHARE
        self._size_left = self._limits.size // _SHARE


@dataclass(frozen=True, slots=True, order=True)
class _File:
    used: int
    size: int
    path: Path


def _files(root: Path) -> Iterator[_File]:
    """Every file of ours. No link is followed: what it points to is not ours to remove."""
    for folder in root.iterdir():
        if not _FOLDER.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # another process was faster
                stat = path.lstat()
                if S_ISREG(stat.st_mode):
                    yield _File(stat.st_mtime_ns, stat.st_size, path)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    with suppress(OSError):  # not empty, most of the time
        path.parent.rmdir()
