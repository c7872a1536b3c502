"""
What the clock alone will do to a decision: from when the same evidence would admit, and until when it does.

`until` is the earliest moment, `now` included, at which every image of a version would be admitted on
exactly the evidence that is there today; where there is none, it waits for evidence, never for the
clock. `admitted until` is the earliest moment, `now` included, at which that evidence no longer admits
what runs, its receipts counted in.

Both are whole seconds, as times are written (a `now` that is already past its edge stays as it is), and
both were asked of `evaluate` itself: what is told as admitted was admitted. Two things are not foreseen:
what lies beyond `HORIZON`, and when a condition that reads the clock turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from stagepass.clock import SKEW
from stagepass.decision import Answer, Decision
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Evidence
from stagepass.policy.case import shifted
from stagepass.policy.entry import entry_edges
from stagepass.policy.evaluate import evaluate
from stagepass.policy.model import PolicySet, Stage
from stagepass.policy.passes import pass_edges
from stagepass.policy.releases import Attested, Claim
from stagepass.policy.requirements import approval_edges, attestation_edges
from stagepass.policy.windows import Window
from stagepass.predicates.members import APPROVAL, STAGE_PASSED
from stagepass.stage import Place

HORIZON = timedelta(days=400)
"""How far is looked ahead: windows of several zones meet again within a year, or never."""

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Question:
    """Whether `image` may run in `place`, on this evidence: what `evaluate` is asked, but for the time."""

    policy: PolicySet
    image: ImageRef
    place: Place
    evidence: Evidence
    claims: Mapping[str, Claim] = field(default_factory=dict)

    def at(self, now: datetime) -> Decision:
        """The answer at `now`."""
        q = self
        return evaluate(q.policy, q.image, q.place, q.evidence, now=now, claims=q.claims)


Accepts = Callable[[Decision], bool]


def by_evidence(decision: Decision) -> bool:
    """Admitted, whatever the enforcement."""
    return decision.answer is Answer.ADMITTED


def by_enforcement(decision: Decision) -> bool:
    """Not refused: admitted, or in a stage that only warns."""
    return decision.allowed


def admitted_from(
    questions: Sequence[Question], now: datetime, accepts: Accepts = by_evidence
) -> datetime | None:
    """The first moment, `now` included, at which all are accepted; None where only evidence helps."""
    return _first(questions, now, accepts, True)


def admitted_until(
    questions: Sequence[Question], now: datetime, accepts: Accepts = by_evidence
) -> datetime | None:
    """The first moment, `now` included, at which one is not accepted; None where none is foreseen."""
    return _first(questions, now, accepts, False)


def _first(
    questions: Sequence[Question], now: datetime, accepts: Accepts, wanted: bool
) -> datetime | None:
    end = shifted(now, HORIZON)
    if end is None:
        return None
    edges = {_whole(edge) for q in questions for edge in _edges(q) if now < edge < end}
    windows = tuple(dict.fromkeys(w for q in questions for s in _stages(q) for w in s.windows))

    def judge(moment: datetime) -> bool:
        return all(accepts(question.at(moment)) for question in questions)

    for begin, until in pairwise([now, *sorted(edges), end]):
        found = _first_within(begin, until, windows, judge, wanted)
        if found is not None:
            return found
    return None


def _first_within(
    begin: datetime,
    until: datetime,
    windows: Sequence[Window],
    judge: Callable[[datetime], bool],
    wanted: bool,
) -> datetime | None:
    """
    The first of [begin, until) at which `judge` says `wanted`.

    Within, nothing but windows changes the answer, so one look is enough for each set of closed ones.
    """
    judged: dict[tuple[bool, ...], bool] = {}
    moment = begin
    while moment < until:
        closed = tuple(window.denies(moment) for window in windows)
        if closed not in judged:
            judged[closed] = judge(moment)
        if judged[closed] is wanted:
            return moment
        if wanted and not any(closed):
            return None  # all are open, so no window is what it waits for
        moment = min((_whole(w.next_change(moment)) for w in windows), default=until)
    return None


def _stages(question: Question) -> Iterator[Stage]:
    for pipeline, stage in question.policy.at(question.place):
        if pipeline.covers(question.image):
            yield stage


def _edges(question: Question) -> Iterator[datetime]:
    """Every moment, but for windows, at which the clock alone may change the answer."""
    policy, attestations = question.policy, question.evidence.attestations
    found = [policy.expires, *(exemption.expires for exemption in policy.exempt)]
    if policy.revocations is not None:
        found.append(policy.revocations.expires)
    found += [claim.until for claim in question.claims.values() if isinstance(claim, Attested)]
    used = {(a.key_id, a.certified) for a in attestations}
    for attestor in policy.attestors.values():
        for key in (key for by in used for key in attestor.entries(*by)):
            found += [key.valid_from, key.valid_until]
    for attestation in attestations:
        found += _edges_of(attestation, question)
    return (edge for edge in found if edge is not None)


def _edges_of(attestation: Attestation, question: Question) -> Iterable[datetime | None]:
    kind = attestation.statement.predicate_type
    if attestation.signed is not None:
        yield shifted(attestation.signed.earliest, -SKEW)
    yield from entry_edges(attestation)
    for stage in _stages(question):
        if kind == STAGE_PASSED:
            yield from pass_edges(attestation, stage)
        if kind == APPROVAL:
            for approval in stage.approvals:
                yield from approval_edges(attestation, approval)
    floors = (b.requires for b in question.policy.baselines)
    for needs in (*floors, *(stage.requires for stage in _stages(question))):
        for need in needs:
            if need.predicate_type == kind:
                yield from attestation_edges(attestation, need)


def _whole(moment: datetime) -> datetime:
    """The first whole second that is not before `moment`."""
    cut = moment.replace(microsecond=0)
    return cut if cut == moment else shifted(cut, _SECOND) or moment
