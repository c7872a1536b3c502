"""
What is not the ordinary way in: receipts, which let what entered stay, and break-glass.

Neither ever makes a pass: what they excuse is this stage's entry, never the next one's evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from stagepass.clock import SKEW, format_time
from stagepass.decision import Met
from stagepass.digest import Digest
from stagepass.errors import AttestationError
from stagepass.evidence import Attestation
from stagepass.policy.case import Case, earliest, shifted, valid_until
from stagepass.policy.model import BreakGlassRule, Stage
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.members import BREAK_GLASS, STAGE_ENTERED
from stagepass.predicates.people import BreakGlass


@dataclass(frozen=True, slots=True)
class Receipt:
    """A valid receipt: when it was entered, until when it may be relied on, and of which release."""

    entered: datetime
    until: datetime | None
    release: Digest | None = None


def receipts(case: Case, stage: Stage) -> Iterator[Receipt]:
    """
    Every valid receipt for this stage and place, and for the object's release where it is of one.

    `case` must have the real clock as its entry.
    """
    for attestation in case.of_type(STAGE_ENTERED):
        try:
            claim = StageEntered.parse(attestation.statement.predicate)
        except AttestationError:
            continue
        environment = claim.environment
        here = (
            (claim.pipeline, claim.stage) == (case.pipeline, stage.name)
            and environment.cluster == case.place.cluster
            and stage.is_cluster(environment.cluster, environment.uid)
            and environment.namespace == case.place.namespace
            and (case.attested is None or claim.release == case.attested.release)
        )
        current = claim.entered <= case.now + SKEW and (
            claim.expires is None or claim.expires > case.now
        )
        keys = case.keys(attestation, stage.signed_by)
        counting = [key for key in keys if key.counts_in(case.place.cluster)]
        if here and current and counting:
            # A signer's clock may be ahead of ours; the entry is never later than now.
            entered = min(claim.entered, case.now)
            until = earliest(claim.expires, valid_until(counting, attestation.signed))
            yield Receipt(entered, until, claim.release)


def entry_edges(attestation: Attestation) -> Iterator[datetime | None]:
    """When a receipt or an emergency begins and ends by the clock alone; nothing for what is neither."""
    predicate, kind = attestation.statement.predicate, attestation.statement.predicate_type
    try:
        if kind == STAGE_ENTERED:
            entered = StageEntered.parse(predicate)
            yield shifted(entered.entered, -SKEW)
            yield entered.expires
        elif kind == BREAK_GLASS:
            broken = BreakGlass.parse(predicate)
            yield shifted(broken.issued, -SKEW)
            yield broken.expires
    except AttestationError:
        return


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """Enough owners broke the glass. `notice` is what everybody is told."""

    met: tuple[Met, ...]
    notice: str


def broken_glass(case: Case, rule: BreakGlassRule) -> BrokenGlass | None:
    """Whether an emergency excuses this stage's requirements, judged at the real time."""
    found: dict[str, tuple[Met, BreakGlass]] = {}
    for attestation in case.of_type(BREAK_GLASS):
        claim = _judge(case, rule, attestation)
        if claim is not None:
            met = case.met("break-glass", attestation, claim.issued)
            found.setdefault(attestation.owner, (met, claim))
    counted = [found[owner] for owner in sorted(found)][: rule.threshold]
    if len(counted) < rule.threshold:
        return None
    owners = ", ".join(met.signer for met, _ in counted)
    reasons = "; ".join(dict.fromkeys(claim.reason for _, claim in counted))
    until = format_time(min(claim.expires for _, claim in counted))
    notice = f"break-glass by {owners} for {case.pipeline}/{case.stage} until {until}: {reasons}"
    return BrokenGlass(tuple(met for met, _ in counted), notice)


def _judge(case: Case, rule: BreakGlassRule, attestation: Attestation) -> BreakGlass | None:
    try:
        claim = BreakGlass.parse(attestation.statement.predicate)
    except AttestationError:
        return None
    counts = (
        claim.scope.covers(case.pipeline, case.stage, case.place)
        and claim.issued <= case.now + SKEW
        and claim.expires > case.now
        and claim.expires - claim.issued <= rule.max_duration
        and bool(case.keys(attestation, rule.signers))
    )
    return claim if counts else None
