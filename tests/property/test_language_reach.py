"""That the laws of the whole language are tried on what they are about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import find, settings
from hypothesis import strategies as st

from stagepass.decision import Answer, Code
from stagepass.policy.releases import Attested, Claim
from stagepass.stage import Place
from tests.property.language import ARCHIVE, GOOD, bundles, changes, world
from tests.property.releases import claims
from tests.property.test_language_laws import decide
from tests.property.worlds import LAW
from tests.world import DAY, NOW, PROD_EU, PROD_US, STAGING, TEST


@pytest.mark.parametrize("place", [TEST, STAGING, PROD_EU, PROD_US, ARCHIVE])
@pytest.mark.parametrize("answer", [Answer.ADMITTED, Answer.DENIED])
def test_the_laws_are_tried_on_admitted_and_on_denied(place: Place, answer: Answer) -> None:
    found = find(
        bundles, lambda some: decide(world({}), some, place).answer is answer, settings=LAW
    )

    assert decide(world({}), found, place).answer is answer


@pytest.mark.parametrize("note", [Code.EXEMPT, Code.BREAK_GLASS])
def test_the_laws_are_tried_on_what_is_excused(note: Code) -> None:
    def excused(tried: tuple[dict[str, Any], list[str]]) -> bool:
        altered, some = tried
        return note in decide(world(altered), some, PROD_EU).notes

    altered, some = find(st.tuples(changes, bundles), excused, settings=LAW)
    assert excused((altered, some))


@pytest.mark.parametrize("place", [STAGING, PROD_EU])
def test_the_laws_are_tried_on_what_a_release_alone_decides(place: Place) -> None:
    """Admitted by evidence of the release, where the same without a release would not do."""
    required = {f"pipeline.stages.{n}.manifests": "required" for n in (1, 2)}
    policy = world(required)

    def told_apart(tried: tuple[list[str], dict[str, Claim]]) -> bool:
        some, known = tried
        without = [name for name in some if ", of release" not in name]
        return (
            isinstance(known.get("shop"), Attested)
            and decide(policy, some, place, claims=known).answer is Answer.ADMITTED
            and decide(policy, without, place, claims=known).answer is Answer.DENIED
            and decide(policy, without, place).answer is Answer.ADMITTED
        )

    many = settings(LAW, max_examples=5_000)
    assert told_apart(find(st.tuples(bundles, claims), told_apart, settings=many))


def test_the_laws_are_tried_on_what_only_a_receipt_lets_stay() -> None:
    saturday = NOW + 2 * DAY
    names = [*GOOD, "entered prod-eu"]

    assert decide(world({}), names, PROD_EU, saturday).answer is Answer.ADMITTED
    assert decide(world({}), list(GOOD), PROD_EU, saturday).answer is Answer.DENIED
