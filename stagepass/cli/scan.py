"""`stagepass scan`: what runs, against what may."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import click

from stagepass.cli import deciding, options
from stagepass.cli.admit import judge_files
from stagepass.cli.report import Judged, exit_code, printable, show


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--cluster", required=True, help="The cluster they run in.")
@options.deciding
def scan(
    files: tuple[str, ...],
    cluster: str,
    policy_directory: Path,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """
    Judge what runs: `kubectl get pods -A -o json | stagepass scan - --policy DIR --cluster C`.

    Each object that is not admitted is listed, with each of its images: it could not restart.
    """
    policy = options.load_policy(policy_directory)
    gate = deciding.verifier(policy, evidence, offline=offline, cached=True)
    judged = judge_files(gate, files, cluster, "default", options.current_time(now))
    if output == "json":
        return show(judged, output=output, revision=policy.revision)
    _show_table(judged)
    return exit_code([item.decision for item in judged])


def _show_table(judged: list[Judged]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    counts = Counter(str(item.decision.answer) for item in judged)
    table = Table(box=None, pad_edge=False)
    for heading in ("ANSWER", "OBJECT", "IMAGE", "WHY"):
        table.add_column(heading, overflow="fold")
    for item in judged:
        identity = item.object_id
        name = f"{identity.kind} {identity.namespace}/{identity.name}"
        for violation in item.decision.unmet:
            # Text, never a bare string: whoever names a Pod or an image would write markup.
            cells = (name, violation.image, f"{violation.code}: {violation.message}")
            table.add_row(str(item.decision.answer), *(Text(printable(cell)) for cell in cells))
    console = Console()
    if any(item.decision.violations for item in judged):
        Console(width=None if console.is_terminal else 180).print(table)
    told = ", ".join(f"{counts[answer]} {answer}" for answer in sorted(counts))
    click.echo(f"{len(judged)} objects: {told}")
