"""`stagepass policy test`: cases that a policy set must answer as written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import click

from stagepass.cli import options
from stagepass.cli.report import printable, violation_json
from stagepass.decision import Decision
from stagepass.errors import InputError


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case judged. `unlike` is what differs from what it wants: it passed where there is nothing."""

    file: str
    name: str
    decision: Decision
    unlike: tuple[str, ...]

    @property
    def reasons(self) -> list[str]:
        """Why the answer is what it is."""
        return [f"{v.code}: {printable(v.message)}" for v in self.decision.unmet]


@click.command("test")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@options.policy
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="OUT", help="Also write JUnit XML to OUT."
)
@options.output
def test(files: tuple[Path, ...], policy_directory: Path, junit: Path | None, output: str) -> int:
    """
    Judge the cases in FILE... by the policy set, offline and without a key.

    A case describes its evidence, and the description is taken for signed: this tests the policy.
    Exits 0 when every answer is as expected, 1 when one is not, 64 when a file cannot be used.
    """
    outcomes = _judge(files, policy_directory)
    if junit is not None:
        _write(junit, _junit(outcomes))
    failed = sum(bool(outcome.unlike) for outcome in outcomes)
    for outcome in outcomes:
        if output == "json":
            click.echo(json.dumps(_to_json(outcome)))
        else:
            _show(outcome)
    if output != "json":
        click.echo(f"{len(outcomes)} cases: {len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _judge(files: Sequence[Path], policy_directory: Path) -> list[Outcome]:
    """All files are read before any case is judged."""
    from stagepass.policy.cases import read_cases

    policy = options.load_policy(policy_directory)
    read = [(str(file), read_cases(_text(file), str(file), policy)) for file in files]
    outcomes: list[Outcome] = []
    for file, cases in read:
        for case in cases:
            decision = case.judge(policy)
            unlike = tuple(case.expected.unlike(decision))
            outcomes.append(Outcome(file, case.name, decision, unlike))
    return outcomes


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(file)) from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=str(file)) from error


def _show(outcome: Outcome) -> None:
    if not outcome.unlike:
        click.echo(f"{click.style('ok', fg='green')}    {printable(outcome.name)}")
        return
    click.echo(f"{click.style('FAIL', fg='red', bold=True)}  {printable(outcome.name)}")
    for line in (*outcome.unlike, *outcome.reasons):
        click.echo(f"      {line}")


def _to_json(outcome: Outcome) -> dict[str, object]:
    return {
        "file": outcome.file,
        "name": outcome.name,
        "passed": not outcome.unlike,
        "unlike": list(outcome.unlike),
        "decision": str(outcome.decision.answer),
        "allowed": outcome.decision.allowed,
        "violations": [violation_json(v) for v in outcome.decision.violations],
        "notes": [str(note) for note in outcome.decision.notes],
    }


def _junit(outcomes: Sequence[Outcome]) -> str:
    """One suite for each file, as CI systems read it."""
    root = ElementTree.Element("testsuites", _counts(outcomes))
    for file in dict.fromkeys(outcome.file for outcome in outcomes):
        of_file = [outcome for outcome in outcomes if outcome.file == file]
        suite = ElementTree.SubElement(root, "testsuite", {"name": file} | _counts(of_file))
        for outcome in of_file:
            # A control character is no XML, however it is written.
            names = {"name": printable(outcome.name), "classname": printable(file)}
            case = ElementTree.SubElement(suite, "testcase", names)
            if outcome.unlike:
                message = {"message": "; ".join(outcome.unlike)}
                failure = ElementTree.SubElement(case, "failure", message)
                failure.text = "\n".join(outcome.reasons)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    failed = sum(bool(outcome.unlike) for outcome in outcomes)
    return {"tests": str(len(outcomes)), "failures": str(failed), "errors": "0"}


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(target)) from error
