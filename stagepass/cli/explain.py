"""`stagepass explain`: what is met, by whom and when, and what is missing, with the command."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from stagepass.cli import deciding, options, places
from stagepass.cli.report import (
    answer_text,
    exit_code,
    judged_image,
    printable,
    to_json,
    until_text,
)
from stagepass.cli.verify import foresee
from stagepass.clock import format_time
from stagepass.decision import Decision
from stagepass.digest import ImageRef
from stagepass.foreseen import Foreseen


@click.command()
@click.argument("image", type=options.ANY_IMAGE)
@options.stage
@options.pipeline
@options.cluster
@options.namespace
@options.deciding
def explain(
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
    """Say why IMAGE (repository@sha256:...) may or may not enter --stage, and what would change it."""
    policy = options.load_policy(policy_directory)
    found = places.targets(policy, stage, pipeline, image)
    where = places.places_of(found, cluster, namespace)
    gate = deciding.verifier(policy, evidence, offline=offline)
    foreseen = foresee(gate, image, where, options.current_time(now))
    decision = foreseen.decision
    if output == "json":
        judged = replace(judged_image(image, where[0].namespace, decision), foreseen=foreseen)
        click.echo(json.dumps(_explained(to_json(judged, policy.revision), decision)))
    else:
        _show(image, foreseen)
    return exit_code([decision])


def _explained(line: dict[str, object], decision: Decision) -> dict[str, object]:
    """`requirementsMet`, and of what is missing the members that `python -m applier status` tells."""
    met = [
        {
            "pipeline": m.pipeline,
            "stage": m.stage,
            "requirement": m.requirement,
            "signer": m.signer,
            "time": format_time(m.time) if m.time else None,
            "payloadDigest": m.payload_digest,
        }
        for m in dict.fromkeys(decision.met)
    ]
    missing = [
        {
            "image": v.image,
            "pipeline": v.pipeline,
            "stage": v.stage,
            "requirement": v.requirement,
            "code": str(v.code),
        }
        for v in decision.unmet
    ]
    return {**line, "requirementsMet": met, "missing": missing}


def _show(image: ImageRef, foreseen: Foreseen) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    decision, ends = foreseen.decision, foreseen.admitted_until
    click.echo(
        f"{image}\n{answer_text(decision)}" + (f" until {format_time(ends)}" if ends else "")
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("", "STAGE", "REQUIREMENT", "WHO, WHEN OR WHY NOT"):
        table.add_column(heading, overflow="fold")
    for met in dict.fromkeys(decision.met):
        when = f" at {format_time(met.time)}" if met.time else ""
        table.add_row(
            Text("met", "green"),
            Text(f"{met.pipeline}/{met.stage}"),
            Text(met.requirement),
            Text(f"signed by {met.signer}{when}"),
        )
    for v in decision.unmet:
        place = f"{v.pipeline}/{v.stage}" if v.stage else ""
        # Text, never a bare string: strangers write into messages, and a string is read as markup.
        why = Text(printable(f"{v.code}: {v.message}"))
        table.add_row(Text("missing", "red"), Text(place), Text(v.requirement), why)
    console = Console()
    # Piped into a log there is no width to respect; 80 columns would fold every reason.
    Console(width=None if console.is_terminal else 140).print(table)
    for line in until_text(foreseen):
        click.echo(line)
    for fix in dict.fromkeys(v.fix for v in decision.violations if v.fix):
        click.echo(f"to fix: {fix}")
