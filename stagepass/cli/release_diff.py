"""`stagepass release diff`: what came, went and changed from one release to another."""

from __future__ import annotations

import json
from typing import Any

import click

from stagepass.cli import options
from stagepass.cli.release_place import Operand, repository
from stagepass.cli.release_sources import opened
from stagepass.cli.report import printable
from stagepass.digest import ImageRef
from stagepass.manifests.difference import ABSENT
from stagepass.manifests.secrets import is_salted
from stagepass.release.compare import Change, Comparison, compare
from stagepass.release.model import Release

_WIDTH = 200
_MAX_VALUE = 300


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@repository
@options.evidence
@options.offline
@options.output
def diff(
    old: str,
    new: str,
    repository: ImageRef | None,
    evidence: tuple[str, ...],
    offline: bool,
    output: str,
) -> int:
    """
    Say which objects and images differ between OLD and NEW, field by field.

    Each is REPOSITORY@sha256:..., as `attest` printed it, or a directory that `build` has filled. Who
    signed them is not asked: `release verify` does. Exits 0 when they are alike, 1 when they differ.
    """
    before, after = (
        opened(Operand.of(each, repository, None), evidence, offline=offline)[0]
        for each in (old, new)
    )
    found = compare(before, after)
    if output == "json":
        click.echo(json.dumps(_to_json(before, after, found)))
    else:
        _show(before, after, found)
    return 0 if found.is_empty else 1


def _to_json(before: Release, after: Release, found: Comparison) -> dict[str, Any]:
    changed = {
        name: [{"path": c.path, **_sides(c)} for c in changes]
        for name, changes in found.changed.items()
    }
    return {
        "old": str(before.digest),
        "new": str(after.digest),
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": changed,
        "imagesAdded": [f"{each.name}@{each.digest}" for each in found.images_added],
        "imagesRemoved": [f"{each.name}@{each.digest}" for each in found.images_removed],
    }


def _sides(change: Change) -> dict[str, Any]:
    """A side that is not there is left out."""
    sides = {"old": change.old, "new": change.new}
    return {name: value for name, value in sides.items() if value is not ABSENT}


def _show(before: Release, after: Release, found: Comparison) -> None:
    click.echo(f"{before.digest}  {before.pipeline}/{before.stage}")
    click.echo(f"{after.digest}  {after.pipeline}/{after.stage}")
    for mark, colour, names, pieces in (
        ("added", "green", found.added, found.images_added),
        ("removed", "red", found.removed, found.images_removed),
    ):
        shown = (*names, *(f"image {each.name}@{each.digest}" for each in pieces))
        for name in shown:
            click.secho(printable(f"{mark:<8} {name}"), fg=colour)
    for name, changes in found.changed.items():
        click.secho(printable(f"changed  {name}"), fg="yellow")
        _table(changes)
    counts = (len(found.added), len(found.removed), len(found.changed))
    words = zip(counts, ("added", "removed", "changed"), strict=True)
    told = ", ".join(f"{count} {word}" for count, word in words if count)
    click.echo(f"objects: {told}" if told else "the releases hold the same objects")


def _table(changes: list[Change]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 2))
    for heading in ("FIELD", "OLD", "NEW"):
        table.add_column(heading, overflow="fold")
    for change in changes:
        # Text, never a bare string: what people wrote would be read as markup.
        table.add_row(
            Text(printable(change.path)),
            Text(_value(change.old), style="red"),
            Text(_value(change.new), style="green"),
        )
    console = Console()
    Console(width=None if console.is_terminal else _WIDTH).print(table)


def _value(value: Any) -> str:
    if value is ABSENT:
        return "(none)"
    if is_salted(value):
        return "(a salted value; the salt is each commit's own)"
    text = printable(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}..."
