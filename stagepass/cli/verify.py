"""`stagepass verify`: the gate's decision for one image."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from stagepass.cli import deciding, options, places
from stagepass.cli.report import judged_image, show
from stagepass.decision import combine
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline
from stagepass.foreseen import Foreseen, Heard
from stagepass.stage import Place
from stagepass.verifier import Verifier


@click.command()
@click.argument("image", type=options.ANY_IMAGE)
@options.stage
@options.pipeline
@options.cluster
@options.namespace
@options.deciding
def verify(
    image: ImageRef,
    stage: str,
    pipeline: str | None,
    cluster: str | None,
    namespace: str | None,
    policy_directory: Path,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """Decide whether IMAGE (repository@sha256:...) may enter --stage, as the gate would."""
    policy = options.load_policy(policy_directory)
    found = places.targets(policy, stage, pipeline, image)
    where = places.places_of(found, cluster, namespace)
    gate = deciding.verifier(policy, evidence, offline=offline)
    foreseen = foresee(gate, image, where, options.current_time(now))
    judged = judged_image(image, where[0].namespace, foreseen.decision)
    judged = replace(judged, foreseen=foreseen)
    return show([judged], output=output, revision=policy.revision)


def foresee(verifier: Verifier, image: ImageRef, where: list[Place], now: datetime) -> Foreseen:
    """One decision over all these places, where each must admit, and what the clock makes of it."""
    deadline, heard = Deadline.after(options.DEADLINE_SECONDS), Heard()
    asked = verifier.telling(heard)
    decisions = [asked.decide(image, place, now=now, deadline=deadline) for place in where]
    return heard.foresee(combine(decisions), now)
