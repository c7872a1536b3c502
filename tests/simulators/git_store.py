"""
A bare repository written object by object, so that it can hold what no honest git would write.

Loose objects need no process: a commit of ten files takes a millisecond.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Self

FILE, PROGRAM, LINK, TREE, SUBMODULE = "100644", "100755", "120000", "40000", "160000"
_AUTHOR = "Dev <dev@example.org>"
_START = 1_790_000_000


class Repository:
    """`path` is a bare repository; `head(branch)` its commits' ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clock = _START

    @classmethod
    def create(cls, path: Path) -> Self:
        argv = ["git", "init", "--quiet", "--bare", "--template=", str(path)]
        subprocess.run(argv, check=True, env={"PATH": os.defpath})
        return cls(path)

    def write(self, kind: str, content: bytes) -> str:
        """Any object, unchecked."""
        whole = f"{kind} {len(content)}\0".encode() + content
        oid = self.id_of(kind, content)
        file = self.path / "objects" / oid[:2] / oid[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(whole, 1))
        return oid

    @staticmethod
    def id_of(kind: str, content: bytes) -> str:
        whole = f"{kind} {len(content)}\0".encode() + content
        return hashlib.sha1(whole, usedforsecurity=False).hexdigest()

    def blob(self, content: bytes) -> str:
        return self.write("blob", content)

    def tree(self, entries: Iterable[tuple[str, bytes, str]]) -> str:
        """Of (mode, name, object id), in Git's order; names are written as they are."""
        ordered = sorted(entries, key=lambda e: e[1] + (b"/" if e[0] == TREE else b""))
        lines = (
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in ordered
        )
        return self.write("tree", b"".join(lines))

    def files(self, files: Mapping[str, bytes]) -> str:
        """The tree of ordinary files by path."""
        below: dict[str, dict[str, bytes]] = {}
        entries = []
        for path, content in files.items():
            first, slash, rest = path.partition("/")
            if slash:
                below.setdefault(first, {})[rest] = content
            else:
                entries.append((FILE, path.encode(), self.blob(content)))
        entries += [(TREE, name.encode(), self.files(inner)) for name, inner in below.items()]
        return self.tree(entries)

    def commit_tree(
        self,
        tree: str,
        parents: Iterable[str] = (),
        message: str = "change",
        sign: Callable[[bytes], bytes] | None = None,
        at: int | None = None,
    ) -> str:
        """One commit object; each is a minute later than the one before, or of the Unix time `at`."""
        self._clock += 60
        who = f"{_AUTHOR} {self._clock if at is None else at} +0000"
        lines = [
            f"tree {tree}",
            *(f"parent {p}" for p in parents),
            f"author {who}",
            f"committer {who}",
        ]
        head, body = "\n".join(lines).encode(), f"\n\n{message}\n".encode()
        if sign is not None:
            signature = sign(head + body).strip().replace(b"\n", b"\n ")
            head += b"\ngpgsig " + signature
        return self.write("commit", head + body)

    def commit(
        self,
        branch: str,
        files: Mapping[str, bytes],
        message: str = "change",
        sign: Callable[[bytes], bytes] | None = None,
    ) -> str:
        """A commit of exactly `files` on `branch`."""
        return self.advance(branch, self.files(files), message, sign)

    def advance(
        self,
        branch: str,
        tree: str,
        message: str = "change",
        sign: Callable[[bytes], bytes] | None = None,
    ) -> str:
        """A commit of `tree` on `branch`."""
        head = self.head(branch)
        commit = self.commit_tree(tree, [head] if head else [], message, sign)
        self.point(f"refs/heads/{branch}", commit)
        return commit

    def point(self, ref: str, oid: str | None) -> None:
        """Write a ref, or remove it."""
        file = self.path / ref
        if oid is None:
            file.unlink()
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{oid}\n")

    def head(self, branch: str) -> str | None:
        file = self.path / "refs" / "heads" / branch
        return file.read_text().strip() if file.exists() else None

    def annotated_tag(self, name: str, commit: str) -> str:
        """An annotated tag object and its ref."""
        text = (
            f"object {commit}\ntype commit\ntag {name}\ntagger {_AUTHOR} {self._clock} +0000\n\nv\n"
        )
        oid = self.write("tag", text.encode())
        self.point(f"refs/tags/{name}", oid)
        return oid


def delta_bomb(steps: tuple[int, ...]) -> tuple[bytes, str]:
    """
    A pack with a commit of one file of zeros, 1 MiB times the product of `steps`; and the commit's id.

    The file is held as deltas: each says "copy all of the base" so many times (gitformat-pack(5)).
    """
    size, base = 1 << 20, bytes(1 << 20)
    oid = hashlib.sha1(f"blob {size}\0".encode() + base, usedforsecurity=False).digest()
    entries = [_entry(3, size) + zlib.compress(base)]
    for step in steps:
        copies = b"".join(_copy(at, min(_COPY, size - at)) for at in range(0, size, _COPY)) * step
        delta = _size(size) + _size(size * step) + copies
        entries.append(_entry(7, len(delta)) + oid + zlib.compress(delta, 9))
        size *= step
        whole = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        for _ in range(size >> 20):
            whole.update(base)
        oid = whole.digest()
    tree = f"{FILE} zeros\0".encode() + oid
    tree_id = hashlib.sha1(f"tree {len(tree)}\0".encode() + tree, usedforsecurity=False).hexdigest()
    who = f"{_AUTHOR} {_START} +0000"
    commit = f"tree {tree_id}\nauthor {who}\ncommitter {who}\n\nbomb\n".encode()
    entries += [
        _entry(2, len(tree)) + zlib.compress(tree),
        _entry(1, len(commit)) + zlib.compress(commit),
    ]
    pack = b"PACK" + (2).to_bytes(4, "big") + len(entries).to_bytes(4, "big") + b"".join(entries)
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()
    return pack, Repository.id_of("commit", commit)


_COPY = 0xFFFFFF


def _entry(kind: int, size: int) -> bytes:
    """An object's head in a pack: three bits of kind, four of size, then seven at a time."""
    first, size = (kind << 4) | (size & 15), size >> 4
    return bytes((first | (0x80 if size else 0),)) + (_size(size) if size else b"")


def _size(size: int) -> bytes:
    parts = bytearray()
    while size > 0x7F:
        parts.append(0x80 | (size & 0x7F))
        size >>= 7
    parts.append(size)
    return bytes(parts)


def _copy(at: int, size: int) -> bytes:
    return b"\xff" + at.to_bytes(4, "little") + size.to_bytes(3, "little")
