"""Whether one verified statement is the pass that is asked for: the table of predicates.md, as code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stagepass.clock import SKEW, format_duration, format_time
from stagepass.decision import Code
from stagepass.errors import AttestationError
from stagepass.evidence import Attestation
from stagepass.policy.model import Edge, Key
from stagepass.predicates import StagePassed

Reason = tuple[Code, str]

NEARLY = (Code.SOAKING, Code.STALE, Code.EXPIRED, Code.FUTURE)
"""A statement by the right signer that only time keeps from counting, nearest first."""


@dataclass(frozen=True, slots=True)
class PassAsked:
    """A pass of `stage` in `cluster`, on the terms of `edge`."""

    pipeline: str
    stage: str
    cluster: str
    edge: Edge


@dataclass(frozen=True, slots=True)
class Accepted:
    """`time` is the signer's own, `until` the moment the clock alone ends it."""

    time: datetime
    until: datetime


def judge_pass(
    attestation: Attestation, asked: PassAsked, keys: Sequence[Key], *, now: datetime
) -> Accepted | Reason | None:
    """
    Accepted, the reason why not, or None where it is a pass of something else.

    `keys` are the entries, valid now, of the asked stage's own signers for the key that signed it.
    """
    try:
        claim = StagePassed.parse(attestation.statement.predicate)
    except AttestationError as error:
        return Code.STATEMENT_INVALID, f"{error.message}, signed by {attestation.owner}"
    if (claim.pipeline, claim.stage, claim.cluster) != (asked.pipeline, asked.stage, asked.cluster):
        return None
    if claim.result != "PASSED":
        return None
    counting = [key for key in keys if key.counts_in(asked.cluster)]
    if not counting:
        return Code.SIGNER_UNKNOWN, (
            f"a pass of {asked.stage!r} in {asked.cluster!r} is signed by {attestation.owner},"
            " who may not sign it"
        )
    return _judge_times(claim, asked.edge, counting[0], now)


def _judge_times(claim: StagePassed, edge: Edge, key: Key, now: datetime) -> Accepted | Reason:
    name = f"the pass of {claim.stage!r} in {claim.cluster!r}"
    if claim.time_verified > now + SKEW:
        return Code.FUTURE, f"{name} is dated {format_time(claim.time_verified)}, ahead of now"
    if claim.expires <= now:
        return Code.EXPIRED, f"{name} expired at {format_time(claim.expires)}"
    ends = [claim.expires, key.valid_until]
    if edge.max_age is not None:
        stale_at = claim.time_verified + edge.max_age
        if stale_at <= now:
            return Code.STALE, f"{name} is older than {format_duration(edge.max_age)}"
        ends.append(stale_at)
    if edge.soak is not None and not _soaked(claim, edge.soak):
        return (
            Code.SOAKING,
            f"{name} watched it for {_watched(claim)} of {format_duration(edge.soak)}",
        )
    return Accepted(claim.time_verified, min(end for end in ends if end is not None))


def _soaked(claim: StagePassed, soak: timedelta) -> bool:
    """Observed for at least `soak`, and not beyond the time the statement itself was made."""
    if claim.observed is None:
        return False
    start, end = claim.observed
    return end - start >= soak and end <= claim.time_verified


def _watched(claim: StagePassed) -> str:
    if claim.observed is None:
        return "no time"
    start, end = claim.observed
    return format_duration(max(end - start, timedelta()))
