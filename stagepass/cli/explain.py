"""`stagepass explain`: what is met, by whom and when, and what is missing, with the command."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from stagepass.cli import options, places
from stagepass.cli.report import answer_text, exit_code, judged_image, printable, to_json
from stagepass.cli.verify import decide
from stagepass.clock import format_time
from stagepass.decision import Decision
from stagepass.digest import ImageRef
from stagepass.verifier import Verifier


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
    sources = options.sources(evidence, offline=offline, hosts=policy.hosts())
    decision = decide(Verifier(policy, sources), image, where, options.current_time(now))
    if output == "json":
        judged = judged_image(image, where[0].namespace, decision)
        click.echo(json.dumps(_with_met(to_json(judged, policy.revision), decision)))
    else:
        _show(image, decision)
    return exit_code([decision])


def _with_met(line: dict[str, object], decision: Decision) -> dict[str, object]:
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
    return {**line, "requirementsMet": met}


def _show(image: ImageRef, decision: Decision) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    click.echo(f"{image}\n{answer_text(decision)}")
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
    for fix in dict.fromkeys(v.fix for v in decision.violations if v.fix):
        click.echo(f"to fix: {fix}")
