"""`evidence copy` and `mirror` of releases where something fails or is too much: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stagepass.digest import ImageRef
from stagepass.evidence import MAX_CANDIDATES
from stagepass.release.store import write_directory
from tests.cli import conftest
from tests.cli.conftest import Shop
from tests.registry.moved import HOST, LINE, RELEASES, World, listing, releases
from tests.release.samples import payload_of
from tests.simulators.registry import Registry
from tests.world import signed

shop = conftest.shop


@pytest.fixture
def world(shop: Shop, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with Registry() as second:
        yield World(shop, registry, second, monkeypatch)


class TestFailures:
    def test_objects_that_cannot_be_read_keep_no_other_release(self, world: World) -> None:
        lost, kept = world.release(), world.release()
        world.first.faults.path_status = {f"blobs/{lost.statement.objects}": 500}
        result = world.mirror()
        by_release = {line["release"]: line for line in releases(result)}

        assert result.code == 2
        assert by_release[str(lost.digest)]["code"] == "REGISTRY_UNAVAILABLE"
        assert by_release[str(kept.digest)]["stored"]
        assert world.admit_by_the_gap(world.config(1)) == ["admitted"]
        world.first.faults.path_status = {}
        again = {line["release"]: bool(line["stored"]) for line in releases(world.mirror())}
        assert again == {str(lost.digest): True, str(kept.digest): False}

    def test_objects_that_are_not_those_that_were_signed_are_not_written(
        self, world: World
    ) -> None:
        release = world.release()
        path = world.shop.root / "other"
        write_directory(path, release, signed(payload_of(release), "ci"))
        blob = path / "blobs" / "sha256" / release.statement.objects.hex
        blob.write_bytes(release.data.replace("grün".encode(), b"rot  "))
        result = world.mirror("--evidence", f"dir:{path}")

        assert result.code == 2
        assert "holds other bytes" in releases(result)[0]["message"]
        assert not world.gap.exists()

    def test_a_target_that_fails_in_the_middle_says_what_was_moved(self, world: World) -> None:
        old, new = world.release(), world.release()
        world.second.faults.path_status = {f"manifests/{old.artifact_digest}": 503}
        result = world.copy()[0]
        moved = {line["release"]: bool(line["stored"]) for line in releases(result)}

        assert (result.code, moved) == (2, {str(new.digest): True, str(old.digest): False})
        assert "answered 503" in result.err
        world.ask(world.second)
        assert world.admit(world.config(1), evidence=()) == ["admitted"]
        world.second.faults.path_status = {}
        world.ask(world.first)
        assert [each.code for each in world.copy()] == [0, 0]
        world.ask(world.second)
        assert world.admit(world.config(0), world.config(1), evidence=()) == ["admitted"] * 2

    def test_after_a_write_that_fails_no_other_is_tried(self, world: World) -> None:
        for _ in range(3):
            world.release()
        world.second.faults.path_status = {f"{RELEASES}/blobs/uploads": 403}
        result = world.copy()[0]

        assert (result.code, len(releases(result))) == (2, 1)

    @pytest.mark.parametrize("path", [str(LINE), "referrers"])
    def test_a_line_that_cannot_be_read_is_undetermined(self, world: World, path: str) -> None:
        world.release()
        world.first.faults.path_status = {f"{RELEASES}/{path}": 500, f"referrers/{LINE}": 500}
        result = world.mirror()

        assert (result.code, releases(result)) == (2, [])
        assert "answered 500" in result.err

    def test_a_directory_that_cannot_be_written(self, world: World) -> None:
        world.release()
        world.gap.mkdir()
        (world.gap / "blobs").write_text("in the way")
        result = world.mirror()

        assert result.code == 2
        assert [line["code"] for line in releases(result)] == ["REGISTRY_UNAVAILABLE"]
        assert world.line_of(world.gap) == []


class TestBound:
    def test_the_fifty_newest_are_moved(self, world: World) -> None:
        found = [world.release(passed=False) for _ in range(MAX_CANDIDATES + 2)]
        result = world.mirror()
        text = world.mirror(output="text").out

        assert result.code == 0
        assert [line["release"] for line in releases(result)] == [
            str(each.digest) for each in reversed(found[2:])
        ]
        assert len(world.line_of(world.gap)) == MAX_CANDIDATES
        assert "0 moved, 50 there already, 0 left out; older ones are not read" in text

        where = ImageRef.parse(f"{HOST}/{RELEASES}")
        _, newest = max((at, digest) for digest, at in listing(world.first, where))
        world.first.faults.path_status = {f"manifests/{newest}": 500}
        assert world.mirror().code == 2  # one of the fifty was not read
        world.first.faults.path_status = {}

        newer = world.release(passed=False)
        full = world.mirror()
        assert full.code == 2
        assert [(line["release"], line["code"]) for line in releases(full)][:1] == [
            (str(newer.digest), "EVIDENCE_LIMIT")
        ]
        assert len(world.line_of(world.gap)) == MAX_CANDIDATES

    def test_junk_that_hides_every_release_is_undetermined(self, world: World) -> None:
        world.release()
        world.junk(MAX_CANDIDATES)
        result = world.mirror()

        assert (result.code, world.line_of(world.gap)) == (2, [])
        assert "none of those read counts" in result.err

    def test_junk_that_leaves_one_release_hides_no_more_than_from_a_gate(
        self, world: World
    ) -> None:
        world.release()
        world.junk(MAX_CANDIDATES - 1)
        result = world.mirror()

        assert (result.code, len(world.line_of(world.gap))) == (0, 1)
