"""What became stricter or looser about a pipeline: its images, stages, edges and requirements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stagepass.clock import format_duration
from stagepass.decision import Enforcement
from stagepass.policy.diff_release import manifests, releases
from stagepass.policy.diff_rules import (
    Barred,
    Both,
    Change,
    Demand,
    Effect,
    Items,
    Other,
    Scale,
    Signers,
    Table,
    silent,
    text_of,
    texts,
    walk,
)
from stagepass.policy.diff_source import sources
from stagepass.policy.model import (
    ApprovalRequirement,
    AttestationRequirement,
    BreakGlassRule,
    Edge,
    Pipeline,
    PolicySet,
    Stage,
)

_MAX_AGE = Scale("maxAge", Effect.LOOSER, format_duration, none_is_most=True)
_THRESHOLD = Scale("threshold", Effect.STRICTER)
EDGE: Table = {
    "stage": silent,
    "soak": Scale("soak", Effect.STRICTER, format_duration),
    "max_age": _MAX_AGE,
    "any_cluster": Scale("clusters", Effect.LOOSER, lambda value: "any" if value else "all"),
}
ATTESTATION: Table = {
    "name": silent,
    "signers": Signers("from"),
    "predicate_type": Other("predicateType"),
    "where": Demand("where", text_of),
    "time": Demand("time", lambda path: ".".join(("predicate", *path))),
    "max_age": _MAX_AGE,
}
APPROVAL: Table = {
    "signers": Signers("from"),
    "threshold": _THRESHOLD,
    "not_by": Barred("notBy"),
    "max_age": _MAX_AGE,
}
BREAK_GLASS: Table = {
    "signers": Signers("from"),
    "threshold": _THRESHOLD,
    "max_duration": Scale("maxDuration", Effect.LOOSER, format_duration),
}


def pipelines(
    both: Both,
    where: str,  # noqa: ARG001
    old: tuple[Pipeline, ...],
    new: tuple[Pipeline, ...],
) -> Iterator[Change]:
    """Every pipeline of both sets, by its name."""
    before, after = ({pipeline.name: pipeline for pipeline in each} for each in (old, new))
    for name in sorted(before | after):
        here, more = f"pipeline {name}", covering_more(both, name)
        if name not in before:
            yield Change(here, more, f"is new, for {texts(after[name].images)}")
        elif name not in after:
            yield Change(here, more.opposite, f"is gone, with {texts(before[name].images)}")
        else:
            yield from walk(pipeline_table(more), both, here, before[name], after[name])


def pipeline_table(more: Effect) -> Table:
    """For a pipeline, to cover more images or places by which has the effect `more`."""
    return {
        "name": silent,
        "images": Items("images", more, text_of),
        "stages": _Stages(more),
    }


def stage_table(more: Effect, *, followed: bool) -> Table:
    """For a stage of such a pipeline; `followed` where others come after it."""
    # One cluster more is a place more, and for the stages after it a pass more to have.
    clusters = Effect.CHANGED if followed else more
    return {
        "name": silent,
        "clusters": Items("clusters", clusters),
        "namespaces": Items("namespaces", more, text_of),
        "signed_by": Signers("signedBy"),
        "after": _edges,
        "requires": requirements,
        "approvals": _approvals,
        "windows": Items("windows", Effect.STRICTER),
        "break_glass": _break_glass,
        "enforcement": Scale("enforcement", Effect.STRICTER),
        "cluster_uids": _uids,
        "allow_shared": Other("allowShared"),
        "source": sources,
        "manifests": manifests,
        "release": releases,
    }


@dataclass(frozen=True, slots=True)
class _Stages:
    """The stages of one pipeline, by their names."""

    more: Effect

    def __call__(
        self, both: Both, where: str, old: tuple[Stage, ...], new: tuple[Stage, ...]
    ) -> Iterator[Change]:
        """What happened to each."""
        before, after = ({stage.name: stage for stage in each} for each in (old, new))
        followed = {edge.stage for stage in (*old, *new) for edge in stage.after}
        for name in sorted(before | after):
            here = f"{where}: {name}"
            if name not in before:
                yield Change(here, self.more, f"is a new stage, in {_places(after[name])}")
            elif name not in after:
                message = f"is no longer a stage, in {_places(before[name])}"
                yield Change(here, self.more.opposite, message)
            else:
                table = stage_table(self.more, followed=name in followed)
                yield from walk(table, both, here, before[name], after[name])


def requirements(
    both: Both,
    where: str,
    old: tuple[AttestationRequirement, ...],
    new: tuple[AttestationRequirement, ...],
) -> Iterator[Change]:
    """Attestations that are asked for, by their names."""
    before, after = ({need.name: need for need in needs} for needs in (old, new))
    for name in sorted(before | after):
        if name not in before:
            signers = " or ".join(after[name].signers)
            message = f"an attestation {name!r} by {signers} is asked for"
            yield Change(where, Effect.STRICTER, message)
        elif name not in after:
            message = f"the attestation {name!r} is no longer asked for"
            yield Change(where, Effect.LOOSER, message)
        else:
            here = f"{where}, attestation {name}"
            yield from walk(ATTESTATION, both, here, before[name], after[name])


def _approvals(
    both: Both,
    where: str,
    old: tuple[ApprovalRequirement, ...],
    new: tuple[ApprovalRequirement, ...],
) -> Iterator[Change]:
    """They have no names: one that is left over on either side is the same one, changed."""
    gone = [need for need in old if need not in new]
    come = [need for need in new if need not in old]
    if len(gone) == len(come) == 1:
        yield from walk(APPROVAL, both, f"{where}, approval", gone[0], come[0])
        return
    for need in come:
        yield Change(where, Effect.STRICTER, f"{_approval(need)} are asked for")
    for need in gone:
        yield Change(where, Effect.LOOSER, f"{_approval(need)} are no longer asked for")


def _approval(need: ApprovalRequirement) -> str:
    return f"approvals by {need.threshold} of {', '.join(need.signers)}"


def _edges(
    both: Both, where: str, old: tuple[Edge, ...], new: tuple[Edge, ...]
) -> Iterator[Change]:
    before, after = ({edge.stage: edge for edge in edges} for edges in (old, new))
    for name in sorted(before | after):
        if name not in before:
            yield Change(where, Effect.STRICTER, f"comes after {name!r}")
        elif name not in after:
            yield Change(where, Effect.LOOSER, f"no longer comes after {name!r}")
        else:
            yield from walk(EDGE, both, f"{where} after {name}", before[name], after[name])


def _break_glass(
    both: Both, where: str, old: BreakGlassRule | None, new: BreakGlassRule | None
) -> Iterator[Change]:
    if old and new:
        yield from walk(BREAK_GLASS, both, f"{where}, breakGlass", old, new)
    elif new:
        by = " or ".join(new.signers)
        yield Change(where, Effect.LOOSER, f"the glass can be broken, by {by}")
    else:
        yield Change(where, Effect.STRICTER, "the glass can no longer be broken")


def _uids(
    both: Both, where: str, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Change]:
    for cluster in sorted(old.keys() | new.keys()):
        before, after = old.get(cluster), new.get(cluster)
        if before != after:
            yield from Demand(f"the uid of {cluster}")(both, where, before, after)


def _places(stage: Stage) -> str:
    return f"{', '.join(stage.clusters)} ({texts(stage.namespaces)})"


def covering_more(both: Both, pipeline: str) -> Effect:
    """
    The effect of covering more images or places by a pipeline of that name.

    What was unlisted and refused may now be let in. A place where unlisted images run, an exemption
    or another pipeline in the same place can turn that round: then there is no promise.
    """
    plain = all(_stands_alone(policy, pipeline) for policy in both.sides)
    return Effect.LOOSER if plain else Effect.CHANGED


def _stands_alone(policy: PolicySet, name: str) -> bool:
    own = [pipeline for pipeline in policy.pipelines if pipeline.name == name]
    hosts = {pattern.host for pipeline in own for pattern in pipeline.images}
    exempt = {pattern.host for exemption in policy.exempt for pattern in exemption.images}
    others = [pipeline for pipeline in policy.pipelines if pipeline.name != name]
    return (
        policy.unlisted is Enforcement.ENFORCE
        and not hosts & exempt
        and not any(_meet(one, other) for one in own for other in others)
    )


def _meet(one: Pipeline, other: Pipeline) -> bool:
    """Whether some place is a place of both."""
    return any(
        set(a.clusters) & set(b.clusters)
        and any(x.overlaps(y) for x in a.namespaces for y in b.namespaces)
        for a in one.stages
        for b in other.stages
    )
