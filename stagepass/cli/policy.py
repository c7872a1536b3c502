"""`stagepass policy`: look at a policy set before a gate does."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.cli.main import USAGE
from stagepass.errors import InputError


@click.group()
def policy() -> None:
    """Check policy sets."""


@policy.command()
@click.argument("directory", type=click.Path(path_type=Path))
@options.output
def lint(directory: Path, output: str) -> int:
    """
    Load the policy set in DIRECTORY and report what is wrong or suspicious.

    Exits 64 when it does not load (every error is listed), 1 on findings, 0 when clean.
    """
    from stagepass.policy.lint import lint as findings_of
    from stagepass.policy.load import PolicyError
    from stagepass.policy.store import load_directory

    try:
        loaded = load_directory(directory)
    except PolicyError as error:
        _show_errors(error.errors, output)
        return USAGE
    findings = findings_of(loaded)
    if output == "json":
        lines = [{"where": f.where, "rule": f.rule, "message": f.message} for f in findings]
        click.echo(json.dumps({"revision": loaded.revision, "findings": lines, "errors": []}))
    else:
        for finding in findings:
            click.echo(
                f"{click.style(finding.rule, fg='yellow')} {finding.where}: {finding.message}"
            )
        stages = sum(len(pipeline.stages) for pipeline in loaded.pipelines)
        click.echo(
            f"{len(loaded.pipelines)} pipelines, {stages} stages, {len(loaded.attestors)} attestors:"
            f" {len(findings)} findings"
        )
    return 1 if findings else 0


def _show_errors(errors: tuple[InputError, ...], output: str) -> None:
    if output == "json":
        lines = [{"where": e.where, "message": e.message, "hint": e.hint} for e in errors]
        click.echo(json.dumps({"revision": None, "findings": [], "errors": lines}))
        return
    for error in errors:
        click.secho(f"error: {error}", err=True, fg="red")
    click.echo(f"the set does not load: {len(errors)} errors", err=True)
