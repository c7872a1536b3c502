"""Evidence in one file: the same whatever the order, bounded both ways, and nothing else is taken for it."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.packed_evidence import MAX_PACKED, MAX_UNPACKED, PackedEvidence, pack, unpack
from tests.world import DIGEST, OTHER_DIGEST

HEADER = b"stagepass.dev/evidence/v1\n"
NAME = f"sha256-{DIGEST.hex}/{Digest.of(b'one').hex}.sigstore.json"
_BYTES = st.binary(max_size=64)
_BUNDLES = st.lists(st.tuples(st.sampled_from([DIGEST, OTHER_DIGEST]), _BYTES), max_size=8)


def packed(*records: tuple[str, bytes]) -> bytes:
    """By hand: whatever the names are."""
    body = b"".join(f"{len(n)}:{n}:{len(c)}:".encode() + c for n, c in records)
    return HEADER + zlib.compress(body)


@given(_BUNDLES, st.lists(_BYTES, max_size=4), st.permutations(range(8)))
def test_what_was_packed_is_unpacked_and_the_order_is_of_no_matter(
    bundles: list[tuple[Digest, bytes]], blobs: list[bytes], order: list[int]
) -> None:
    found = unpack(pack(bundles, blobs))

    assert {(about, each) for about in found.bundles for each in found.bundles[about]} == {*bundles}
    assert dict(found.blobs) == {Digest.of(each): each for each in blobs}
    mixed = [bundles[i] for i in order if i < len(bundles)]
    assert pack(bundles, blobs) == pack(mixed, reversed(blobs))


def test_nothing_packs_to_something() -> None:
    assert unpack(pack([], [])) == PackedEvidence()


def test_too_much_is_refused_and_never_cut() -> None:
    noise = random.Random(1).randbytes(MAX_PACKED)  # noqa: S311  # what zlib cannot shrink
    with pytest.raises(InputError, match="one ConfigMap holds"):
        pack([], [noise])
    with pytest.raises(InputError, match="a reader takes"):
        pack([], [bytes(MAX_UNPACKED)])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not begin"),
        (b"stagepass.dev/policy-set/v1\n", "does not begin"),
        (HEADER, "cut off"),
        (HEADER + b"plain", "not packed evidence"),
        (HEADER + zlib.compress(bytes(MAX_UNPACKED + 1)), "expands"),
        (bytes(MAX_PACKED + 1), "over"),
        (packed((NAME, b"one"))[:-1], "cut off"),
        (packed((NAME, b"one")) + b"x", "more behind"),
        (packed((NAME, b"two")), "other bytes"),
        (packed(("policy.yaml", b"one")), "not the name of evidence"),
        (packed((f"../{NAME}", b"one")), "not the name of evidence"),
        (packed((NAME, b"one"), (NAME, b"one")), "out of order"),
        (HEADER + zlib.compress(b"3:abc"), "a name without its end"),
        (HEADER + zlib.compress(b"99:abc"), "no length"),
        (HEADER + zlib.compress(b"3:abc:9:x"), "no length"),
    ],
)
def test_anything_else_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        unpack(data)


def test_a_bomb_takes_no_more_memory_than_the_cap() -> None:
    """1 MiB that would expand to 1 GiB."""
    stream = zlib.compressobj(9)
    bomb = HEADER + b"".join(stream.compress(bytes(1 << 20)) for _ in range(900)) + stream.flush()
    assert len(bomb) < MAX_PACKED
    tracemalloc.start()
    with pytest.raises(InputError, match="expands"):
        unpack(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 3 * MAX_UNPACKED
