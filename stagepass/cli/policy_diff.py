"""`stagepass policy diff`: what a new set would let in or refuse that the old one did not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.cli.policy_stranded import Running, stranded
from stagepass.cli.report import printable
from stagepass.policy.diff_rules import Change, Effect

_COLOURS = {Effect.STRICTER: "yellow", Effect.LOOSER: "red", Effect.CHANGED: "cyan"}
_PATH = click.Path(path_type=Path)


@click.command("diff")
@click.argument("old", type=_PATH)
@click.argument("new", type=_PATH)
@click.option(
    "--running",
    metavar="FILE",
    help="What runs, to name what NEW would strand: 'kubectl get pods -A -o json', or '-'.",
)
@click.option("--cluster", help="The cluster it runs in.")
@options.evidence
@options.offline
@options.now
@options.output
def diff(
    old: Path,
    new: Path,
    running: str | None,
    cluster: str | None,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """
    Say in words what became stricter or looser from the policy set OLD to the set NEW.

    A stricter change lets nothing in that was refused, a looser one refuses nothing that was let in;
    of a line that says changed, neither is known. With --running, the images that run are judged by
    both sets: what OLD allows and NEW does not is stranded, for it could not restart.

    Exits 0 when the sets decide alike, 1 when they differ, 64 when one does not load.
    """
    from stagepass.policy.diff import diff as changes_between

    if running is not None and cluster is None:
        raise click.UsageError("--running needs --cluster: the one it runs in")
    before, after = options.load_policy(old), options.load_policy(new)
    lost: Running | None = None
    if running is not None and cluster is not None:
        sources = options.sources(evidence, offline=offline, hosts=before.hosts() | after.hosts())
        moment = options.current_time(now)
        lost = stranded(before, after, sources, running, cluster, moment)
    changes = changes_between(before, after)
    if output == "json":
        told = _to_json(changes, lost)
        click.echo(json.dumps({"old": before.revision, "new": after.revision, **told}))
    else:
        _show(changes, lost)
    return 1 if changes else 0


def _show(changes: Sequence[Change], lost: Running | None) -> None:
    for change in changes:
        mark = click.style(f"{change.effect:<9}", fg=_COLOURS[change.effect])
        click.echo(f"{mark} {change.where}: {printable(change.message)}")
    if lost is not None:
        lost.show_each()
    counts = Counter(change.effect for change in changes)
    told = ", ".join(f"{counts[effect]} {effect}" for effect in Effect if counts[effect])
    click.echo(f"{len(changes)} changes: {told}" if changes else "the sets decide alike")
    if lost is not None:
        lost.show_total()


def _to_json(changes: Sequence[Change], lost: Running | None) -> dict[str, object]:
    """Without --running, nothing is said about what would be stranded."""
    lines = [{"effect": str(c.effect), "where": c.where, "message": c.message} for c in changes]
    return {"changes": lines, **(lost.to_json() if lost else {})}
