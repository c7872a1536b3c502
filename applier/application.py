"""What this cluster's applier is responsible for: one application for each stage with a source."""

from __future__ import annotations

from dataclasses import dataclass

from stagepass.policy.model import Pipeline, PolicySet, Stage
from stagepass.policy.source import Source


@dataclass(frozen=True, slots=True)
class Application:
    """A stage of a pipeline in `cluster`, with the source that policy gives it."""

    pipeline: Pipeline
    stage: Stage
    source: Source
    cluster: str

    @property
    def name(self) -> str:
        """`PIPELINE.STAGE`: what people and the applier's own objects call it."""
        return name_of(self.pipeline.name, self.stage.name)


def name_of(pipeline: str, stage: str) -> str:
    """The name of the application of that stage."""
    return f"{pipeline}.{stage}"


def applications(policy: PolicySet, cluster: str) -> dict[str, Application]:
    """By name, every application that policy gives to `cluster`."""
    found = (
        Application(pipeline, stage, stage.source, cluster)
        for pipeline in policy.pipelines
        for stage in pipeline.stages
        if stage.source is not None and cluster in stage.clusters
    )
    return {application.name: application for application in found}
