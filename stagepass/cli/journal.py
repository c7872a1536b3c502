"""`stagepass journal`: what a gate wrote down, and whether that is still what it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.cli.report import printable
from stagepass.decision import Code
from stagepass.journal import Problem, Report, check, entries, files
from stagepass.strictjson import Json


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


@journal.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--denied", is_flag=True, help="Only what was refused, and so was not written.")
@click.option(
    "--code",
    "codes",
    multiple=True,
    type=click.Choice(list(Code)),
    help="Only decisions with this reason. Repeatable: any of them.",
)
@options.output
def show(path: Path, denied: bool, codes: tuple[str, ...], output: str) -> int:
    """
    Print the decisions in PATH, a journal or a directory of them, oldest first.

    What somebody tried to change by hand where manifests are required:
    `--denied --code MANIFEST_DIFFERS --code MANIFEST_UNATTESTED`. Exits 1 where a line is not as it
    was written; whether lines are missing is for `verify`.
    """
    wanted: list[Mapping[str, Json]] = []
    problems = 0
    for file in files(path):
        for each in entries(file):
            if isinstance(each, Problem):
                click.secho(f"{file}:{each.line}: {each.message}", err=True, fg="red")
                problems += 1
            elif _is_wanted(each, denied, codes):
                wanted.append(each)
    for decision in sorted(wanted, key=lambda each: str(each.get("time"))):
        click.echo(json.dumps(dict(decision)) if output == "json" else _line(decision))
    return 1 if problems else 0


def _is_wanted(decision: Mapping[str, Json], denied: bool, codes: tuple[str, ...]) -> bool:
    is_denied = decision.get("allowed") is False and decision.get("answer") == "denied"
    found = {reason.partition(" ")[0] for reason in _reasons(decision)}
    return (is_denied or not denied) and (not codes or bool(found & set(codes)))


def _line(decision: Mapping[str, Json]) -> str:
    names = ("time", "answer", "operation", "object", "user")
    told = [printable(str(decision[name])) for name in names if decision.get(name)]
    return "  ".join([*told, printable("; ".join(_reasons(decision)))]).rstrip()


def _reasons(decision: Mapping[str, Json]) -> list[str]:
    """`CODE path image`, each."""
    found = decision.get("violations")
    return [str(each).rstrip() for each in found] if isinstance(found, list) else []


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
