"""`stagepass release`: the objects of a stage as one signed thing, made, stored, verified, compared."""

from __future__ import annotations

import click

from stagepass.cli.lazy import Lazy

_COMMANDS = {
    "attest": ("release_attest", "attest"),
    "build": ("release_build", "build_release"),
    "diff": ("release_diff", "diff"),
    "show": ("release_show", "show"),
    "verify": ("release_verify", "verify"),
}


@click.group(cls=Lazy.of(_COMMANDS))
def release() -> None:
    """Make, sign, verify and compare releases: the objects and images of a stage."""
