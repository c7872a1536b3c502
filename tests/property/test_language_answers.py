"""What every answer says, over the whole policy language."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import given

from stagepass.decision import Answer, Code
from stagepass.policy.evaluate import wanted
from stagepass.policy.releases import Claim
from stagepass.stage import Place
from tests.property.language import bundles, changes, moments, places, world
from tests.property.releases import claims
from tests.property.test_language_laws import decide
from tests.property.worlds import LAW
from tests.world import IMAGE


@LAW
@given(changes, bundles, places, moments, claims)
def test_what_is_excused_is_told_and_never_kept(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    claims: dict[str, Claim],
) -> None:
    decision = decide(world(altered), some, place, now, claims=claims)
    excused = {Code.BREAK_GLASS, Code.EXEMPT} & set(decision.notes)

    if excused:
        assert decision.notices
        assert decision.warnings[: len(decision.notices)] == decision.notices
        assert decision.valid_until is not None
        assert decision.valid_until <= now
    if Code.BREAK_GLASS in excused:
        ordinary = [name for name in some if "glass" not in name]
        assert (
            decide(world(altered), ordinary, place, now, claims=claims).answer
            is not Answer.ADMITTED
        )


@LAW
@given(changes, bundles, places, moments, claims)
def test_an_answer_says_why(
    altered: dict[str, Any],
    some: list[str],
    place: Place,
    now: datetime,
    claims: dict[str, Claim],
) -> None:
    policy = world(altered)
    decision = decide(policy, some, place, now, claims=claims)

    assert decision.violations == tuple(sorted(set(decision.violations)))
    if decision.answer is Answer.ADMITTED:
        assert len(decision.met) == decision.required
        assert {m.predicate_type for m in decision.met} <= wanted(policy, IMAGE, place)
    else:
        assert decision.unmet
