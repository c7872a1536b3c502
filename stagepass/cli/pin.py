"""`stagepass pin`: the digest behind a tag, now."""

from __future__ import annotations

import json

import click

from stagepass.cli import options
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline


@click.command()
@click.argument("image", type=options.ANY_IMAGE)
@options.output
def pin(image: ImageRef, output: str) -> int:
    """
    Print IMAGE (repository:tag) by digest.

    A tag can be moved; what is printed is what it names at this moment. Put that into the manifest.
    """
    digest = image.digest
    if digest is None:
        with options.registry_client(frozenset({image.host})) as client:
            digest = client.resolve(image, Deadline.after(options.DEADLINE_SECONDS))
    pinned = f"{image.name}@{digest}"
    click.echo(json.dumps({"input": str(image), "pinned": pinned}) if output == "json" else pinned)
    return 0
