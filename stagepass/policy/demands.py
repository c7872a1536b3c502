"""Which requirements ask for statements of other types about an image, and whether one meets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from stagepass.decision import Enforcement
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Evidence
from stagepass.policy.case import Case, Reason
from stagepass.policy.model import AttestationRequirement, Baseline, Pipeline, PolicySet
from stagepass.policy.requirements import judge_attestation
from stagepass.stage import Place

_NOWHERE = Place("", "")  # what a statement says is judged alike in every place


@dataclass(frozen=True, slots=True)
class Demand:
    """
    One requirement and where it stands: "" and "" for `pipeline` and `stage` in a Baseline.

    `requirement` is what decisions call it.
    """

    need: AttestationRequirement
    requirement: str
    enforcement: Enforcement
    pipeline: str = ""
    stage: str = ""

    @property
    def where(self) -> str:
        """For people, as the end of a sentence."""
        if self.stage:
            return f"{self.need.name!r} of {self.pipeline}/{self.stage}"
        return f"{self.requirement!r} of every image"

    def unmet(
        self, policy: PolicySet, image: ImageRef, attestation: Attestation, now: datetime
    ) -> Reason | None:
        """Why `attestation` alone would not meet it at `now`, as the gate judges; None where it would."""
        evidence = Evidence((attestation,))
        if policy.revocations is not None:
            evidence = policy.revocations.keep(evidence)
        case = Case(policy, self.pipeline, self.stage, image, _NOWHERE, evidence, now, now)
        finding = judge_attestation(case, self.need)
        if finding.missing is None:
            return None
        revoked = [(rejection.code, rejection.message) for rejection in evidence.rejections]
        return next(iter([*finding.reasons, *revoked]), finding.missing)


def demands(policy: PolicySet, image: ImageRef, pipeline: str | None) -> tuple[Demand, ...]:
    """
    What the stages of every pipeline that covers `image` ask for, and every Baseline that may apply to it.

    With a `pipeline`, its stages alone, and the Baselines below some place of theirs.
    """
    covering = [p for p in policy.pipelines if pipeline in (None, p.name) and p.covers(image)]
    staged = (
        Demand(need, need.name, stage.enforcement, each.name, stage.name)
        for each in covering
        for stage in each.stages
        for need in stage.requires
    )
    floors = (
        Demand(need, f"{baseline.name}: {need.name}", Enforcement.ENFORCE)
        for baseline in _floors(policy, image, None if pipeline is None else covering)
        for need in baseline.requires
    )
    return (*staged, *floors)


def _floors(policy: PolicySet, image: ImageRef, below: list[Pipeline] | None) -> Iterator[Baseline]:
    for baseline in policy.baselines:
        if baseline.images is not None and not any(p.matches(image) for p in baseline.images):
            continue
        if below is None or any(_meet(baseline, pipeline) for pipeline in below):
            yield baseline


def _meet(baseline: Baseline, pipeline: Pipeline) -> bool:
    """Whether some place of the pipeline's stages is one of the Baseline's."""
    return any(
        (baseline.clusters is None or not baseline.clusters.isdisjoint(stage.clusters))
        and any(a.overlaps(b) for a in baseline.namespaces for b in stage.namespaces)
        for stage in pipeline.stages
    )
