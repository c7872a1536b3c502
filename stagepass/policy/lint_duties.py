"""Lint: whether one person, or one stolen key, could open more than one step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

from stagepass.policy.lint_finding import Finding, of_stages
from stagepass.policy.model import Pipeline, PolicySet, Stage

_RULE = "separation-of-duties"
_OR_WHY = "or say why not with allowShared: REASON"


def shared_passes(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """`separation-of-duties`: no owner signs passes of two stages of a pipeline."""
    for first, second in combinations(pipeline.stages, 2):
        shared = policy.owners(first.signed_by) & policy.owners(second.signed_by)
        if shared and not _allowed(first, second):
            yield Finding(
                of_stages(pipeline, first, second),
                _RULE,
                f"{', '.join(sorted(shared))} may sign passes of both stages"
                f"{_under_two_names(policy, first, second)};"
                f" give each stage signers of its own, {_OR_WHY}",
            )


def approval_and_break_glass(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """`separation-of-duties`: no owner approves in a pipeline and breaks its glass."""
    for approved, broken in product(pipeline.stages, repeat=2):
        if broken.break_glass is None or _allowed(approved, broken):
            continue
        approvers = {o for need in approved.approvals for o in policy.owners(need.signers)}
        shared = approvers & policy.owners(broken.break_glass.signers)
        if shared:
            yield Finding(
                of_stages(pipeline, approved, broken),
                _RULE,
                f"{', '.join(sorted(shared))} may approve for {approved.name!r} and break the glass"
                f" of {broken.name!r}; leave each to other people, {_OR_WHY}",
            )


def _allowed(first: Stage, second: Stage) -> bool:
    return bool(first.allow_shared or second.allow_shared)


def _under_two_names(policy: PolicySet, first: Stage, second: Stage) -> str:
    """The attestors that hide one key behind two names, "" where there are none."""
    pairs = {
        f", with one key that stands in {a!r} and in {b!r}"
        for a, b in product(first.signed_by, second.signed_by)
        if a != b and _ids(policy, a) & _ids(policy, b)
    }
    return "".join(sorted(pairs))


def _ids(policy: PolicySet, attestor: str) -> set[str]:
    return {key.public.id for key in policy.attestors[attestor].keys}
