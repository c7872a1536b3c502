"""
What a tree may hold, judged from its listing, before one byte of a file is read.

No links, submodules or LFS pointers; no name that any file system reads as another; counts and sizes
bounded. Every refusal names the path and the limit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from applier.failure import Failure, Reason

_LINE = re.compile(
    rb"(\d{6}) (blob|tree|commit) ([0-9a-f]{40}|[0-9a-f]{64}) +(\d+|-)\t(.*)", re.DOTALL
)
# `.git` as HFS+, NTFS and their short names would read it (CVE-2014-9390, CVE-2019-1352).
_DOT_GIT = re.compile(r"(?:\.git|git~[0-9]+)[ .]*(?::.*)?", re.IGNORECASE)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_FILES = frozenset({b"100644", b"100755", b"100664"})
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """Counts and bytes. `pack`, `memory` and `cpu` bound a fetch, the others the tree that is rendered."""

    files: int = 10_000
    file_bytes: int = 4 << 20
    """As much as one YAML text may have."""
    total_bytes: int = 20 << 20
    depth: int = 32
    path_bytes: int = 1024
    pack: int = 1 << 30
    """On disk."""
    memory: int = 1 << 30
    """Address space of each process of a fetch: a delta of a few bytes can stand for gigabytes."""
    cpu: int = 60
    """Seconds of each: 34 kB of deltas, each within `memory`, can stand for hours."""

    @property
    def listing(self) -> int:
        """Bytes of a listing: names within `path_bytes` are mostly far shorter."""
        return (1 << 20) + self.files * 512


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of a tree."""

    path: str
    oid: str
    size: int


def blobs(listing: bytes, limits: TreeLimits) -> list[Blob]:
    """The files of `git ls-tree -r -t -l -z`. Raises TREE_REFUSED."""
    found: list[Blob] = []
    names: dict[str, str] = {}
    total = 0
    for count, record in enumerate(filter(None, listing.split(b"\0")), start=1):
        if count > limits.files:
            raise refused(f"over {limits.files} files and directories")
        mode, kind, oid, size, path = _entry(record, limits)
        _check_collision(path, names)
        if kind == b"tree":
            continue
        if size > limits.file_bytes:
            raise refused(f"{path}: {size} bytes; at most {limits.file_bytes} a file")
        total += size
        if total > limits.total_bytes:
            raise refused(f"{path}: the files add up to over {limits.total_bytes} bytes")
        _check_mode(mode, kind, path)
        found.append(Blob(path, oid, size))
    return found


def check_content(path: str, content: bytes) -> None:
    """Refuse a pointer into large file storage: what it stands for was signed by nobody."""
    if content.startswith(_LFS):
        raise refused(f"{path}: is a Git LFS pointer; store the file itself")


def refused(message: str) -> Failure:
    """Say why a tree is not read."""
    return Failure(Reason.TREE_REFUSED, message)


def _entry(record: bytes, limits: TreeLimits) -> tuple[bytes, bytes, str, int, str]:
    match = _LINE.fullmatch(record)
    if match is None:
        raise refused("the listing of the tree cannot be read")
    mode, kind, oid, size, path = match.groups()
    return mode, kind, oid.decode(), 0 if size == b"-" else int(size), check_path(path, limits)


def _check_mode(mode: bytes, kind: bytes, path: str) -> None:
    if mode == b"120000":
        raise refused(f"{path}: is a symbolic link")
    if mode == b"160000" or kind == b"commit":
        raise refused(f"{path}: is a submodule")
    if mode not in _FILES:
        raise refused(f"{path}: has the mode {mode.decode()}")


def check_path(raw: bytes, limits: TreeLimits) -> str:
    """The path as text. Raises TREE_REFUSED for one that a file system could read as another."""
    shown = ascii(raw[:200].decode("utf-8", "backslashreplace"))
    if len(raw) > limits.path_bytes:
        raise refused(f"{shown}: a path of {len(raw)} bytes; at most {limits.path_bytes}")
    try:
        path = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused(f"{shown}: the name is not UTF-8") from error
    parts = path.split("/")
    if len(parts) > limits.depth:
        raise refused(f"{shown}: {len(parts)} levels; at most {limits.depth}")
    for part in parts:
        if part in ("", ".", "..") or _DOT_GIT.fullmatch(part):
            raise refused(f"{shown}: the name {part!r} is not allowed")
        if "\\" in part or any(unicodedata.category(c) in _HIDDEN for c in part):
            raise refused(f"{shown}: a backslash or an invisible character in a name")
    return path


def _check_collision(path: str, names: dict[str, str]) -> None:
    """Two names that differ in case or in Unicode form alone are one file on other machines."""
    for prefix in _prefixes(path):
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", prefix).casefold())
        if names.setdefault(folded, prefix) != prefix:
            raise refused(f"{path!a}: differs from {names[folded]!a} in case or form alone")
    if f"\0{path}" in names:
        raise refused(f"{path!a}: stands twice")
    names[f"\0{path}"] = path


def _prefixes(path: str) -> Iterator[str]:
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path
