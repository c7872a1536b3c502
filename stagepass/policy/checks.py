"""What the stages of a pipeline must be to each other: an order without a cycle, and places apart."""

from __future__ import annotations

from itertools import product

from stagepass.errors import did_you_mean
from stagepass.policy.model import Pipeline, Stage
from stagepass.policy.schema import At, Problems
from stagepass.stage import find_cycle


def check_pipeline(pipeline: Pipeline, at: At, problems: Problems) -> None:
    """Report everything; `at` is the position of the list of stages."""
    _check_order(pipeline.stages, at, problems)
    for index, stage in enumerate(pipeline.stages):
        _check_clusters(stage, at.item(index).member("clusters"), problems)
        for other in pipeline.stages[:index]:
            _check_apart(stage, other, at.item(index), problems)


def _check_order(stages: tuple[Stage, ...], at: At, problems: Problems) -> None:
    names = [stage.name for stage in stages]
    by_name = {stage.name: stage for stage in stages if stage.name}
    for index, stage in enumerate(stages):
        if stage.name and names.index(stage.name) != index:
            problems.add(at.item(index).member("name"), f"two stages are called {stage.name!r}")
        parents = [edge.stage for edge in stage.after]
        for position, parent in enumerate(parents):
            here = at.item(index).member("after").item(position)
            if not parent:
                continue
            if parents.index(parent) != position:
                problems.add(here, f"comes after {parent!r} twice", "write one edge")
            if parent not in by_name:
                hint = did_you_mean(parent, by_name)
                problems.add(here, f"no stage is called {parent!r}", hint)
            elif not by_name[parent].signed_by:
                problems.add(
                    at.item(names.index(parent)),
                    f"{stage.name!r} comes after {parent!r}, so somebody must sign its passes",
                    "add signedBy",
                )
    after = {s.name: [e.stage for e in s.after if e.stage in by_name] for s in stages}
    if cycle := find_cycle(after):
        problems.add(at, f"stages wait for each other: {' after '.join([*cycle, cycle[0]])}")


def _check_clusters(stage: Stage, at: At, problems: Problems) -> None:
    """One entry for each: of two with different UIDs, only one could be meant."""
    for index, name in enumerate(stage.clusters):
        if name and stage.clusters.index(name) != index:
            problems.add(at.item(index), f"the cluster {name!r} stands twice", "write one entry")


def _check_apart(stage: Stage, other: Stage, at: At, problems: Problems) -> None:
    shared = sorted(set(stage.clusters) & set(other.clusters) - {None})
    meet = any(a.overlaps(b) for a, b in product(stage.namespaces, other.namespaces) if a and b)
    if shared and meet:
        problems.add(
            at,
            f"{stage.name!r} and {other.name!r} name the same place in cluster {shared[0]!r}",
            "give each stage namespaces of its own",
        )
