"""
From decisions to what the clock will make of them: who asked the verifier also wants to know *until when*.

`verifier.telling(heard)` judges as ever; what it was asked, with the evidence it found, is then `heard`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from stagepass.decision import Answer, Decision, Violation
from stagepass.policy.outlook import (
    Accepts,
    Question,
    admitted_from,
    admitted_until,
    by_enforcement,
    by_evidence,
)

__all__ = ["Foreseen", "Heard", "by_enforcement", "by_evidence"]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """
    A decision and what the clock makes of it: see `stagepass.policy.outlook`, in whole seconds.

    `until` is only of what is denied, `admitted_until` only of what is admitted.
    """

    decision: Decision
    until: datetime | None = None
    admitted_until: datetime | None = None


class Heard:
    """What a verifier judged: each image in its place once, with all the evidence that was read."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Question] = {}

    def __call__(self, question: Question) -> None:
        """Of the same question the last one counts: evidence only grows."""
        claims = tuple(sorted(question.claims.items()))
        self._found[question.image, question.place, claims] = question

    def until(
        self, decisions: Iterable[Decision], now: datetime, accepts: Accepts = by_evidence
    ) -> datetime | None:
        """
        The first moment at which all that was heard is accepted on the same evidence (`admitted_from`).

        `decisions` are those that are not accepted at `now`. None where only evidence or a change of
        what is judged helps: also where one of them is undetermined, or refuses what was never heard
        of, as an image whose name is none.
        """
        questions, refused = tuple(self._found.values()), list(decisions)
        if not questions or any(d.answer is not Answer.DENIED for d in refused):
            return None
        told = {_reason(v) for question in questions for v in question.at(now).violations}
        if not told.issuperset(_reason(v) for decision in refused for v in decision.violations):
            return None
        return admitted_from(questions, now, accepts)

    def admitted_until(self, now: datetime, accepts: Accepts = by_evidence) -> datetime | None:
        """The first moment at which one of what was heard is no longer accepted; None without end."""
        return admitted_until(tuple(self._found.values()), now, accepts)

    def foresee(self, decision: Decision, now: datetime) -> Foreseen:
        """Of the decision over all that was heard, by the evidence whatever the enforcement."""
        if decision.answer is Answer.ADMITTED:
            return Foreseen(decision, admitted_until=self.admitted_until(now))
        return Foreseen(decision, until=self.until([decision], now))


def _reason(violation: Violation) -> tuple[str, ...]:
    v = violation
    return (v.image, v.pipeline, v.stage, v.requirement, str(v.code))
