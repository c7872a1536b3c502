"""What loads and is still suspicious: findings fail `policy lint` and a CI run, never a running gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from stagepass.policy.model import Pipeline, PolicySet, Stage


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`rule` is a stable name, `where` a pipeline and stage, `message` what is wrong and what to do."""

    where: str
    rule: str
    message: str


def lint(policy: PolicySet) -> list[Finding]:
    """Every finding, sorted."""
    return sorted(
        finding
        for pipeline in policy.pipelines
        for finding in (*_separation(policy, pipeline), *_unbound(policy, pipeline))
    )


def _separation(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """No owner signs for two stages of a pipeline: else one stolen key opens more than its own step."""
    for first, second in combinations(pipeline.stages, 2):
        shared = _owners(policy, first) & _owners(policy, second)
        if shared and not (first.allow_shared or second.allow_shared):
            yield Finding(
                f"{pipeline.name}: {first.name}, {second.name}",
                "separation-of-duties",
                f"{', '.join(sorted(shared))} may sign passes of both stages;"
                " give each stage signers of its own, or say why not with allowShared: REASON",
            )


def _unbound(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """In a stage with several clusters, one cluster's key must not speak for another."""
    for stage in pipeline.stages:
        for name in stage.signed_by if len(stage.clusters) > 1 else ():
            for key in policy.attestors[name].keys:
                if key.clusters is None or len(key.clusters & set(stage.clusters)) > 1:
                    yield Finding(
                        f"{pipeline.name}: {stage.name}",
                        "key-not-bound",
                        f"the key of {key.owner!r} in {name!r} counts for several of the stage's"
                        f" clusters; bind it with clusters: [ONE]",
                    )


def _owners(policy: PolicySet, stage: Stage) -> set[str]:
    return {key.owner for name in stage.signed_by for key in policy.attestors[name].keys}
