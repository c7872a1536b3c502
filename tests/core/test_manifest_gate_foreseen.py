"""What the clock does to an object of a release: only what it is admitted by is looked ahead at."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer, Decision
from stagepass.digest import Digest
from stagepass.foreseen import Heard, by_enforcement
from stagepass.policy.outlook import Question, admitted_until
from tests.core.gated import SERVICE, World, gated
from tests.policy.test_manifests import ATTESTED, SHOP, full
from tests.release.samples import CONFIG, DEPLOYMENT, altered
from tests.world import HOUR, IMAGE, NOW, PROD_EU, verified


def judged(world: World, document: dict[str, Any]) -> tuple[Decision, datetime | None]:
    heard = Heard()
    verifier = world.verifier().telling(heard, cached=False)
    decision = world.judge(document, verifier=verifier)
    return decision, heard.admitted_until(NOW, by_enforcement)


def test_the_end_of_the_key_that_signed_the_release_is_foreseen() -> None:
    claim = replace(ATTESTED, signer="ci", payload_digest=Digest.of(b"x"), until=NOW + HOUR)
    question = Question(SHOP, IMAGE, PROD_EU, verified(SHOP, full()), {"shop": claim})

    assert question.at(NOW).answer is Answer.ADMITTED
    assert question.at(NOW + HOUR).answer is Answer.DENIED
    assert admitted_until([question], NOW) == NOW + HOUR


def test_it_is_foreseen_at_the_gate(tmp_path: Path) -> None:
    key = {"file": "keys/stranger.pub", "owner": "rel", "validUntil": format_time(NOW + HOUR)}
    changes = {"attestors.rel": {"keys": [key]}, "pipeline.stages.2.release": {"from": ["rel"]}}
    world = World(tmp_path, gated(changes))
    world.released(by="stranger")

    assert judged(world, CONFIG)[1] == NOW + HOUR


@pytest.mark.parametrize("document", [CONFIG, DEPLOYMENT], ids=lambda d: d["kind"])
def test_a_newer_release_that_is_not_admitted_ends_nothing(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    """Its other image has passed nothing; the older release, which holds the object as well, is whole."""
    world = World(tmp_path)
    world.released()
    before = judged(world, document)
    assert before[0].answer is Answer.ADMITTED
    image = f"registry.example.com/shop/checkout@{Digest.of(b'new')}"
    second = altered(DEPLOYMENT, metadata__name="second")
    second["spec"]["template"]["spec"]["containers"][0]["image"] = image
    for number in range(6):
        service = altered(SERVICE, metadata__labels={"n": str(number)})
        world.released(DEPLOYMENT, CONFIG, second, service, passed=[])

    assert judged(world, document) == before
