"""What a gate asks a registry for, by number: a line of releases is read once, and once for all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stagepass.decision import Answer
from stagepass.digest import Digest, ImageRef
from stagepass.diskcache import EvidenceCache, Limits
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline, DirectorySource
from stagepass.registry.client import RegistryClient
from stagepass.registry.readings import Readings
from stagepass.registry.source import RegistrySource
from stagepass.release.book import ReleaseBook
from stagepass.release.pushed import RegistryBlobs, push_release
from stagepass.release.shelf import Shelf
from stagepass.release.store import ReleaseSource
from stagepass.verifier import Verifier
from tests.core.gated import BOTH, PRODUCTION, World, a_pod, gated, passes
from tests.registry.conftest import Connect
from tests.release.samples import CONFIG, DEPLOYMENT, a_release, altered, payload_of
from tests.simulators.registry import Registry
from tests.world import IMAGE, NOW, SECOND, codes, signed, stored

NAME = "shop/releases"


@dataclass
class Gate:
    """Its releases lie in a registry, the evidence of its images in a directory."""

    world: World
    registry: Registry
    client: RegistryClient
    source: RegistrySource
    released: int = 0

    def release(self, config: dict[str, Any]) -> None:
        release = a_release(DEPLOYMENT, config, terms=PRODUCTION)
        where = ImageRef.parse(f"{self.registry.host}/{NAME}")
        bundle = signed(payload_of(release), "ci")
        at = NOW + self.released * SECOND
        push_release(self.client, where, release, bundle, at, Deadline.after(20))
        for digest in BOTH:
            stored(self.world.root, passes(release, digest), digest)
        self.released += 1
        self.registry.requests.clear()

    def verifier(self, cache: Path | None = None) -> Verifier:
        """A gate started now; the connection and what is behind it stay."""
        remote = ReleaseSource(self.source, RegistryBlobs(self.client), is_remote=True)
        store = EvidenceCache(cache) if cache else None
        book = ReleaseBook(self.world.policy, [remote], Shelf(), store)
        return Verifier(self.world.policy, [DirectorySource(self.world.root)], releases=book)

    def asked(self) -> list[str]:
        """What was asked for since the last time, in words."""
        paths = [r.path.partition("?")[0] for r in self.registry.requests]
        self.registry.requests.clear()
        return [path.split("/")[-2] for path in paths]


@pytest.fixture
def gate(tmp_path: Path, registry: Registry, connect: Connect, source: RegistrySource) -> Gate:
    rule = {"from": ["ci"], "repository": f"{registry.host}/{NAME}"}
    world = World(tmp_path / "evidence", gated({"pipeline.stages.2.release": rule}))
    return Gate(world, registry, connect(registry.host), source)


def config(number: int) -> dict[str, Any]:
    return altered(CONFIG, data__number=str(number))


def test_a_cold_object_costs_the_line_the_newest_bundles_and_its_objects(gate: Gate) -> None:
    """1 + 2N for N releases, one blob; what comes after it costs nothing."""
    for number in range(3):
        gate.release(config(number))
    verifier = gate.verifier()
    assert gate.world.judge(config(2), verifier=verifier).answer is Answer.ADMITTED
    assert sorted(gate.asked()) == ["blobs"] * 4 + ["manifests"] * 3 + ["referrers"]

    for document in (DEPLOYMENT, a_pod(), config(2)):
        assert gate.world.judge(document, verifier=verifier).answer is Answer.ADMITTED
    assert gate.asked() == []


def test_a_miss_lists_and_reads_only_what_is_new(gate: Gate) -> None:
    for number in range(12):
        gate.release(config(number))
    verifier = gate.verifier()
    unknown = altered(CONFIG, metadata__name="unknown")
    assert codes(gate.world.judge(unknown, verifier=verifier)) == ["MANIFEST_UNATTESTED"]
    assert gate.asked().count("blobs") == 12, "no objects: none of them names it"

    for _ in range(2):
        assert codes(gate.world.judge(unknown, verifier=verifier)) == ["MANIFEST_UNATTESTED"]
        # The listing, the index in its tag, and what cosign 2 attaches.
        assert sorted(gate.asked()) == ["manifests", "manifests", "referrers"]
    gate.release(config(99))
    assert gate.world.judge(config(99), verifier=verifier).answer is Answer.ADMITTED
    assert sorted(gate.asked()) == ["blobs", "blobs", "manifests", "referrers"]


def test_a_new_policy_set_lists_and_reads_nothing_again(gate: Gate) -> None:
    for number in range(3):
        gate.release(config(number))
    assert gate.world.judge(config(2), verifier=gate.verifier()).answer is Answer.ADMITTED
    gate.asked()

    assert gate.world.judge(config(2), verifier=gate.verifier()).answer is Answer.ADMITTED
    assert sorted(gate.asked()) == ["blobs", "referrers"], "its objects: the shelf was a new one"


def test_many_new_pods_at_once_are_one_set_of_reads(gate: Gate) -> None:
    gate.release(CONFIG)
    verifier = gate.verifier()
    pods = [a_pod(metadata__name=f"checkout-7d4b9c6f5d-{c}2345") for c in "bcdfghjklmnp"]
    gate.registry.faults.latency = 0.02
    with ThreadPoolExecutor(len(pods)) as pool:
        found = list(pool.map(lambda p: gate.world.judge(p, verifier=verifier).answer, pods))

    assert set(found) == {Answer.ADMITTED}
    assert gate.asked().count("blobs") == 2, "one bundle, one time the objects"


class TestDiskCache:
    @pytest.fixture
    def cache(self, tmp_path: Path) -> Path:
        (tmp_path / "cache").mkdir()
        return tmp_path / "cache"

    def test_a_warm_start_asks_nobody_and_outlives_the_registry(
        self, gate: Gate, cache: Path
    ) -> None:
        gate.release(CONFIG)
        for document in (CONFIG, DEPLOYMENT):
            gate.world.judge(document, verifier=gate.verifier(cache))
        gate.asked()
        gate.registry.stop()

        for document in (CONFIG, DEPLOYMENT, a_pod()):
            decision = gate.world.judge(document, verifier=gate.verifier(cache))
            assert decision.answer is Answer.ADMITTED
        assert gate.asked() == []
        changed = altered(CONFIG, data__a="b")
        decision = gate.world.judge(changed, verifier=gate.verifier(cache))
        assert decision.answer is Answer.UNDETERMINED

    @pytest.mark.parametrize("what", ["bundle", "objects", "both"])
    def test_what_was_tampered_with_admits_nothing(
        self, gate: Gate, cache: Path, what: str
    ) -> None:
        """And is read anew where it can be."""
        gate.release(CONFIG)
        assert gate.world.judge(CONFIG, verifier=gate.verifier(cache)).answer is Answer.ADMITTED
        files = {
            "bundle": list(cache.glob("sha256-*/*")),
            "objects": list(cache.glob("blobs/sha256/*")),
        }
        assert [len(each) for each in files.values()] == [1, 1]
        evil = altered(CONFIG, data__colour="rot")
        for path in files["bundle"] + files["objects"] if what == "both" else files[what]:
            path.write_bytes(path.read_bytes().replace("grün".encode(), b"rot  ")[:-1] + b"]")
        assert gate.world.judge(CONFIG, verifier=gate.verifier(cache)).answer is Answer.ADMITTED
        assert gate.world.judge(evil, verifier=gate.verifier(cache)).answer is Answer.DENIED

    def test_a_line_keeps_as_many_as_are_read_and_the_newest(self, cache: Path) -> None:
        store = EvidenceCache(cache)
        line = a_release(CONFIG, DEPLOYMENT, terms=PRODUCTION).digest
        for number in range(60):
            store.keep(line, [b"bundle %02d" % number])
        found = [
            candidate.data
            for batch in store.batches(IMAGE, line, frozenset(), Deadline.after(5))
            for candidate in batch
        ]
        assert sorted(found) == [b"bundle %02d" % number for number in range(10, 60)]

    def test_blobs_are_swept_with_the_rest(self, cache: Path) -> None:
        store = EvidenceCache(cache, Limits(entries=64))
        for number in range(300):
            store.keep_blob(b"objects %d" % number)
            store.settle()
        assert len(list(cache.glob("blobs/sha256/*"))) <= 64

    def test_a_blob_is_hashed_again(self, cache: Path) -> None:
        store = EvidenceCache(cache)
        store.keep_blob(b"objects")
        (path,) = cache.glob("blobs/sha256/*")
        path.write_bytes(b"others!")
        with pytest.raises(Unavailable, match="other bytes"):
            store.blob(IMAGE, Digest.of(b"objects"), Deadline.after(5))


def test_readings_are_bounded_by_number_and_size() -> None:
    kept = Readings(max_entries=3, max_bytes=100)
    for number in range(5):
        kept.put(number, [Candidate(b"x" * 10, "")])
    assert [kept.get(n) is not None for n in range(5)] == [False, False, True, True, True]
    kept.put("big", [Candidate(b"x" * 95, "")])
    assert [kept.get(n) for n in range(5)] == [None] * 5
    kept.put("bigger", [Candidate(b"x" * 101, "")])
    assert kept.get("bigger") is None
    kept.put("junk", ())
    assert kept.get("junk") == ()
