"""From `--stage`, `--pipeline`, `--cluster` and `--namespace` to the places they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stagepass.digest import ImageRef
from stagepass.errors import InputError, did_you_mean
from stagepass.policy.model import Pipeline, PolicySet, Stage
from stagepass.stage import Place


@dataclass(frozen=True, slots=True)
class Target:
    """One stage of one pipeline."""

    pipeline: Pipeline
    stage: Stage

    def places(self, cluster: str | None, namespace: str | None) -> list[Place]:
        """
        The stage's places, narrowed by what was given.

        Raises `InputError` for a cluster or namespace that is not the stage's, and where only a
        pattern names the namespace.
        """
        clusters = [cluster] if cluster else list(self.stage.clusters)
        literal = [pattern.text for pattern in self.stage.namespaces if pattern.is_literal]
        namespaces = [namespace] if namespace else literal[:1]
        if not namespaces:
            raise InputError(
                f"stage {self.stage.name!r} names namespaces by pattern", hint="give --namespace"
            )
        places = [Place(c, n) for c in clusters for n in namespaces]
        for place in places:
            if not self.stage.names(place):
                raise InputError(f"{place} is no place of stage {self.stage.name!r}")
        return places

    def one_place(self, cluster: str | None, namespace: str | None) -> Place:
        """The one place meant. Raises `InputError` where the policy leaves several."""
        places = self.places(cluster, namespace)
        if len(places) > 1:
            names = ", ".join(place.cluster for place in places)
            raise InputError(
                f"stage {self.stage.name!r} has several clusters: {names}", hint="give --cluster"
            )
        literal = [pattern for pattern in self.stage.namespaces if pattern.is_literal]
        if namespace is None and len(self.stage.namespaces) > len(literal[:1]):
            raise InputError(
                f"stage {self.stage.name!r} has several namespaces", hint="give --namespace"
            )
        return places[0]


def known_pipeline(policy: PolicySet, pipeline: str) -> None:
    """Raises `InputError` where no pipeline is called so."""
    names = [p.name for p in policy.pipelines]
    if pipeline not in names:
        raise InputError(f"no pipeline is called {pipeline!r}", hint=did_you_mean(pipeline, names))


def targets(policy: PolicySet, stage: str, pipeline: str | None, image: ImageRef) -> list[Target]:
    """
    Every stage of that name, of the pipelines that cover the image.

    Where none covers it, of all pipelines: the gate then answers that the image is not listed.
    Raises `InputError` for an unknown stage or pipeline.
    """
    if pipeline is not None:
        known_pipeline(policy, pipeline)
    found = [
        Target(p, s)
        for p in policy.pipelines
        if pipeline in (None, p.name)
        for s in p.stages
        if s.name == stage
    ]
    if not found:
        known = {s.name for p in policy.pipelines if pipeline in (None, p.name) for s in p.stages}
        raise InputError(f"no stage is called {stage!r}", hint=did_you_mean(stage, known))
    return [target for target in found if target.pipeline.covers(image)] or found


def places_of(found: Sequence[Target], cluster: str | None, namespace: str | None) -> list[Place]:
    """The places of all these stages, each once: two pipelines may share one. Raises `InputError`."""
    return list(dict.fromkeys(p for t in found for p in t.places(cluster, namespace)))


def one_target(policy: PolicySet, stage: str, pipeline: str | None, image: ImageRef) -> Target:
    """The one stage meant. Raises `InputError` where several pipelines have it."""
    found = targets(policy, stage, pipeline, image)
    if len(found) > 1:
        names = ", ".join(target.pipeline.name for target in found)
        raise InputError(
            f"several pipelines have a stage {stage!r}: {names}", hint="give --pipeline"
        )
    return found[0]
