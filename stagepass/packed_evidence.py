"""
Evidence as one file, which a ConfigMap can carry: bundles by the digest that they are about, and blobs.

After a first line comes a zlib stream of records `NAMELENGTH:NAME:LENGTH:CONTENT`, lengths in bytes, in
the order of names, which are those of an evidence directory. Nothing in it is believed: a bundle is
verified like a stranger's, and a blob is known by its digest.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.policy import packed

SUFFIX = ".evidence"
"""Of the file's name, or the ConfigMap's key."""
MAX_PACKED = packed.MAX_PACKED
"""What Kubernetes lets the values of one ConfigMap take, in bytes."""
MAX_UNPACKED = 16 << 20
"""A packed file may say more with a thousandth of it: 1 MiB of zlib can hold 1 GiB."""

_HEADER = b"stagepass.dev/evidence/v1\n"
_MAX_RECORDS = 5_000
_RECORD_BYTES = 512  # of digests and entries; 230 were measured
_BUNDLE = re.compile(r"sha256-([0-9a-f]{64})/([0-9a-f]{64})\.sigstore\.json", re.ASCII)
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PackedEvidence:
    """Bundles by the digest of their subject, in a stable order, and blobs by their own."""

    bundles: Mapping[Digest, tuple[bytes, ...]] = field(default_factory=dict)
    blobs: Mapping[Digest, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """At most so many bytes of memory it takes."""
        bundles = [data for found in self.bundles.values() for data in found]
        return sum(_RECORD_BYTES + len(data) for data in (*bundles, *self.blobs.values()))


def pack(bundles: Iterable[tuple[Digest, bytes]], blobs: Iterable[bytes]) -> bytes:
    """
    The packed form, the same for the same evidence in any order.

    Raises `InputError` where it would be more than one ConfigMap holds: nothing is ever left out.
    """
    files = {
        f"sha256-{about.hex}/{Digest.of(data).hex}.sigstore.json": data for about, data in bundles
    }
    files |= {f"blobs/sha256/{Digest.of(data).hex}": data for data in blobs}
    body = b"".join(packed.records(files))
    found = _HEADER + zlib.compress(body, 9)
    if len(found) > MAX_PACKED or len(body) > MAX_UNPACKED or len(files) > _MAX_RECORDS:
        raise InputError(
            f"{len(files)} files take {len(found)} bytes packed and {len(body)} unpacked; one"
            f" ConfigMap holds {MAX_PACKED}, and a reader takes {MAX_UNPACKED}"
        )
    return found


def unpack(data: bytes) -> PackedEvidence:
    """
    What `pack` was given. Raises `InputError` for what it does not write, whatever it expands to.

    A record whose name is not the digest of its content is one of those.
    """
    if len(data) > MAX_PACKED:
        raise InputError(f"over {MAX_PACKED} bytes")
    if not data.startswith(_HEADER):
        raise InputError("does not begin as packed evidence")
    bundles: dict[Digest, list[bytes]] = {}
    blobs: dict[Digest, bytes] = {}
    for name, content in _records(_expanded(data[len(_HEADER) :])):
        if match := _BUNDLE.fullmatch(name):
            bundles.setdefault(_digest(match[1]), []).append(content)
        elif match := _BLOB.fullmatch(name):
            blobs[_digest(match[1])] = content
        else:
            raise InputError(f"{name[:200]!a} is not the name of evidence")
        if Digest.of(content).hex != match[match.lastindex or 1]:
            raise InputError(f"{name} holds other bytes")
    return PackedEvidence({about: tuple(found) for about, found in bundles.items()}, blobs)


def _expanded(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(data, MAX_UNPACKED + 1)
    except zlib.error as error:
        raise InputError(f"not packed evidence: {error}") from error
    if len(body) > MAX_UNPACKED:
        raise InputError(f"expands to over {MAX_UNPACKED} bytes")
    if not stream.eof or stream.unused_data:
        raise InputError("not packed evidence: cut off, or more behind its end")
    return body


def _records(body: bytes) -> Iterator[tuple[str, bytes]]:
    at, before = 0, ""
    for count in range(_MAX_RECORDS + 1):
        if at == len(body):
            return
        if count == _MAX_RECORDS:
            raise InputError(f"over {_MAX_RECORDS} records")
        raw, at = packed.field(body, at)
        if body[at : at + 1] != b":":
            raise InputError("not packed evidence: a name without its end")
        content, at = packed.field(body, at + 1)
        name = raw.decode("ascii", "replace")
        if name <= before:
            raise InputError("not packed evidence: names out of order")
        before = name
        yield name, content


def _digest(text: str) -> Digest:
    return Digest.parse(f"sha256:{text}")
