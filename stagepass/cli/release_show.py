"""`stagepass release show`: what is in a release, who signed it, since when it is there."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from stagepass.cli import options
from stagepass.cli.release_place import Operand, policy, repository
from stagepass.cli.release_sources import opened, stored_at
from stagepass.cli.release_verify import answer
from stagepass.cli.report import printable
from stagepass.decision import Answer
from stagepass.digest import ImageRef
from stagepass.release.model import Release, subjects

_UNVERIFIED = "not verified: give --policy"


@click.command()
@click.argument("operand", metavar="RELEASE")
@policy
@repository
@options.evidence
@options.offline
@options.now
@options.output
def show(
    operand: str,
    policy_directory: Path | None,
    repository: ImageRef | None,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """
    Show the objects and images of RELEASE: REPOSITORY@sha256:..., or a directory that `build` has filled.

    With --policy only a release that `verify` takes is shown, with its signer. Nobody signs the time:
    it is that of the registry, or of the file.
    """
    policy_set = options.load_policy(policy_directory) if policy_directory else None
    asked = Operand.of(operand, repository, policy_set)
    signer = ""
    if policy_set is not None:
        moment = options.current_time(now)
        found = answer(asked, policy_set, evidence, offline=offline, now=moment)
        if found.answer is not Answer.ADMITTED or found.signed is None:
            return found.show(operand, output)
        release, origin = found.signed.release, found.signed.origin
        signer = found.signed.attestation.owner
    else:
        release, origin = opened(asked, evidence, offline=offline)
    stored = stored_at(origin, asked.repository) if origin else ""
    if output == "json":
        click.echo(json.dumps(_to_json(release, signer, stored, origin)))
    else:
        _show(release, signer, stored, origin)
    return 0


def _to_json(release: Release, signer: str, stored: str, origin: str) -> dict[str, Any]:
    statement = release.statement
    return {
        "pipeline": release.pipeline,
        "stage": release.stage,
        "path": statement.path,
        **{name: str(digest) for name, digest in subjects(statement).items()},
        "imageSet": str(release.image_set),
        "signer": signer,
        "stored": stored,
        "origin": origin,
        "resources": [each.to_json() for each in statement.resources],
        "images": [each.to_json() for each in statement.images],
    }


def _show(release: Release, signer: str, stored: str, origin: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    about = subjects(release.statement)
    rows = {
        "release": str(release.digest),
        "stage": f"{release.pipeline}/{release.stage}",
        "path": release.statement.path,
        "artifact": str(about["artifact"]),
        "image set": str(release.image_set),
        "signed by": signer or _UNVERIFIED,
        "stored": f"{stored} {origin}".strip() or "nowhere yet",
    }
    for name, value in rows.items():
        click.echo(f"{click.style(f'{name:<10}', bold=True)} {printable(value)}")
    table = Table(box=None, pad_edge=False)
    for heading in ("", "NAME", "DIGEST"):
        table.add_column(heading, overflow="fold")
    pieces = [("object", each) for each in release.statement.resources]
    pieces += [("image", each) for each in release.statement.images]
    for kind, piece in pieces:
        table.add_row(kind, Text(printable(piece.name)), str(piece.digest))
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)
