"""`stagepass evidence`: see what was signed about an image, store it, take it somewhere else."""

from __future__ import annotations

import click

from stagepass.cli.lazy import Lazy

_COMMANDS = {
    "attach": ("evidence_attach", "attach"),
    "copy": ("evidence_move", "copy_evidence"),
    "ls": ("evidence_list", "list_evidence"),
    "mirror": ("evidence_move", "mirror"),
}


@click.group(cls=Lazy.of(_COMMANDS))
def evidence() -> None:
    """See, store and move what was signed about an image."""
