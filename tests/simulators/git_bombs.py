"""Packs of a few kilobytes that stand for gigabytes, as gitformat-pack(5) lets anybody write them."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field

from tests.simulators.git_store import FILE, Repository

_BLOCK = 1 << 20
_COPY = 0xFFFFFF
_WHO = "Dev <dev@example.org> 1790000000 +0000"
_COMMIT, _TREE, _BLOB, _OFS_DELTA = 1, 2, 3, 6


@dataclass(slots=True)
class _Pack:
    """Objects one after the other; each delta names its base by the distance in bytes."""

    content: bytearray = field(default_factory=lambda: bytearray(12))
    count: int = 0

    def add(self, kind: int, content: bytes, base: int | None = None) -> int:
        """An object's place, for deltas of it."""
        at = len(self.content)
        back = b"" if base is None else _distance(at - base)
        self.content += _head(kind, len(content)) + back + zlib.compress(content, 9)
        self.count += 1
        return at

    def finish(self, claimed: int | None = None) -> bytes:
        """With its checksum; `claimed` is the number of objects that its head says."""
        number = self.count if claimed is None else claimed
        self.content[:12] = b"PACK" + (2).to_bytes(4, "big") + number.to_bytes(4, "big")
        return bytes(self.content) + hashlib.sha1(self.content, usedforsecurity=False).digest()


def chained_bomb(*steps: int, copies: int = 1) -> tuple[bytes, str]:
    """
    A pack with a commit of files of zeros, and the commit's id.

    Each of the `copies` files is 1 MiB times the product of `steps`: a chain of OFS_DELTAs, each "the
    whole base, so many times", of which the last one ends with the file's number.
    """
    pack, size = _Pack(), _BLOCK
    base = pack.add(_BLOB, bytes(_BLOCK))
    *most, last = steps
    for step in most:
        base = pack.add(_OFS_DELTA, _repeat(size, step), base)
        size *= step
    zeros = _hash(size * last)
    entries = b""
    for number in range(copies):
        end = b"%08d" % number
        pack.add(_OFS_DELTA, _repeat(size, last, end), base)
        whole = zeros.copy()
        whole.update(end)
        entries += f"{FILE} f{number:08}\0".encode() + whole.digest()
    tree = hashlib.sha1(b"tree %d\0" % len(entries) + entries, usedforsecurity=False).hexdigest()
    pack.add(_TREE, entries)
    commit = f"tree {tree}\nauthor {_WHO}\ncommitter {_WHO}\n\nbomb\n".encode()
    pack.add(_COMMIT, commit)
    return pack.finish(), Repository.id_of("commit", commit)


def commit_bomb(step: int) -> tuple[bytes, str]:
    """A pack with a commit whose subject has so many MiB, and the commit's id."""
    tree = hashlib.sha1(b"tree 0\0", usedforsecurity=False).hexdigest()
    head = f"tree {tree}\nauthor {_WHO}\ncommitter {_WHO}\n\n".encode()
    start = head + b"x" * (_BLOCK - len(head))
    pack = _Pack()
    pack.add(_TREE, b"")
    base = pack.add(_COMMIT, start)
    more = _repeat(_BLOCK, 1) + b"".join(_tail(len(head)) for _ in range(step))
    size = _BLOCK + step * (_BLOCK - len(head))
    delta = _varint(_BLOCK) + _varint(size) + more[len(_varint(_BLOCK)) * 2 :]
    pack.add(_OFS_DELTA, delta, base)
    whole = hashlib.sha1(b"commit %d\0" % size + start, usedforsecurity=False)
    for _ in range(step):
        whole.update(start[len(head) :])
    return pack.finish(), whole.hexdigest()


def _tail(at: int) -> bytes:
    """The delta's instruction to copy the first block from `at` on."""
    return b"\xff" + at.to_bytes(4, "little") + (_BLOCK - at).to_bytes(3, "little")


def crowded_pack() -> tuple[bytes, str]:
    """A pack whose head promises four billion objects and that holds one commit; and its id."""
    tree = hashlib.sha1(b"tree 0\0", usedforsecurity=False).hexdigest()
    commit = f"tree {tree}\nauthor {_WHO}\ncommitter {_WHO}\n\ncrowd\n".encode()
    pack = _Pack()
    pack.add(_COMMIT, commit)
    return pack.finish(claimed=0xFFFFFFFF), Repository.id_of("commit", commit)


def _hash(zeros: int) -> hashlib._Hash:
    """Of a blob of so many zeros and eight more bytes, up to those."""
    found = hashlib.sha1(b"blob %d\0" % (zeros + 8), usedforsecurity=False)
    block = bytes(_BLOCK)
    for _ in range(zeros // _BLOCK):
        found.update(block)
    return found


def _repeat(size: int, times: int, end: bytes = b"") -> bytes:
    """The delta: sizes of base and result, copies of at most 2^24-1 bytes, then `end` as it is."""
    places = range(0, size, _COPY)
    once = b"".join(
        b"\xff" + at.to_bytes(4, "little") + min(_COPY, size - at).to_bytes(3, "little")
        for at in places
    )
    insert = bytes((len(end),)) + end if end else b""
    return _varint(size) + _varint(size * times + len(end)) + once * times + insert


def _head(kind: int, size: int) -> bytes:
    """Three bits of kind, four of size, then seven at a time."""
    first, size = (kind << 4) | (size & 15), size >> 4
    return bytes((first | (0x80 if size else 0),)) + (_varint(size) if size else b"")


def _varint(size: int) -> bytes:
    parts = bytearray()
    while size > 0x7F:
        parts.append(0x80 | (size & 0x7F))
        size >>= 7
    parts.append(size)
    return bytes(parts)


def _distance(back: int) -> bytes:
    """Of an OFS_DELTA: big end first, and one more for each byte that follows."""
    parts = [back & 0x7F]
    while back := back >> 7:
        back -= 1
        parts.append(0x80 | (back & 0x7F))
    return bytes(reversed(parts))
