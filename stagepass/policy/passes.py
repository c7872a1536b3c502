"""Whether a stage before was passed: the table of predicates.md for `stage-passed/v1`, as code."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from stagepass.clock import SKEW, format_duration, format_time
from stagepass.decision import Code
from stagepass.errors import AttestationError
from stagepass.evidence import Attestation
from stagepass.policy.case import (
    Accepted,
    Case,
    Finding,
    Reason,
    earliest,
    nearest_first,
    shifted,
    valid_until,
)
from stagepass.policy.model import Edge, Pipeline, Stage
from stagepass.policy.signers import disqualified
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.passed import PASSED, StagePassed

_OBSERVED = " --observed-from TIME --observed-to TIME"


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A verified pass, read: its claim, or why it is none."""

    attestation: Attestation
    claim: StagePassed | AttestationError


@dataclass(frozen=True, slots=True)
class _Asked:
    """A pass of `stage` in one of `clusters`, on the terms of `edge`."""

    case: Case
    claims: tuple[_Claimed, ...]
    stage: Stage
    clusters: tuple[str, ...]
    edge: Edge


def judge_passes(case: Case, pipeline: Pipeline, stage: Stage) -> Iterator[Finding]:
    """One finding for each cluster of each ancestor, or for the ancestor where any cluster will do."""
    # Read once for all ancestors: six stages would read each pass six times.
    claims = tuple(_read(attestation) for attestation in case.of_type(STAGE_PASSED))
    for edge in pipeline.before(stage):
        ancestor = pipeline.stage(edge.stage)
        if edge.any_cluster:
            # Sorted, as are signers in texts: how a policy orders its lists never shows.
            any_of = tuple(sorted(ancestor.clusters))
            yield _find(_Asked(case, claims, ancestor, any_of, edge))
            continue
        for cluster in ancestor.clusters:
            yield _find(_Asked(case, claims, ancestor, (cluster,), edge))


def pass_edges(attestation: Attestation, stage: Stage) -> Iterator[datetime | None]:
    """When the clock alone may change what a pass counts for at `stage`; more than there are is no harm."""
    try:
        claim = StagePassed.parse(attestation.statement.predicate)
    except AttestationError:
        return
    yield shifted(claim.time_verified, -SKEW)
    yield claim.expires
    for edge in stage.after:
        yield None if edge.max_age is None else shifted(claim.time_verified, edge.max_age)


def _find(asked: _Asked) -> Finding:
    case, name = asked.case, asked.stage.name
    where = asked.clusters[0] if len(asked.clusters) == 1 else "any"
    requirement = f"passed {name}@{where}"
    reasons: list[Reason] = []
    for claimed in asked.claims:
        outcome = _judge(asked, claimed.attestation, claimed.claim)
        if isinstance(outcome, Accepted):
            met = case.met(requirement, claimed.attestation, outcome.time)
            return Finding(requirement, STAGE_PASSED, (met,), outcome.until)
        if outcome is not None:
            reasons.append(outcome)
    clusters = " or ".join(repr(cluster) for cluster in asked.clusters)
    signers = " or ".join(sorted(asked.stage.signed_by))
    missing = f"no pass of stage {name!r} in cluster {clusters}, signed by {signers}"
    ordered = nearest_first(reasons)
    soaking = bool(ordered) and ordered[0][0] is Code.SOAKING
    return Finding(
        requirement,
        STAGE_PASSED,
        missing=(Code.PASS_MISSING, missing),
        reasons=ordered,
        fix=_command(asked) + case.release_option + (_OBSERVED if soaking else ""),
    )


def _command(asked: _Asked) -> str:
    """What makes the pass that is missing, as a shell reads it: names are of the author's choice."""
    cluster = asked.clusters[0]
    uid = asked.stage.cluster_uids.get(cluster)
    option = asked.case.signs_with(asked.stage.signed_by, cluster)
    return " ".join(
        (
            f"stagepass attest {asked.case.command} {option}",
            f"--stage {shlex.quote(asked.stage.name)}",
            f"--pipeline {shlex.quote(asked.case.pipeline)}",
            f"--cluster {shlex.quote(cluster)}",
            *([f"--cluster-uid {shlex.quote(uid)}"] if uid else []),
        )
    )


def _read(attestation: Attestation) -> _Claimed:
    try:
        return _Claimed(attestation, StagePassed.parse(attestation.statement.predicate))
    except AttestationError as error:
        return _Claimed(attestation, error)


def _judge(
    asked: _Asked, attestation: Attestation, claim: StagePassed | AttestationError
) -> Accepted | Reason | None:
    """Accepted, the reason why not, or None where it is a pass of something else."""
    if isinstance(claim, AttestationError):
        return (
            Code.STATEMENT_INVALID,
            f"stage-passed/v1: {claim.message}, signed by {attestation.owner}",
        )
    cluster = claim.environment.cluster
    if (claim.pipeline, claim.stage) != (asked.case.pipeline, asked.stage.name):
        return None
    if cluster not in asked.clusters or not asked.stage.is_cluster(cluster, claim.environment.uid):
        return None
    if claim.result != PASSED:
        return None
    if ahead := asked.case.ahead(attestation):
        return ahead
    keys = asked.case.keys(attestation, asked.stage.signed_by)
    counting = [key for key in keys if key.counts_in(cluster)]
    if not counting:
        why = disqualified(asked.case.policy, asked.stage.signed_by, attestation, cluster)
        return Code.SIGNER_UNKNOWN, (
            f"a pass of {claim.stage!r} in {cluster!r} is signed by {attestation.owner}, {why}"
        )
    attested = asked.case.attested
    if attested is not None and (
        not claim.release or claim.release.image_set != attested.image_set
    ):
        of = "another image set" if claim.release else "no image set"
        return Code.SUBJECT_MISMATCH, f"the pass of {claim.stage!r} in {cluster!r} is of {of}"
    return _judge_times(asked, claim, valid_until(counting, attestation.signed))


def _judge_times(asked: _Asked, claim: StagePassed, key_ends: datetime | None) -> Accepted | Reason:
    case, edge = asked.case, asked.edge
    name = f"the pass of {claim.stage!r} in {claim.environment.cluster!r}"
    if claim.time_verified > case.now + SKEW:
        return Code.FUTURE, f"{name} is dated {format_time(claim.time_verified)}, ahead of now"
    if claim.expires <= case.entry:
        return Code.EXPIRED, f"{name} expired at {format_time(claim.expires)}"
    stale_at = None if edge.max_age is None else claim.time_verified + edge.max_age
    if edge.max_age is not None and stale_at is not None and stale_at <= case.entry:
        return Code.STALE, f"{name} is older than {format_duration(edge.max_age)}"
    if edge.soak is not None and not _soaked(claim, edge.soak):
        return (
            Code.SOAKING,
            f"{name} watched it for {_watched(claim)} of {format_duration(edge.soak)}",
        )
    return Accepted(claim.time_verified, earliest(claim.expires, stale_at, key_ends))


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
