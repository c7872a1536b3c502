"""Room in the cache of evidence on disk: its limits, what goes first, and who shares it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stagepass.digest import Digest
from stagepass.diskcache import EvidenceCache, Limits
from stagepass.evidence import Deadline
from stagepass.predicates.members import STAGE_PASSED
from stagepass.release.model import MAX_BYTES
from tests.core.test_diskcache import bundles
from tests.world import IMAGE


def digests(count: int) -> list[Digest]:
    return [Digest.of(str(i).encode()) for i in range(count)]


@pytest.mark.parametrize("limits", [Limits(entries=64), Limits(size=64 * 100)])
def test_it_stays_within_its_limits_and_the_oldest_go_first(tmp_path: Path, limits: Limits) -> None:
    cache = EvidenceCache(tmp_path, limits)
    written = digests(300)
    for moment, digest in enumerate(written, start=1):
        cache.keep(digest, [b"x" * 100])
        cache.settle()
        (path,) = bundles_of(tmp_path, digest)
        os.utime(path, (moment, moment))
        assert len(bundles(tmp_path)) <= 64
    kept = [bool(bundles_of(tmp_path, digest)) for digest in written]

    assert sum(kept) >= 48
    assert kept == sorted(kept)
    assert len(list(tmp_path.iterdir())) == sum(kept)


def bundles_of(root: Path, digest: Digest) -> list[Path]:
    return list((root / f"sha256-{digest.hex}").glob("*"))


def test_what_is_read_stays(tmp_path: Path) -> None:
    """Oldest means longest unused: what the cluster runs is asked for again and again."""
    used, unused = digests(2)
    cache = EvidenceCache(tmp_path, Limits(entries=32))
    for digest in (used, unused):
        cache.keep(digest, [b"x"])
        cache.settle()
        os.utime(bundles_of(tmp_path, digest)[0], (1, 1))
    list(cache.batches(IMAGE, used, frozenset({STAGE_PASSED}), Deadline.after(60)))
    for digest in digests(33)[2:]:
        cache.keep(digest, [b"y"])
        cache.settle()
        os.utime(bundles_of(tmp_path, digest)[0], (2, 2))

    assert bundles_of(tmp_path, used)
    assert not bundles_of(tmp_path, unused)


def test_making_room_follows_no_link_and_removes_nothing_else(tmp_path: Path) -> None:
    """Whoever can write into it must not choose what is deleted."""
    outside, root = tmp_path / "outside", tmp_path / "cache"
    for folder in (outside, root / "notes", root / f"sha256-{'0' * 64}"):
        folder.mkdir(parents=True)
    (outside / "a.sigstore.json").write_text("keep")
    (root / "notes" / "b.sigstore.json").write_text("keep")
    (root / f"sha256-{'1' * 64}").symlink_to(outside)
    (root / f"sha256-{'0' * 64}" / "c.sigstore.json").symlink_to(outside / "a.sigstore.json")
    cache = EvidenceCache(root, Limits(entries=0))
    for digest in digests(4):
        cache.keep(digest, [b"x"])
    cache.settle()

    assert (outside / "a.sigstore.json").read_text() == "keep"
    assert (root / "notes" / "b.sigstore.json").read_text() == "keep"


def blob_of(root: Path, data: bytes) -> Path:
    return root / "blobs" / "sha256" / Digest.of(data).hex


def stored(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def test_the_largest_release_is_kept_though_it_is_more_than_a_share(tmp_path: Path) -> None:
    cache = EvidenceCache(tmp_path)
    largest = b"x" * MAX_BYTES
    cache.keep_blob(b"first")
    cache.settle()
    cache.keep_blob(largest)
    cache.settle()

    assert blob_of(tmp_path, largest).exists()
    assert blob_of(tmp_path, b"first").exists()


def test_large_objects_stay_within_the_limits_as_well(tmp_path: Path) -> None:
    cache = EvidenceCache(tmp_path, Limits(size=32_000))
    for moment in range(1, 30):
        data = b"%4d" % moment + b"x" * 3_996
        cache.keep_blob(data)
        cache.settle()
        assert blob_of(tmp_path, data).exists()
        os.utime(blob_of(tmp_path, data), (moment, moment))
        assert stored(tmp_path) <= 32_000
    assert stored(tmp_path) >= 20_000


def test_what_would_fill_the_cache_is_not_kept_and_takes_nothing_away(tmp_path: Path) -> None:
    """Nor is a sweep started: whoever brings it would bring it again and again."""
    cache = EvidenceCache(tmp_path, Limits(size=32_000))
    cache.keep_blob(b"small")
    cache.settle()
    for data in (b"x" * 8_001, b"x" * 64_000):
        cache.keep_blob(data)
        cache.settle()
        assert not blob_of(tmp_path, data).exists()
    cache.keep_blob(b"x" * 8_000)
    cache.settle()

    assert stored(tmp_path) == 8_005


_WRITER = """
import sys
from pathlib import Path
from stagepass.digest import Digest
from stagepass.diskcache import EvidenceCache, Limits

told = []
cache = EvidenceCache(Path(sys.argv[1]), Limits(entries=320), told.append)
for number in range(2000):
    cache.keep(Digest.of(b"%d" % (number % 700)), [sys.argv[2].encode()])
cache.settle()
print(*told)
"""


def test_two_processes_that_write_at_once_stay_within_the_limits(tmp_path: Path) -> None:
    """Each makes room while the other writes into the same folders, and neither fails."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), name],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for name in ("one", "two")
    ]
    told = [writer.communicate(timeout=120)[0].strip() for writer in writers]

    assert told == ["", ""]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert 0 < len(bundles(tmp_path)) <= 320
    assert all(path.suffix == ".json" for path in bundles(tmp_path)), "no half bundle is left"
