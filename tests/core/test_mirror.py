"""Evidence that somebody put into the cluster: enough to decide by, and a stranger's word."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from stagepass.decision import Answer, Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline, DirectorySource
from stagepass.mirror import Mirror
from stagepass.packed_evidence import pack
from stagepass.release.artifact import line_digest
from stagepass.release.store import DirectoryBlobs, ReleaseSource
from tests.core.gated import BOTH, OBJECTS, World
from tests.release.samples import CONFIG, DEPLOYMENT, altered
from tests.world import DIGEST, IMAGE, codes, signed_pass

LINE = line_digest("shop", "production")
FOREVER = Deadline.after(600)


@dataclass
class Registry:
    """The directory of a world, counted."""

    root: Path
    requests: int = 0

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        self.requests += 1
        yield from DirectorySource(self.root).batches(image, digest, wanted, deadline)

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
        self.requests += 1
        return DirectoryBlobs(self.root).blob(repository, digest, deadline)


class Place:
    """A released and passed version, which lies in a registry and in a mirror."""

    def __init__(self, root: Path) -> None:
        self.world = World(root / "registry")
        self.release = self.world.released()
        self.root = root / "mirror"
        self.root.mkdir()
        self.registry = Registry(self.world.root)
        self.mirror = Mirror(self.root)

    def bundles(self) -> list[tuple[Digest, bytes]]:
        found = []
        for digest in (*BOTH, LINE):
            for batch in DirectorySource(self.world.root).batches(
                IMAGE, digest, frozenset(), FOREVER
            ):
                found += [(digest, candidate.data) for candidate in batch]
        return found

    def write(self, data: bytes, name: str = "shop.production.evidence") -> None:
        """As a mounted ConfigMap changes: whole, and by another file."""
        partial = self.root / ".partial"
        partial.write_bytes(data)
        os.replace(partial, self.root / name)  # noqa: PTH105

    def fill(self) -> None:
        self.write(pack(self.bundles(), [self.release.data]))

    def comes(self, digest: Digest) -> bytes:
        """The blob, as soon as the mirror has looked again."""
        end = Deadline.after(5)
        while True:
            try:
                return self.mirror.blob(IMAGE, digest, end)
            except Unavailable as error:
                if error.code == Code.DEADLINE:
                    raise

    def answer(self, document: object) -> Answer:
        remote = ReleaseSource(self.registry, self.registry)
        verifier = self.world.verifier(Mirror(self.root).source(), remote)
        return self.world.judge(document, verifier=verifier).answer


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("document", OBJECTS, ids=lambda each: each["kind"])
def test_a_cold_decision_asks_no_registry(place: Place, document: object) -> None:
    assert place.answer(document) is Answer.ADMITTED
    assert place.registry.requests > 0  # an empty mirror hides nothing
    place.registry.requests = 0
    place.fill()

    assert place.answer(document) is Answer.ADMITTED
    assert place.registry.requests == 0


def test_what_is_not_in_it_is_asked_for_elsewhere(place: Place) -> None:
    place.fill()

    assert place.answer(altered(CONFIG, data__colour="green")) is Answer.DENIED
    assert place.registry.requests > 0


def test_every_byte_of_it_is_a_strangers(place: Place) -> None:
    """Who may write the ConfigMap can sign with a key of their own, and move bundles to other digests."""
    strangers = [(DIGEST, signed_pass("test", by="stranger"))]
    moved = [(DIGEST, data) for about, data in place.bundles() if about != DIGEST]
    lacking = [(about, data) for about, data in place.bundles() if about != DIGEST]
    place.write(pack([*strangers, *moved, *lacking], [place.release.data]))
    verifier = place.world.verifier(Mirror(place.root).source())

    decision = place.world.judge(DEPLOYMENT, verifier=verifier)

    assert decision.answer is Answer.DENIED
    assert "SIGNER_UNKNOWN" in codes(decision)


def test_objects_of_another_release_are_never_taken_for_it(place: Place) -> None:
    """A blob is known by its digest: what a file says is another's is not there."""
    place.write(pack(place.bundles(), [b"[]"]))

    with pytest.raises(Unavailable):
        place.mirror.blob(IMAGE, place.release.statement.objects, FOREVER)


def test_it_is_read_again_when_it_changes(place: Place) -> None:
    mirror = Mirror(place.root)
    assert list(mirror.batches(IMAGE, DIGEST, frozenset(), FOREVER)) == [[]]
    place.fill()

    end = Deadline.after(5)
    while not next(mirror.batches(IMAGE, DIGEST, frozenset(), FOREVER)):
        end.remaining()

    assert mirror.blob(IMAGE, place.release.statement.objects, FOREVER) == place.release.data


def test_a_file_that_is_none_hides_no_other_and_is_told(place: Place) -> None:
    place.fill()
    place.write(b"not evidence", "broken.evidence")
    os.mkfifo(place.root / "pipe.evidence")

    batches = place.mirror.batches(IMAGE, DIGEST, frozenset(), FOREVER)

    assert len(next(batches)) == 4
    with pytest.raises(Unavailable, match=r"broken\.evidence"):
        next(batches)
    assert place.answer(DEPLOYMENT) is Answer.ADMITTED


def test_a_directory_that_is_gone_is_not_an_empty_one(place: Place) -> None:
    mirror = Mirror(place.root / "gone")

    with pytest.raises(Unavailable) as caught:
        list(mirror.batches(IMAGE, DIGEST, frozenset(), FOREVER))

    assert caught.value.code == Code.REGISTRY_UNAVAILABLE


def test_two_files_with_the_same_bundle_have_it_once(place: Place) -> None:
    place.fill()
    place.write(pack(place.bundles(), []), "another.evidence")

    (batch,) = place.mirror.batches(IMAGE, DIGEST, frozenset(), FOREVER)

    assert len(batch) == len({candidate.data for candidate in batch}) == 4


def test_all_files_together_have_a_cap_and_what_is_over_it_is_told(place: Place) -> None:
    """A ConfigMap has many keys: 10 bombs of 15 KiB each would hold 150 MiB of a gate's memory."""
    bombs = {f"{at}.evidence": bytes([at]) * (15 << 20) for at in range(5)}
    for name, blob in bombs.items():
        place.write(pack([], [blob]), name)
    place.write(pack(place.bundles(), []), "small.evidence")
    *held, last = (Digest.of(blob) for blob in bombs.values())

    for digest in held:
        assert place.mirror.blob(IMAGE, digest, FOREVER)
    with pytest.raises(Unavailable, match=r"4\.evidence: .* over 67108864 bytes"):
        place.mirror.blob(IMAGE, last, FOREVER)
    assert len(next(place.mirror.batches(IMAGE, DIGEST, frozenset(), FOREVER))) == 4

    (place.root / "0.evidence").unlink()
    assert place.comes(last) == bombs["4.evidence"]
    place.write(pack([], [bombs["0.evidence"]]), "0.evidence")
    assert place.comes(held[0]) == bombs["0.evidence"]
    with pytest.raises(Unavailable, match=r"4\.evidence: .* over 67108864 bytes"):
        place.mirror.blob(IMAGE, last, FOREVER)


def test_many_small_records_count_for_what_they_take(place: Place) -> None:
    """An object of Python takes more than the record: 5,000 are 1 MB unpacked and 3 MB held."""
    for at in range(30):
        place.write(
            pack([(Digest.of(b"%d %d" % (at, n)), b"") for n in range(5_000)], []),
            f"{at:02}.evidence",
        )

    with pytest.raises(Unavailable, match=r"evidence: .* over 67108864 bytes"):
        place.mirror.blob(IMAGE, DIGEST, FOREVER)
