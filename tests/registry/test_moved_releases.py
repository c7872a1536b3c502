"""`evidence copy` and `mirror` with --policy: releases in another registry, and across an air gap."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stagepass.digest import ImageRef
from stagepass.predicates.release import RELEASE
from stagepass.release.store import write_directory
from tests.cli import conftest
from tests.cli.conftest import Shop
from tests.core.gated import PRODUCTION, REQUIRED
from tests.policy.signed import ATTESTORS, beside
from tests.registry.moved import FAR, HOST, LINE, RELEASES, World, listing, releases
from tests.release.samples import a_release, altered, payload_of
from tests.simulators.registry import Registry
from tests.world import SECOND, STRANGER, signed, write_policy

shop = conftest.shop


@pytest.fixture
def world(shop: Shop, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with Registry() as second:
        yield World(shop, registry, second, monkeypatch)


def test_a_gate_that_has_only_the_mirror_admits_what_was_released(world: World) -> None:
    """From one registry to another, out of that into a directory, and offline to a decision."""
    world.release()
    objects = (world.deployment(), world.config(0))
    copied = world.copy()
    world.ask(world.second)
    assert world.admit(*objects, evidence=()) == ["admitted"] * 2
    mirrored = world.mirror()

    assert [each.code for each in (*copied, mirrored)] == [0, 0, 0]
    assert world.admit_by_the_gap(*objects) == ["admitted"] * 2
    assert world.admit_by_the_gap(altered(world.config(0), data__colour="rot")) == ["denied"]


def test_without_a_policy_no_release_goes_along(world: World) -> None:
    world.release()
    plain = world.shop.run(
        "evidence", "mirror", *map(str, world.images), "--to", f"dir:{world.gap}"
    )

    assert plain.code == 0
    assert world.admit_by_the_gap(world.config(0)) == ["denied"]


def test_every_digest_and_time_is_the_same_in_the_second_registry(world: World) -> None:
    """Whoever pinned an artifact finds it there, and the newest is the newest there as well."""
    for _ in range(3):
        world.release()
    first = releases(world.copy()[0])
    listed = [
        listing(each, ImageRef.parse(f"{HOST}/{RELEASES}")) for each in (world.first, world.second)
    ]

    assert listed[0] == listed[1]
    assert len(listed[0]) == 3
    assert [line["stage"] for line in first] == ["production"] * 3


def test_a_registry_without_the_referrers_api_takes_them(world: World) -> None:
    world.second.faults.referrers = False
    world.release()
    world.release()
    copied, again = world.copy()[0], world.copy()[0]
    world.ask(world.second)

    assert (copied.code, again.code) == (0, 0)
    assert [bool(line["stored"]) for line in releases(copied) + releases(again)] == [True] * 2 + [
        False
    ] * 2
    assert world.admit(world.config(0), world.config(1), evidence=()) == ["admitted"] * 2


def test_a_second_time_nothing_is_moved(world: World) -> None:
    release = world.release()
    first, again = world.mirror(), world.mirror()
    (line,), (same,) = releases(first), releases(again)
    copied, copied_again = world.copy(), world.copy()
    there = releases(copied[0])[0]["stored"]

    assert line["release"] == str(release.digest)
    assert line["artifact"] == str(release.artifact_digest)
    assert (line["pipeline"], line["stage"], line["signer"]) == ("shop", "production", "ci")
    assert line["stored"] == str(world.line_of(world.gap)[0])
    assert (same["stored"], same["code"]) == ("", "")
    assert there.startswith(f"{world.second.host}/{RELEASES}@sha256:")
    assert [each["stored"] for each in releases(copied_again[0])] == [""]


def test_what_was_lost_of_a_mirror_comes_back(world: World) -> None:
    release = world.release()
    world.mirror()
    for name in (release.statement.objects.hex, release.digest.hex):
        (world.gap / "blobs" / "sha256" / name).write_bytes(b"cut off")
        (line,) = releases(world.mirror())

        assert line["stored"]
        assert world.admit_by_the_gap(world.config(0)) == ["admitted"]


def test_what_does_not_count_is_left_behind_and_said(world: World) -> None:
    world.release()
    world.release(by=STRANGER)
    world.first.attach(RELEASES, str(LINE), b"junk", predicate_type=RELEASE)
    result = world.mirror()

    assert result.code == 0
    assert sorted(line["code"] for line in releases(result)) == [
        "",
        "SIGNER_UNKNOWN",
        "STATEMENT_INVALID",
    ]
    assert len(world.line_of(world.gap)) == 1


def test_a_revoked_release_is_left_behind(world: World) -> None:
    release = world.release()
    listed = world.shop.policy / "revoked.json"
    what = ("--artifact", str(release.digest), "--reason", "bad configuration")
    world.shop.run("revoke", str(listed), "--key", world.shop.key("ci"), *what)
    rule = "apiVersion: stagepass.dev/v1\nkind: Revocations\nfile: revoked.json\nfrom: [ci]\n"
    (world.shop.policy / "revocations.yaml").write_text(rule)
    (line,) = releases(world.mirror())

    assert (line["code"], line["stored"]) == ("REVOKED", "")
    assert world.line_of(world.gap) == []


def test_objects_that_lie_elsewhere_are_found_there(world: World, tmp_path: Path) -> None:
    """The registry lost them, and a directory that was filled before has them."""
    release = world.release()
    write_directory(tmp_path / "other", release, signed(payload_of(release), "ci"))
    world.first.faults.path_status = {f"blobs/{release.statement.objects}": 404}
    found = world.mirror("--evidence", "registry", "--evidence", f"dir:{tmp_path}/other")

    assert found.code == 0
    assert all(line["stored"] for line in releases(found))


class TestOrder:
    def test_the_files_have_the_times_of_their_releases(self, world: World) -> None:
        """What comes back from a directory is in order again."""
        for _ in range(3):
            world.release()
        lines = releases(world.mirror())
        times = [Path(line["stored"]).stat().st_mtime for line in lines]

        assert times == [(world.start + n * SECOND).timestamp() for n in (2, 1, 0)]
        world.copy("--evidence", f"dir:{world.gap}")
        where = ImageRef.parse(f"{HOST}/{RELEASES}")
        assert listing(world.second, where) == listing(world.first, where)

    def test_a_time_ahead_of_the_clock_is_now(self, world: World) -> None:
        """Else whoever may write the first registry would keep its favourite the newest for ever."""
        world.start = FAR
        world.release()
        (line,) = releases(world.mirror())

        assert Path(line["stored"]).stat().st_mtime <= datetime.now(UTC).timestamp()


class TestArguments:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["--policy", "POLICY"],
            ["--releases-to", "a.test/x"],
            ["--policy", "POLICY", "--releases-to", "a.test/x:1"],
            ["--policy", "nowhere", "--releases-to", "a.test/x"],
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, world: World, arguments: list[str]) -> None:
        given = [str(world.shop.policy) if each == "POLICY" else each for each in arguments]
        to = f"{world.second.host}/shop/checkout"
        world.second.requests.clear()
        result = world.shop.run("evidence", "copy", str(world.images[0]), to, *given)

        assert (result.code, world.second.requests) == (64, [])

    def test_a_stage_without_a_repository_has_to_lie_in_a_directory(self, world: World) -> None:
        rule = {"pipeline.stages.2.release": {"from": ["ci"]}}
        write_policy(world.shop.policy, {**ATTESTORS, **REQUIRED, **rule}, extra=beside())
        release = a_release(world.deployment(), world.config(0), terms=PRODUCTION)
        write_directory(world.shop.evidence, release, signed(payload_of(release), "ci"))
        unknown = world.mirror()
        known = world.mirror("--evidence", f"dir:{world.shop.evidence}")

        assert unknown.code == 2
        assert "names no repository for the releases of shop/production" in unknown.err
        assert (known.code, len(releases(known))) == (0, 1)

    def test_a_policy_that_has_no_such_stage_says_so(self, world: World) -> None:
        write_policy(world.shop.policy, ATTESTORS, extra=beside())
        result = world.mirror()

        assert (result.code, releases(result)) == (0, [])
        assert "no stage takes releases" in result.err

    def test_people_are_told_what_was_moved(self, world: World) -> None:
        release = world.release()
        world.release(by=STRANGER)
        text = world.mirror(output="text").out

        assert f"release {release.digest} of shop/production to {world.gap}" in text
        assert "left out " in text
        assert "shop/production: 1 moved, 0 there already, 1 left out\n" in text
        assert "is there already\n" in world.mirror(output="text").out


def test_on_a_terminal_it_says_how_far_it_is(world: World) -> None:
    """And elsewhere not: `Shop.run` has no terminal, and standard output is only for results."""
    world.release()
    leader, follower = pty.openpty()
    command = [
        str(Path(sys.executable).with_name("stagepass")),
        "evidence",
        "mirror",
        str(world.images[0]),
    ]
    to = ["--to", f"dir:{world.gap}", "--policy", str(world.shop.policy), "--output", "json"]
    ran = subprocess.run(
        [*command, *to], stdout=subprocess.PIPE, stderr=follower, timeout=60, check=False
    )
    os.close(follower)
    shown = os.read(leader, 65_536).decode()
    os.close(leader)

    assert ran.returncode == 0
    assert "release 1 of 1 of shop/production" in shown
    assert all(json.loads(line) for line in ran.stdout.splitlines())
    assert "1 of 1" not in world.mirror().err
