"""`stagepass journal`: whether what a gate wrote down is still what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.journal import Report, check, files


@click.group()
def journal() -> None:
    """Read the hash-chained decision journals of a gate."""


@journal.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--last",
    "wanted",
    multiple=True,
    metavar="HASH",
    help="The hash of a line, noted elsewhere, that must still be there. Repeatable.",
)
@options.output
def verify(path: Path, wanted: tuple[str, ...], output: str) -> int:
    """
    Find altered, removed, repeated and reordered lines in PATH, a journal or a directory of them.

    A chain cannot know its own end: note the last hash it prints (it also stands in each decision's
    log line) and give it as --last, then a cut-off end or a removed file is found too. An emptied
    journal has no line left to be wrong: it is called empty, and exits 0 without --last.
    Exits 0 when whole, 1 when not.
    """
    reports = [check(file) for file in files(path)]
    known = frozenset().union(*(report.hashes for report in reports))
    missing = [text for text in wanted if text.lower() not in known]
    if output == "json":
        for report in reports:
            click.echo(json.dumps(_facts(report)))
    else:
        for report in reports:
            _show(report)
    for text in missing:
        click.secho(f"no line has the hash {text}: the end was cut off", err=True, fg="red")
    return 1 if missing or any(report.problems for report in reports) else 0


def _facts(report: Report) -> dict[str, object]:
    problems = [{"line": p.line, "message": p.message} for p in report.problems]
    return {
        "file": str(report.path),
        "lines": report.lines,
        "last": report.last,
        "problems": problems,
    }


def _show(report: Report) -> None:
    for problem in report.problems:
        click.secho(f"{report.path}:{problem.line}: {problem.message}", err=True, fg="red")
    if not report.lines:
        click.echo(
            f"{report.path}: empty, 0 lines: new, or emptied since;"
            " only a hash noted elsewhere tells (--last HASH)"
        )
        return
    told = "broken" if report.problems else "whole"
    click.echo(f"{report.path}: {told}, {report.lines} lines, last {report.last}")
