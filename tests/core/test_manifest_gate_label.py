"""The label by which an applier knows its objects: whoever may write it must not give them away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagepass.decision import Answer, Code
from stagepass.objects import APPLICATION_LABEL
from tests.core.gated import OBJECTS, REQUIRED, World, a_pod, cart, said
from tests.policy.signed import policy
from tests.release.samples import CONFIG, altered
from tests.world import codes

OURS = "shop.production"
CART = cart()


def of(application: str | None, document: dict[str, Any] = CONFIG) -> dict[str, Any]:
    labels = dict(document["metadata"].get("labels", {}))
    if application is not None:
        labels[APPLICATION_LABEL] = application
    return altered(document, metadata__labels=labels)


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path, policy(REQUIRED, CART))
    found.released()
    return found


@pytest.mark.parametrize("document", [*OBJECTS, a_pod()], ids=lambda each: each["kind"])
def test_it_names_a_stage_of_its_place(world: World, document: dict[str, Any]) -> None:
    for application in (None, OURS, "cart.live"):
        decision = world.judge(of(application, document))
        assert decision.answer is Answer.ADMITTED, said(decision)
    for other in ("evil", "", "shop.test", "shop.staging", 5):
        changed = of(OURS, document)
        changed["metadata"]["labels"][APPLICATION_LABEL] = other
        decision = world.judge(changed)
        assert decision.answer is Answer.DENIED, other
        assert "MANIFEST_DIFFERS" in codes(decision)
        path = f"metadata.labels[{APPLICATION_LABEL}]"
        assert path in {violation.path for violation in decision.violations}


@pytest.mark.parametrize(("old", "new"), [(OURS, "evil"), (None, "evil"), ("evil", "other")])
def test_a_change_to_any_other_word_is_no_unchanged_object(
    world: World, old: str | None, new: str
) -> None:
    assert world.judge(of(new), of(old)).answer is Answer.DENIED


@pytest.mark.parametrize(("old", "new"), [("evil", OURS), (None, OURS), (OURS, None)])
def test_it_is_set_right_on_what_is_released(
    world: World, old: str | None, new: str | None
) -> None:
    decision = world.judge(of(new), of(old))

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, ())


def test_what_has_it_wrong_already_can_be_drained_still(world: World) -> None:
    decision = world.judge(altered(of("evil"), metadata__finalizers=[]), of("evil"))

    assert decision.notes == (Code.UNCHANGED,)
