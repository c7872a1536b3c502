from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from applier.ran import Ran
from applier.soak import Soak
from stagepass.digest import Digest
from stagepass.manifest import ObjectId

DIGEST, OTHER = (Digest.of(text) for text in (b"one", b"other"))
WEB = ObjectId("apps", "Deployment", "shop", "web")
T0 = datetime(2026, 1, 1, tzinfo=UTC)
GAP = timedelta(minutes=2)


def soaked(*looks: tuple[int, bool, dict[Digest, Ran]]) -> Soak:
    """(minute, healthy, what ran), one after the other."""
    soak = Soak()
    for minute, healthy, found in looks:
        soak = soak.looked(T0 + timedelta(minutes=minute), healthy, found, gap=GAP)
    return soak


def serves(number: int = 1, restarts: int = 0, digest: Digest = DIGEST) -> dict[Digest, Ran]:
    pods = {f"pod-{each}": restarts for each in range(number)}
    return {digest: Ran(digest, frozenset({WEB}), pods, frozenset())}


ENDED = {OTHER: Ran(OTHER, frozenset(), {}, frozenset({"job"}))}


def test_health_must_last() -> None:
    soak = soaked((0, True, serves()), (1, True, serves()), (2, True, serves()))

    assert soak.ends(timedelta(minutes=5)) == T0 + timedelta(minutes=5)
    assert soak.is_over(T0 + timedelta(minutes=2), timedelta(minutes=2))
    assert not soak.is_over(T0 + timedelta(minutes=2), timedelta(minutes=3))
    assert not soak.is_over(T0 + timedelta(hours=1), timedelta(minutes=3)), "nobody looked since"
    assert not Soak().is_over(T0, timedelta())
    assert Soak().ends(timedelta()) is None


@pytest.mark.parametrize(
    ("looks", "since"),
    [
        ([(0, True), (1, False), (2, True)], 2),
        ([(0, True), (1, False)], None),
        ([(0, True), (3, True)], 3),
        ([(5, True), (4, True)], 4),
        ([(0, False), (1, True), (2, True), (4, True)], 1),
    ],
)
def test_a_loss_a_gap_and_a_clock_gone_back_start_again(
    looks: list[tuple[int, bool]], since: int | None
) -> None:
    soak = soaked(*((minute, healthy, serves()) for minute, healthy in looks))

    assert soak.since == (None if since is None else T0 + timedelta(minutes=since))


def test_a_digest_must_be_there_in_every_look() -> None:
    there, gone, both = serves(), {}, serves() | serves(digest=OTHER)

    assert set(soaked((0, True, there), (1, True, there)).passing()) == {DIGEST}
    assert soaked((0, True, there), (1, True, gone)).passing() == {}
    assert soaked((0, True, there), (1, True, gone), (2, True, there)).passing() == {}
    assert set(soaked((0, True, there), (1, True, both)).passing()) == {DIGEST}
    assert set(
        soaked((0, True, there), (1, True, gone), (2, False, gone), (3, True, there)).passing()
    )
    assert soaked((0, False, there)).passing() == {}


def test_a_job_succeeds_once_and_for_all() -> None:
    looks = [(0, False, ENDED), (1, True, serves()), (2, True, serves())]

    assert set(soaked(*looks).passing()) == {DIGEST, OTHER}
    assert set(soaked((0, True, serves() | ENDED), (1, True, serves())).passing()) == {
        DIGEST,
        OTHER,
    }


def test_a_job_does_not_pass_for_a_deployment_of_the_same_image() -> None:
    same = {DIGEST: Ran(DIGEST, frozenset(), {"pod-0": 0}, frozenset({"job"}))}

    assert set(soaked((0, True, same), (1, True, serves())).passing()) == {DIGEST}
    assert soaked((0, True, same), (1, True, {})).passing() == {}


def test_the_fewest_pods_and_all_restarts_are_told() -> None:
    looks = [
        (0, True, serves(3)),
        (1, True, serves(1, restarts=2)),
        (2, True, serves(2, restarts=2)),
    ]

    [seen] = soaked(*looks).passing().values()

    assert (seen.ready, seen.restarts, seen.since) == (1, 4, T0)


def test_an_image_whose_job_ended_first_passes_by_its_pods() -> None:
    """A migration before the rollout: its digest then serves from the start of health."""
    migrated = {DIGEST: Ran(DIGEST, frozenset(), {}, frozenset({"job"}))}

    [seen] = (
        soaked((0, False, migrated), (1, True, serves()), (2, True, serves())).passing().values()
    )

    assert (seen.ready, seen.since) == (1, T0 + timedelta(minutes=1))
    late = soaked((0, True, migrated), (1, True, serves())).passing()
    assert late == {}, "its first Pod came after the start"
