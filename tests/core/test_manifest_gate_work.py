"""What a refused object costs: a line of many releases is not compared from its beginning each time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from stagepass.attested import Search
from stagepass.decision import Answer, Code
from stagepass.evidence import Deadline
from stagepass.manifests import compare
from tests.core.gated import World, a_pod
from tests.release.samples import CONFIG, DEPLOYMENT, altered
from tests.world import NOW, codes


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def deployments(release: int, **changes: Any) -> list[dict[str, Any]]:
    """Eight of one template, of which each release has another size."""
    return [
        altered(DEPLOYMENT, metadata__name=f"d{n}", spec__replicas=release + 1, **changes)
        for n in range(8)
    ]


def test_a_refused_pod_is_compared_with_each_template_once(world: World) -> None:
    for release in range(6):
        world.released(*deployments(release), *([DEPLOYMENT] if release % 2 else []))
    world.released(*deployments(9, spec__template__spec__containers__0__args=["--port", "1"]))
    verifier = world.verifier()
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code is compare.of_kind.__code__

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        evil = altered(a_pod(), spec__containers__0__command=["evil"])
        decision = world.judge(evil, verifier=verifier)
    finally:
        sys.setprofile(before)

    assert (codes(decision), calls) == (["MANIFEST_DIFFERS"], 2)
    assert "containers[0].command" in decision.violations[0].path


def test_a_pod_is_of_every_release_whose_template_is_its_own(world: World) -> None:
    """The newest of them lacks its passes: an older one of the same template admits."""
    old = world.released(*deployments(0))
    world.released(*deployments(1), CONFIG, passed=[])
    verifier = world.verifier()
    decision = world.judge(a_pod(), verifier=verifier)

    assert decision.answer is Answer.ADMITTED
    shop = verifier.policy.pipelines[0]
    rule = shop.stages[2].release
    assert rule is not None
    book, images = verifier.releases, tuple(c["image"] for c in a_pod()["spec"]["containers"])
    search = Search(book, shop, shop.stages[2], rule, a_pod(), images, True)
    found = [match.claim.release for match in search.matches(NOW, Deadline.after(60))]

    assert len(set(found)) == 2
    assert old.digest in found


def test_a_deadline_ends_a_long_search_of_what_is_open(world: World) -> None:
    world.released()
    verifier = world.verifier()
    assert world.judge(CONFIG, verifier=verifier).answer is Answer.ADMITTED
    shop = verifier.policy.pipelines[0]
    rule = shop.stages[2].release
    assert rule is not None
    search = Search(verifier.releases, shop, shop.stages[2], rule, CONFIG, (), True)

    assert list(search.matches(NOW, Deadline.after(-1))) == []
    assert search.failure is not None
    assert search.failure.code == Code.DEADLINE
