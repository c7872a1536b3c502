"""Whether a stage's own `requires` are met: foreign attestations and people's approvals."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from stagepass.clock import SKEW, format_duration, format_time, parse_time
from stagepass.decision import Code, Met
from stagepass.errors import AttestationError, InputError
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
from stagepass.policy.model import ApprovalRequirement, AttestationRequirement
from stagepass.policy.signers import disqualified, signing_option
from stagepass.predicates.members import APPROVAL, invalid
from stagepass.predicates.people import APPROVED, Approval

# Where a condition names the clock, when it turns is not known; the word in a text is no harm.
_READS_CLOCK = re.compile(r"\bnow\b", re.ASCII)


def judge_attestation(case: Case, need: AttestationRequirement) -> Finding:
    """Whether some statement of the type, by one of the signers, meets every condition on it."""
    requirement, reasons = need.name, list[Reason]()
    for attestation in case.of_type(need.predicate_type):
        outcome = _judge(case, need, attestation)
        if isinstance(outcome, Accepted):
            met = case.met(requirement, attestation, outcome.time)
            return Finding(requirement, need.predicate_type, (met,), outcome.until)
        reasons.append(outcome)
    signers = " or ".join(sorted(need.signers))
    return Finding(
        requirement,
        need.predicate_type,
        missing=(Code.REQUIREMENT_MISSING, f"no attestation {need.name!r}, signed by {signers}"),
        reasons=nearest_first(reasons),
        fix=f"stagepass attest {case.command} {case.signs_with(need.signers)}"
        f" --type {shlex.quote(need.predicate_type)} --predicate FILE",
    )


def attestation_edges(
    attestation: Attestation, need: AttestationRequirement
) -> Iterator[datetime | None]:
    """
    When the clock alone may change whether it meets `need`, but for the key's own window.

    When a condition that reads the clock turns is not known, and not told.
    """
    if need.time is None:
        return
    try:
        time = _time(attestation.statement.predicate, need.time)
    except AttestationError:
        return
    yield shifted(time, -SKEW)
    yield None if need.max_age is None else shifted(time, need.max_age)


def _judge(case: Case, need: AttestationRequirement, attestation: Attestation) -> Accepted | Reason:
    if ahead := case.ahead(attestation):
        return ahead
    keys = case.keys(attestation, need.signers)
    if not keys:
        why = disqualified(case.policy, need.signers, attestation)
        return Code.SIGNER_UNKNOWN, f"{need.name} is signed by {attestation.owner}, {why}"
    predicate = attestation.statement.predicate
    try:
        time = None if need.time is None else _time(predicate, need.time)
    except AttestationError as error:
        return Code.STATEMENT_INVALID, f"{need.name}: {error.message}"
    if time is not None and time > case.now + SKEW:
        return Code.FUTURE, f"{need.name} is dated {format_time(time)}, ahead of now"
    # Only now: a date of the signer's choice, as the year 9999, leaves no room for a sum.
    stale_at = None if time is None or need.max_age is None else time + need.max_age
    if need.max_age is not None and stale_at is not None and stale_at <= case.entry:
        return Code.STALE, f"{need.name} is older than {format_duration(need.max_age)}"
    clocked = None
    if need.where is not None:
        clocked = case.entry if _READS_CLOCK.search(need.where.text) else None
        try:
            subject = {"name": case.image.name, "digest": str(case.image.digest)}
            if not need.where.judge(predicate, **subject, now=case.entry):
                return Code.CONDITION_FALSE, f"{need.name} does not say {need.where.text}"
        except AttestationError as error:
            return Code.CONDITION_ERROR, f"{need.name}: {need.where.text}: {error.message}"
    return Accepted(time, earliest(clocked, stale_at, valid_until(keys, attestation.signed)))


def _time(predicate: Mapping[str, Any], path: tuple[str, ...]) -> datetime:
    value: Any = predicate
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    try:
        return parse_time(value)
    except InputError as error:
        raise invalid(f"{'.'.join(path)}: {error}") from error


def judge_approvals(case: Case, need: ApprovalRequirement) -> Finding:
    """Whether enough distinct owners approved; one statement an owner is what is counted."""
    barred = case.policy.owners(need.not_by)
    by_owner: dict[str, tuple[Met, datetime | None]] = {}
    reasons: list[Reason] = []
    for attestation in case.of_type(APPROVAL):
        outcome = _judge_approval(case, need, attestation, barred)
        if isinstance(outcome, Accepted):
            met = case.met(_approvals(need), attestation, outcome.time)
            by_owner.setdefault(attestation.owner, (met, outcome.until))
        elif outcome is not None:
            reasons.append(outcome)
    counted = [by_owner[owner] for owner in sorted(by_owner)][: need.threshold]
    if len(counted) == need.threshold:
        until = earliest(*(end for _, end in counted))
        return Finding(_approvals(need), APPROVAL, tuple(met for met, _ in counted), until)
    signers = " or ".join(sorted(need.signers))
    unbarred = (k for k in case.policy.entries(need.signers) if k.owner not in barred)
    missing = f"{len(counted)} of {need.threshold} approvals by {signers}"
    return Finding(
        _approvals(need),
        APPROVAL,
        missing=(Code.APPROVALS_MISSING, missing),
        reasons=nearest_first(reasons),
        fix=f"stagepass approve {case.command} {signing_option(unbarred, case.now)}"
        f" --stage {shlex.quote(case.stage)} --pipeline {shlex.quote(case.pipeline)}"
        f"{case.release_option}",
    )


def approval_edges(
    attestation: Attestation, need: ApprovalRequirement
) -> Iterator[datetime | None]:
    """When the clock alone may change whether it counts for `need`, but for the key's own window."""
    try:
        claim = Approval.parse(attestation.statement.predicate)
    except AttestationError:
        return
    yield shifted(claim.time_approved, -SKEW)
    yield claim.expires
    yield shifted(claim.time_approved, need.max_age)


def _approvals(need: ApprovalRequirement) -> str:
    return f"approved by {need.threshold} of {', '.join(sorted(need.signers))}"


def _judge_approval(
    case: Case, need: ApprovalRequirement, attestation: Attestation, barred: frozenset[str]
) -> Accepted | Reason | None:
    try:
        claim = Approval.parse(attestation.statement.predicate)
    except AttestationError as error:
        return (
            Code.STATEMENT_INVALID,
            f"approval/v1: {error.message}, signed by {attestation.owner}",
        )
    if claim.decision != APPROVED or not claim.scope.covers(case.pipeline, case.stage, case.place):
        return None
    name = f"the approval by {attestation.owner}"
    if ahead := case.ahead(attestation):
        return ahead
    keys = case.keys(attestation, need.signers)
    if not keys or attestation.owner in barred:
        why = "whom notBy bars" if keys else disqualified(case.policy, need.signers, attestation)
        return Code.SIGNER_UNKNOWN, f"the approval is signed by {attestation.owner}, {why}"
    if case.attested is not None and claim.release != case.attested.release:
        of = "another release" if claim.release else "no release"
        return Code.SUBJECT_MISMATCH, f"{name} is of {of}"
    if claim.time_approved > case.now + SKEW:
        return Code.FUTURE, f"{name} is dated {format_time(claim.time_approved)}, ahead of now"
    if claim.expires <= case.entry:
        return Code.EXPIRED, f"{name} expired at {format_time(claim.expires)}"
    stale_at = claim.time_approved + need.max_age
    if stale_at <= case.entry:
        return Code.STALE, f"{name} is older than {format_duration(need.max_age)}"
    key_ends = valid_until(keys, attestation.signed)
    return Accepted(claim.time_approved, earliest(claim.expires, stale_at, key_ends))
