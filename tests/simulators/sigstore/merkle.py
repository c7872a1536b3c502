"""The Merkle tree of RFC 6962 section 2.1, over leaf hashes in a list."""

from __future__ import annotations

from hashlib import sha256

__all__ = ["leaf_hash", "path", "root"]


def leaf_hash(body: bytes) -> bytes:
    """What the tree keeps of an entry."""
    return sha256(b"\0" + body).digest()


def _split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves: list[bytes]) -> bytes:
    """The tree head over at least one leaf."""
    if len(leaves) == 1:
        return leaves[0]
    middle = _split(len(leaves))
    return sha256(b"\1" + root(leaves[:middle]) + root(leaves[middle:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The audit path of leaf `index`, from its sibling upwards."""
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if index < middle:
        return [*path(index, leaves[:middle]), root(leaves[middle:])]
    return [*path(index - middle, leaves[middle:]), root(leaves[:middle])]
