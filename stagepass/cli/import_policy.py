"""`stagepass import`: the policies of other gates as a policy set of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from stagepass import wholefile
from stagepass.cli import options
from stagepass.errors import InputError
from stagepass.importing import gba, kyverno, policy_controller
from stagepass.importing.common import Effect, Node, Report, read
from stagepass.importing.draft import Draft
from stagepass.importing.options import ACCEPTABLE, Options
from stagepass.policy.load import PolicyError, load

F = TypeVar("F", bound=Callable[..., Any])
_COLOURS = {Effect.NOT_TRANSLATED: "red", Effect.STRICTER: "yellow", Effect.NOTE: "cyan"}


def _named_root(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not name or not equals or not file:
        raise InputError(f"{text!r} is not NAME=FILE", hint="like public-good=public-good.json")
    return name, Path(file)


_PATH = click.Path(path_type=Path)
_FILES = click.argument("files", nargs=-1, required=True, type=_PATH, metavar="FILE...")
_COMMON = (
    click.option("--into", type=_PATH, metavar="DIR", help="Write the set there: a new directory."),
    click.option("--cluster", "clusters", multiple=True, help="Where the images run. Repeatable."),
    click.option(
        "--namespace", "namespaces", multiple=True, help="The namespaces there. Repeatable."
    ),
    click.option(
        "--pipeline", default="", help="What to call the pipeline; else as the source does."
    ),
    click.option("--stage", default="imported", show_default=True, help="What to call its stage."),
)
_SIGSTORE = (
    click.option(
        "--trust-root",
        "roots",
        multiple=True,
        metavar="NAME=FILE",
        help="The trust root of keyless signers, as 'stagepass trust update' writes it. Repeatable.",
    ),
    click.option(
        "--accept",
        multiple=True,
        type=click.Choice(ACCEPTABLE),
        help="Go without this, which Stagepass does not ask for. Repeatable.",
    ),
)


def _with(*groups: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return options.output(command)

    return add


@click.group("import")
def import_policy() -> None:
    """Translate policies of other admission gates, and list what has no counterpart here."""


@import_policy.command("gba")
@_FILES
@_with(_COMMON)
@click.option(
    "--image", "images", multiple=True, help="A pattern of the images to let in. Repeatable."
)
@click.option(
    "--predicate-type", default="", help="What attestors sign; by default what cosign sign makes."
)
@click.option(
    "--exempt-namespace", "exempt_namespaces", multiple=True, help="Where the allowlist holds."
)
@click.option("--exempt-reason", default="", help="Why.")
@click.option("--exempt-until", type=options.TIME, metavar="RFC3339", help="Until when.")
def gba_command(
    files: tuple[Path, ...],
    into: Path | None,
    output: str,
    exempt_until: datetime | None,
    **given: Any,
) -> int:
    """
    Translate a policy of Google Binary Authorization.

    FILE is what 'gcloud container binauthz policy export' prints; with it go the attestors, as
    'gcloud container binauthz attestors describe' prints them. Exits 0 when all was translated, 1 when
    something was not or the set does not load yet, 64 for a file that is no such policy.
    """
    wanted = Options(exempt_until=exempt_until, **given)
    return _run(files, Draft(wanted, Report()), gba.translate, into, output)


@import_policy.command("policy-controller")
@_FILES
@_with(_COMMON, _SIGSTORE)
def policy_controller_command(
    files: tuple[Path, ...], into: Path | None, output: str, **given: Any
) -> int:
    """
    Translate ClusterImagePolicy objects of Sigstore's policy-controller.

    Exits 0 when all was translated, 1 when something was not or the set does not load yet, 64 for a
    file that holds something else.
    """
    return _run(files, _draft(**given), policy_controller.translate, into, output)


@import_policy.command("kyverno")
@_FILES
@_with(_COMMON, _SIGSTORE)
def kyverno_command(files: tuple[Path, ...], into: Path | None, output: str, **given: Any) -> int:
    """
    Translate Kyverno's policies that verify images: ClusterPolicy, Policy, ImageValidatingPolicy.

    Exits 0 when all was translated, 1 when something was not or the set does not load yet, 64 for a
    file that holds something else.
    """
    return _run(files, _draft(**given), kyverno.translate, into, output)


def _draft(*, roots: Sequence[str], accept: Sequence[str], **given: Any) -> Draft:
    contents = {name: _read(path) for name, path in map(_named_root, roots)}
    return Draft(Options(roots=contents, **given), Report(frozenset(accept)))


def _run(
    files: Sequence[Path],
    draft: Draft,
    translate: Callable[[list[Node], Draft], None],
    into: Path | None,
    output: str,
) -> int:
    documents = [node for path in files for node in read(str(path), _text(path))]
    if not documents:
        raise InputError(
            "holds no policy: it is empty, or an empty list",
            where=", ".join(map(str, files)),
            hint="look whether the export went through, and from the right cluster or project",
        )
    translate(documents, draft)
    written = draft.files()
    errors = _load_errors(written)
    if into is not None:
        _write(into, written)
    if output == "json":
        _show_json(draft.report, written, errors)
    else:
        _show(draft.report, written, errors, into)
    missing = any(f.effect is Effect.NOT_TRANSLATED for f in draft.report.sorted())
    return 1 if missing or errors else 0


def _load_errors(files: Mapping[str, bytes]) -> tuple[InputError, ...]:
    try:
        load(files, "import")
    except PolicyError as error:
        return error.errors
    return ()


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise InputError("is not empty", where=str(directory), hint="name a new directory")
        for name, content in files.items():
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            wholefile.replace(path, content)
    except OSError as error:
        raise InputError(f"cannot write: {error}", where=str(directory)) from error


def _show(
    report: Report, files: Mapping[str, bytes], errors: Sequence[InputError], into: Path | None
) -> None:
    for finding in report.sorted():
        click.echo(
            f"{click.style(finding.effect, fg=_COLOURS[finding.effect])} {finding}", err=True
        )
    for error in errors:
        click.secho(f"does not load yet: {error}", err=True, fg="red")
    if into is not None:
        for name in files:
            click.echo(f"wrote {into / name}")
        return
    click.echo(files["policy.yaml"].decode(), nl=False)
    for name in sorted(set(files) - {"policy.yaml"}):
        click.echo(f"{name} belongs to it: --into DIR writes it", err=True)


def _show_json(report: Report, files: Mapping[str, bytes], errors: Sequence[InputError]) -> None:
    findings = [
        {
            "file": f.file,
            "line": f.line,
            "path": f.path,
            "effect": str(f.effect),
            "message": f.message,
            "instead": f.instead,
        }
        for f in report.sorted()
    ]
    lines = [{"where": e.where, "message": e.message, "hint": e.hint} for e in errors]
    texts = {name: content.decode(errors="replace") for name, content in files.items()}
    click.echo(json.dumps({"files": texts, "findings": findings, "errors": lines}))


def _text(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=str(path)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(path)) from error
