"""Lint: stages that let in too much, and stages that let in nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from stagepass.policy.lint_finding import Finding, of_stages
from stagepass.policy.model import Baseline, Edge, Pipeline, PolicySet, Stage
from stagepass.policy.releases import ManifestMode


@dataclass(frozen=True, slots=True)
class Signers:
    """Who can still sign at `now`."""

    policy: PolicySet
    now: datetime

    def owners(self, names: Iterable[str], cluster: str | None = None) -> frozenset[str]:
        """
        Of these attestors, those with a key that can sign for `cluster`, None for any.

        It is neither revoked nor expired; one that is not valid yet will be.
        """
        listed = self.policy.revocations
        return frozenset(
            key.owner
            for name in names
            for key in self.policy.attestors[name].keys
            if not (listed and listed.names(key.public))
            and (key.valid_until is None or self.now < key.valid_until)
            and (cluster is None or key.counts_in(cluster))
        )


def asks_nothing(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """
    `final-stage-asks-nothing`: a stage that no other comes after asks for something by somebody who
    signs no pass of a stage before it; else whoever holds those keys is all that stands before it.
    """
    followed = {edge.stage for stage in pipeline.stages for edge in stage.after}
    for stage in pipeline.stages:
        if stage.name in followed or _guarded(policy, pipeline, stage):
            continue
        before = "the passes of the stages before" if stage.after else "an image that matches"
        yield Finding(
            of_stages(pipeline, stage),
            "final-stage-asks-nothing",
            f"the last stage asks for nothing but {before}; add a requirement or an approval by"
            " somebody who signs none of those passes",
        )


def unreachable(pipeline: Pipeline, signers: Signers) -> Iterator[Finding]:
    """
    `unreachable-stage`: for all that a stage asks for, somebody can sign.

    Of stages that wait for each other only the first is reported: what comes after it is out of reach
    for the same reason.
    """
    blocked: set[str] = set()
    # A stage has more stages before it than any of those has.
    for stage in sorted(pipeline.stages, key=lambda s: len(pipeline.before(s))):
        before = pipeline.before(stage)
        if blocked & {edge.stage for edge in before}:
            continue
        reasons = [*_passes(pipeline, before, signers), *_requirements(stage, signers)]
        blocked |= {stage.name} if reasons else set()
        for reason in reasons:
            yield Finding(of_stages(pipeline, stage), "unreachable-stage", reason)


def closed_glass(pipeline: Pipeline, signers: Signers) -> Iterator[Finding]:
    """`break-glass-out-of-reach`: as many owners as it wants can break a stage's glass."""
    for stage in pipeline.stages:
        rule = stage.break_glass
        if rule and len(able := signers.owners(rule.signers)) < rule.threshold:
            yield Finding(
                of_stages(pipeline, stage),
                "break-glass-out-of-reach",
                f"breakGlass wants {rule.threshold} owners and {len(able)} can sign; add keys to"
                f" {' or '.join(rule.signers)}, or lower the threshold",
            )


def _passes(pipeline: Pipeline, before: Iterable[Edge], signers: Signers) -> Iterator[str]:
    for edge in before:
        ancestor = pipeline.stage(edge.stage)
        silent = [c for c in ancestor.clusters if not signers.owners(ancestor.signed_by, c)]
        if silent and (not edge.any_cluster or len(silent) == len(ancestor.clusters)):
            yield (
                f"nobody can sign that {ancestor.name!r} was passed in {' or '.join(silent)}; add a"
                f" valid key to {' or '.join(ancestor.signed_by)}"
            )


def _requirements(stage: Stage, signers: Signers) -> Iterator[str]:
    for need in stage.requires:
        if not signers.owners(need.signers):
            yield (
                f"nobody can sign the attestation {need.name!r}; add a valid key to"
                f" {' or '.join(need.signers)}"
            )
    for wanted in stage.approvals:
        able = signers.owners(wanted.signers) - signers.policy.owners(wanted.not_by)
        if len(able) < wanted.threshold:
            yield (
                f"{wanted.threshold} approvals by {' or '.join(wanted.signers)} are wanted, and"
                f" {len(able)} owners can give one; add keys, or lower the threshold"
            )
    rule = stage.release if stage.manifests is ManifestMode.REQUIRED else None
    if rule and not signers.owners(rule.signers):
        yield f"nobody can sign its releases; add a valid key to {' or '.join(rule.signers)}"


def _guarded(policy: PolicySet, pipeline: Pipeline, stage: Stage) -> bool:
    """Whether some requirement cannot be met by the signers of the passes alone."""
    chain = {
        owner
        for edge in pipeline.before(stage)
        for owner in policy.owners(pipeline.stage(edge.stage).signed_by)
    }
    floors = [b for b in policy.baselines if _is_below(b, pipeline, stage)]
    needs = [*stage.requires, *(need for floor in floors for need in floor.requires)]
    released = stage.release if stage.manifests is ManifestMode.REQUIRED else None
    if released and not policy.owners(released.signers) & chain:
        return True
    return any(not policy.owners(need.signers) & chain for need in needs) or any(
        len((policy.owners(a.signers) - policy.owners(a.not_by)) & chain) < a.threshold
        for a in stage.approvals
    )


def _is_below(floor: Baseline, pipeline: Pipeline, stage: Stage) -> bool:
    """Whether it is plainly a floor under all of the stage: patterns are compared as texts."""
    images = None if floor.images is None else {pattern.text for pattern in floor.images}
    namespaces = {pattern.text for pattern in floor.namespaces}
    return (
        (images is None or images >= {pattern.text for pattern in pipeline.images})
        and ("*" in namespaces or namespaces >= {pattern.text for pattern in stage.namespaces})
        and (floor.clusters is None or floor.clusters >= set(stage.clusters))
    )
