"""
The decision journal: JSON lines, each bound to the one before it by a hash.

    {"seq":0,"time":"...", ...the decision..., "previous":"<hash of the line before>","hash":"<64 hex>"}

`hash` is the SHA-256 of the line's own bytes without that member and the line's end; the first line's
`previous` is 64 zeros. A chain binds lines to each other, not to the world: whoever may write the file
may write all of it anew, a cut-off end looks like an end, and an emptied file like a new one. The hash
of a line, kept elsewhere, settles all three.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stagepass import strictjson
from stagepass.errors import InputError
from stagepass.strictjson import Json

SUFFIX = ".jsonl"
START = "0" * 64
# 500 images with a message each are a third of this.
_MAX_LINE = 4 << 20
_HASH, _END = b',"hash":"', b'"}'
_TAIL = len(_HASH) + 64 + len(_END)


class Journal:
    """The file of this process in `directory`, made with its first line. Thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._file = -1
        self._size = self._seq = self._lost = 0
        self._previous = START

    def append(self, fields: Mapping[str, Json]) -> str:
        """
        Write one line and return its hash. Raises `OSError`; the file then ends as it did before.

        The next line that can be written says as `lost` how many could not.
        """
        with self._lock:
            try:
                return self._append(fields)
            except OSError:
                self._lost += 1
                self._undo()
                raise

    def _append(self, fields: Mapping[str, Json]) -> str:
        if self._file < 0:
            self._file = self._create()
            self._size, self._seq, self._previous = 0, 0, START
        line, digest = _line(self._seq, self._lost, fields, self._previous)
        if os.write(self._file, line) != len(line):
            raise OSError("no space left for a whole line")
        self._size += len(line)
        self._seq, self._lost, self._previous = self._seq + 1, 0, digest
        return digest

    def _create(self) -> int:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        # In a container every start has the same few pids: the name must be new without them.
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(self._directory / name, flags, 0o600)

    def _undo(self) -> None:
        """Half a line is taken out again; where even that fails, the next line begins a new file."""
        if self._file < 0:
            return
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1


def _line(seq: int, lost: int, fields: Mapping[str, Json], previous: str) -> tuple[bytes, str]:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    head: dict[str, Json] = {"seq": seq, "time": time, **({"lost": lost} if lost else {})}
    body = strictjson.dumps({**head, **fields, "previous": previous})
    digest = hashlib.sha256(body).hexdigest()
    return body[:-1] + _HASH + digest.encode() + _END + b"\n", digest


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the chain, at line `line` of a file (from 1)."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """One file read: its number of `lines`, the `hashes` of those that are whole, and what is wrong."""

    path: Path
    lines: int
    hashes: frozenset[str]
    last: str
    problems: tuple[Problem, ...]


def files(path: Path) -> list[Path]:
    """The journals at `path`, a file or a directory, by name. Raises `InputError` where there is none."""
    found = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not found:
        raise InputError("holds no journal", where=str(path), hint=f"files *{SUFFIX}")
    return found


def check(path: Path) -> Report:
    """
    Walk the chain of one file; after a problem it goes on from the line found, so that all are told.

    Raises `InputError` for a file that cannot be read.
    """
    problems: list[Problem] = []
    hashes: set[str] = set()
    number, seq, previous = 0, 0, START
    for number, line in enumerate(_lines(path), start=1):
        try:
            found = _Line.parse(line)
        except InputError as error:
            problems.append(Problem(number, error.message))
            seq, previous = seq + 1, ""
            continue
        if message := found.misplaced(seq, previous):
            problems.append(Problem(number, message))
        hashes.add(found.hash)
        seq, previous = found.seq + 1, found.hash
    return Report(path, number, frozenset(hashes), previous if number else START, tuple(problems))


def entries(path: Path) -> Iterator[Mapping[str, Json] | Problem]:
    """
    What stands in one file, line by line; of a line that is not as it was written, what is wrong.

    Raises `InputError` for a file that cannot be read. Whether lines are missing is for `check`.
    """
    for number, line in enumerate(_lines(path), start=1):
        try:
            yield _Line.parse(line).fields
        except InputError as error:
            yield Problem(number, error.message)


@dataclass(frozen=True, slots=True)
class _Line:
    seq: int
    previous: str
    hash: str
    fields: Mapping[str, Json]

    @classmethod
    def parse(cls, line: bytes) -> _Line:
        """Raises `InputError` for a line that is not as it was written."""
        if not line.endswith(b"\n"):
            raise InputError("breaks off in the middle")
        text = line[:-1]
        body, tail = text[:-_TAIL] + b"}", text[-_TAIL:]
        told = tail[len(_HASH) : -len(_END)]
        if tail != _HASH + told + _END or hashlib.sha256(body).hexdigest().encode() != told:
            raise InputError("altered: its hash is not that of its bytes")
        fields = strictjson.loads_object(body, max_bytes=_MAX_LINE, max_depth=16)
        seq, previous = fields.get("seq"), fields.get("previous")
        if type(seq) is not int or not isinstance(previous, str):
            raise InputError("has no seq or no previous")
        return cls(seq, previous, told.decode(), fields)

    def misplaced(self, seq: int, previous: str) -> str:
        """Why this line cannot stand where `seq` after `previous` is wanted ("" for unknown), or ""."""
        if self.seq > seq:
            return f"seq {self.seq} stands where {seq} is wanted: lines before it are missing"
        if self.seq < seq:
            return f"seq {self.seq} stands where {seq} is wanted: repeated, or moved"
        if previous and self.previous != previous:
            return "does not follow the line before it: one of the two was replaced"
        return ""


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while line := file.readline(_MAX_LINE):
                yield line
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(path)) from error
