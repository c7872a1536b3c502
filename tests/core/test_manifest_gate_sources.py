"""Where releases lie: what cannot be read, what was tampered with, what is kept, and many at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stagepass.decision import Answer, Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline, DirectorySource
from stagepass.release.artifact import line_digest
from stagepass.release.build import Terms
from stagepass.release.model import Release
from stagepass.release.shelf import Shelf
from stagepass.release.store import DirectoryBlobs, ReleaseSource
from tests.core.gated import BOTH, OBJECTS, PRODUCTION, REQUIRED, World, a_pod, cart, gated, said
from tests.policy.signed import emergency, policy
from tests.release.samples import COMMIT, CONFIG, DEPLOYMENT, a_release, altered, payload_of
from tests.world import DIGEST, OTHER_DIGEST, STRANGER, codes, signed, stored

LINE = line_digest("shop", "production")
DOWN = Code.REGISTRY_UNAVAILABLE


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@dataclass
class Counted:
    """A directory that counts what it is asked for, and can be taken away."""

    root: Path
    failure: Code | None = None
    lists: int = 0
    blobs: int = 0
    slow: threading.Event | None = None
    asked: list[Digest] = field(default_factory=list)

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        self._ask(digest, deadline)
        self.lists += digest == LINE
        yield from DirectorySource(self.root).batches(image, digest, wanted, deadline)

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
        self._ask(digest, deadline)
        self.blobs += 1
        return DirectoryBlobs(self.root).blob(repository, digest, deadline)

    def _ask(self, digest: Digest, deadline: Deadline) -> None:
        self.asked.append(digest)
        if self.slow is not None:
            self.slow.wait(deadline.remaining())
        if self.failure is not None:
            raise Unavailable(self.failure, "registry.example.com did not answer")


def source_of(counted: Counted, *, is_remote: bool = False) -> ReleaseSource:
    return ReleaseSource(counted, counted, is_remote=is_remote)


class TestTampered:
    def objects_of(self, world: World, release: Release) -> Path:
        return world.root / "blobs" / "sha256" / release.statement.objects.hex

    def test_other_objects_than_were_signed_admit_nothing(self, world: World) -> None:
        release = world.released()
        path = self.objects_of(world, release)
        path.write_bytes(release.data.replace("grün".encode(), b"rot  "))
        for document in (CONFIG, altered(CONFIG, data__colour="rot")):
            decision = world.judge(document)
            assert decision.answer is Answer.UNDETERMINED
            assert "holds other bytes" in said(decision)

    def test_objects_of_another_release_are_not_taken_for_them(self, world: World) -> None:
        release = world.released()
        other = world.released(altered(CONFIG, data__colour="rot"), DEPLOYMENT)
        self.objects_of(world, release).write_bytes(other.data)

        assert world.judge(CONFIG).answer is Answer.UNDETERMINED
        assert world.judge(altered(CONFIG, data__colour="rot")).answer is Answer.ADMITTED

    def test_a_bundle_that_was_changed_is_none(self, world: World) -> None:
        world.released()
        for path in (world.root / f"sha256-{LINE.hex}").iterdir():
            path.write_bytes(path.read_bytes().replace(b'"payload":"ey', b'"payload":"eZ', 1))
        decision = world.judge(CONFIG)

        assert codes(decision) == ["MANIFEST_UNATTESTED"]

    def test_a_release_moved_to_the_line_of_another_stage_is_none(self, world: World) -> None:
        """Its line is what was signed, not where it lies."""
        release = a_release(*OBJECTS, terms=Terms("shop", "staging", "x", COMMIT))
        DirectorySource(world.root).write(LINE, signed(payload_of(release), "ci"))
        DirectoryBlobs(world.root).put(release.data)

        assert codes(world.judge(CONFIG)) == ["MANIFEST_UNATTESTED"]


class TestDown:
    @pytest.mark.parametrize("code", [DOWN, Code.DEADLINE, Code.EVIDENCE_LIMIT])
    def test_what_could_not_be_asked_is_not_known_and_not_kept(
        self, world: World, code: Code
    ) -> None:
        world.released()
        counted = Counted(world.root, failure=code)
        verifier = world.verifier(source_of(counted))
        for document in (CONFIG, DEPLOYMENT, a_pod()):
            decision = world.judge(document, verifier=verifier)
            assert (decision.answer, decision.allowed) == (Answer.UNDETERMINED, False)
            assert code in codes(decision)
        counted.failure = None
        for document in (CONFIG, DEPLOYMENT, a_pod()):
            assert world.judge(document, verifier=verifier).answer is Answer.ADMITTED

    def test_what_differs_is_not_known_to_differ(self, world: World) -> None:
        """A newer release might hold it."""
        world.released()
        down = source_of(Counted(world.root, failure=DOWN))
        verifier = world.verifier(ReleaseSource.directory(world.root), down)

        assert world.judge(CONFIG, verifier=verifier).answer is Answer.ADMITTED
        changed = world.judge(altered(CONFIG, data__a="b"), verifier=verifier)
        assert changed.answer is Answer.UNDETERMINED

    def test_once_known_it_is_admitted_without_asking(self, world: World) -> None:
        world.released()
        counted = Counted(world.root)
        verifier = world.verifier(source_of(counted))
        assert world.judge(CONFIG, verifier=verifier).answer is Answer.ADMITTED
        counted.failure = DOWN
        images = ReleaseSource.directory(world.root).bundles
        again = world.verifier(ReleaseSource(images, counted))

        assert world.judge(CONFIG, verifier=verifier).answer is Answer.ADMITTED
        assert world.judge(CONFIG, verifier=again).answer is Answer.UNDETERMINED

    def test_break_glass_in_a_directory_admits_all_the_same(
        self, world: World, tmp_path: Path
    ) -> None:
        glass = tmp_path / "glass"
        for digest in BOTH:
            stored(glass, [emergency(digest=digest)], digest)
        down = source_of(Counted(world.root, failure=DOWN))
        verifier = world.verifier(ReleaseSource.directory(glass), down)
        decision = world.judge(DEPLOYMENT, verifier=verifier)

        assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.BREAK_GLASS,))

    def test_objects_that_cannot_be_read_hide_no_other_release(self, world: World) -> None:
        world.released()
        lost = world.released(altered(CONFIG, data__colour="rot"), DEPLOYMENT)
        (world.root / "blobs" / "sha256" / lost.statement.objects.hex).unlink()

        assert world.judge(CONFIG).answer is Answer.ADMITTED
        assert world.judge(altered(CONFIG, data__colour="rot")).answer is Answer.UNDETERMINED

    def test_objects_are_read_from_whichever_source_has_them(
        self, world: World, tmp_path: Path
    ) -> None:
        """A directory with the bundles alone, and a second with all of it."""
        world.released()
        bundles = ReleaseSource(DirectorySource(world.root), DirectoryBlobs(tmp_path / "none"))
        verifier = world.verifier(bundles, ReleaseSource.directory(world.root))

        assert world.judge(CONFIG, verifier=verifier).answer is Answer.ADMITTED

    @pytest.mark.parametrize("enforcement", ["enforce", "warn", "audit"])
    def test_one_pipeline_that_could_not_be_asked_leaves_it_open(
        self, tmp_path: Path, enforcement: str
    ) -> None:
        """An object without images is of any stage of the place, and refused as by the strictest."""
        strict = cart(
            manifests="required",
            enforcement=enforcement,
            release={"from": ["ci"], "repository": "down.example.com/cart/releases"},
        )
        world = World(tmp_path, policy(REQUIRED, strict))
        world.released()
        remote = source_of(Counted(tmp_path / "none", failure=DOWN), is_remote=True)
        verifier = world.verifier(ReleaseSource.directory(tmp_path), remote)

        assert world.judge(CONFIG, verifier=verifier).answer is Answer.ADMITTED
        other = world.judge(altered(CONFIG, data__a="b"), verifier=verifier)
        assert (other.answer, other.allowed) == (Answer.UNDETERMINED, False)

    def test_without_a_repository_no_registry_is_asked(self, world: World) -> None:
        world.released()
        counted = Counted(world.root)
        verifier = world.verifier(source_of(counted, is_remote=True))

        assert codes(world.judge(CONFIG, verifier=verifier)) == ["MANIFEST_UNATTESTED"]
        assert counted.asked == []

    def test_a_deadline_that_has_passed_is_undetermined(self, world: World) -> None:
        world.released()
        decision = world.judge(CONFIG, seconds=-1)
        assert (decision.answer, codes(decision)) == (Answer.UNDETERMINED, ["DEADLINE"])


class TestKept:
    def test_an_admitted_object_is_judged_once(self, world: World) -> None:
        world.released()
        counted = Counted(world.root)
        verifier = world.verifier(source_of(counted))
        for _ in range(3):
            for document in OBJECTS:
                assert world.judge(document, verifier=verifier).answer is Answer.ADMITTED
        assert (counted.lists, counted.blobs) == (1, 1)

    def test_a_changed_field_is_another_object(self, world: World) -> None:
        world.released()
        verifier = world.verifier()
        assert world.judge(DEPLOYMENT, verifier=verifier).answer is Answer.ADMITTED
        for changes in ({"spec__replicas": 9}, {"metadata__labels__a": "b"}):
            found = altered(DEPLOYMENT, **changes)
            assert codes(world.judge(found, verifier=verifier)) == ["MANIFEST_DIFFERS"]

    def test_a_new_policy_set_reads_no_objects_again(self, world: World) -> None:
        world.released()
        counted, shelf = Counted(world.root), Shelf()
        world.judge(CONFIG, verifier=world.verifier(source_of(counted), shelf=shelf))
        world.policy = gated({"pipeline.stages.2.release": {"from": ["scanner"]}})
        decision = world.judge(CONFIG, verifier=world.verifier(source_of(counted), shelf=shelf))

        assert codes(decision) == ["MANIFEST_UNATTESTED"], "whose word counts is the new set's"
        assert counted.blobs == 1

    def test_a_release_that_comes_later_is_found(self, world: World) -> None:
        world.released()
        verifier = world.verifier()
        second = altered(CONFIG, data__colour="rot")
        assert codes(world.judge(second, verifier=verifier)) == ["MANIFEST_DIFFERS"]
        world.released(second, DEPLOYMENT)
        assert world.judge(second, verifier=verifier).answer is Answer.ADMITTED

    def test_a_shelf_that_is_full_reads_again(self, world: World) -> None:
        first = world.released()
        second = altered(CONFIG, data__colour="rot")
        world.released(second, DEPLOYMENT)
        counted = Counted(world.root)
        verifier = world.verifier(source_of(counted), shelf=Shelf(max_bytes=len(first.data)))
        for _ in range(2):
            for document in (altered(CONFIG, data__a="1"), altered(second, data__a="1")):
                assert codes(world.judge(document, verifier=verifier)) == ["MANIFEST_DIFFERS"]
        assert counted.blobs > 2

    def test_junk_beside_a_line_pushes_nothing_out_and_is_bounded(self, world: World) -> None:
        world.released()
        verifier = world.verifier()
        assert world.judge(CONFIG, verifier=verifier).answer is Answer.ADMITTED
        folder = world.root / f"sha256-{LINE.hex}"
        for number in range(300):
            payload = payload_of(world_release(number))
            (folder / f"0{number:03}.sigstore.json").write_bytes(signed(payload, STRANGER))
            if number % 45 == 44:
                world.judge(altered(CONFIG, data__a=str(number)), verifier=verifier)
                for path in folder.glob("0*"):
                    path.unlink()
        line = verifier.releases.rejections(
            verifier.policy.pipelines[0], verifier.policy.pipelines[0].stages[2]
        )

        assert len(line) <= 100
        assert world.judge(altered(CONFIG), verifier=verifier).answer is Answer.ADMITTED


def world_release(number: int) -> Release:
    return a_release(altered(CONFIG, data__number=str(number)), DEPLOYMENT, terms=PRODUCTION)


class TestManyAtOnce:
    def test_many_pods_of_one_release_read_it_once(self, world: World) -> None:
        world.released()
        counted = Counted(world.root, slow=threading.Event())
        verifier = world.verifier(source_of(counted))
        pods = [a_pod(metadata__name=f"checkout-7d4b9c6f5d-{c}2345") for c in "bcdfghjklmnp"]

        def judge(pod: dict[str, object]) -> Answer:
            return world.judge(pod, verifier=verifier).answer

        with ThreadPoolExecutor(len(pods)) as pool:
            pending = [pool.submit(judge, pod) for pod in pods]
            assert counted.slow is not None
            threading.Timer(0.2, counted.slow.set).start()
            assert {each.result() for each in pending} == {Answer.ADMITTED}

        assert counted.blobs == 1

    def test_good_and_bad_at_once_are_told_apart(self, world: World) -> None:
        world.released()
        verifier = world.verifier()
        documents = [altered(CONFIG, data__size=str(n % 3)) for n in range(48)]
        with ThreadPoolExecutor(12) as pool:
            found = list(pool.map(lambda d: world.judge(d, verifier=verifier).answer, documents))

        for document, answer in zip(documents, found, strict=True):
            good = document["data"]["size"] == "1"
            assert answer is (Answer.ADMITTED if good else Answer.DENIED)


def test_evidence_of_images_that_is_missing_is_no_matter_of_the_manifest(world: World) -> None:
    world.released(passed=[DIGEST])
    decision = world.judge(DEPLOYMENT)

    assert decision.answer is Answer.DENIED
    assert not {c for c in codes(decision) if c.startswith("MANIFEST")}
    assert {v.image.rpartition(":")[2] for v in decision.violations} == {OTHER_DIGEST.hex}
