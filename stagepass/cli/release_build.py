"""`stagepass release build`: rendered objects made into a release. Nothing is rendered, asked or signed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stagepass.cli import options, release_files
from stagepass.cli.release_place import stage_of
from stagepass.errors import InputError
from stagepass.predicates.release import RELEASE
from stagepass.release.build import Commit, Terms, build
from stagepass.release.model import RELEASE_FILE, Release, other_subjects, subjects
from stagepass.release.store import repository_of
from stagepass.statement import Subject, compose

_PATH = click.Path(path_type=Path)
# A bundle holds the statement in base64, and is read back up to 1 MiB.
_MAX_STATEMENT = 760_000


@click.command("build")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--pipeline", required=True, help="The pipeline whose release it is.")
@options.stage
@click.option(
    "--source", required=True, metavar="URI@COMMIT", help="The commit it is rendered from."
)
@click.option("--path", required=True, help="The directory in the source; recorded.")
@click.option(
    "--policy",
    "policy_directory",
    type=_PATH,
    metavar="DIR",
    help="Whether Secrets may be part of it is the stage's `release.secrets`; without, none may.",
)
@click.option(
    "--output-dir", required=True, type=_PATH, metavar="DIR", help="The directory to fill."
)
@options.output
def build_release(
    files: tuple[str, ...],
    pipeline: str,
    stage: str,
    source: str,
    path: str,
    policy_directory: Path | None,
    output_dir: Path,
    output: str,
) -> int:
    """
    Make a release of the rendered objects in FILE (YAML, JSON, List, '-').

    Into DIR go release.json (what `--release` of other commands wants), objects.json and the unsigned
    statement.json. The same objects give the same bytes on every machine.
    """
    if not (pipeline and stage and path):
        raise InputError("--pipeline, --stage and --path must not be empty")
    _require_text(pipeline=pipeline, stage=stage, path=path, source=source)
    rule = (
        stage_of(options.load_policy(policy_directory), pipeline, stage)
        if policy_directory
        else None
    )
    commit = Commit.parse(source)
    terms = Terms(pipeline, stage, path, commit, salted=rule is not None and rule.salted)
    release = build(release_files.rendered(files), terms)
    payload = unsigned(release, repository_of(rule).name, commit.subject)
    written = release_files.write(output_dir, release, payload)
    _show(release, written, output)
    return 0


def _require_text(**options: str) -> None:
    """Raises `InputError` for what no JSON can hold: an argument of other bytes than UTF-8."""
    for name, text in options.items():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            told = ascii(text)
            raise InputError(
                f"--{name} {told} is not UTF-8", hint="give it another name"
            ) from error


def unsigned(release: Release, repository: str, source: Subject | None) -> bytes:
    """The payload to sign. Raises `InputError` where a bundle of it would be too big to be read."""
    statement = release.statement
    payload = compose(
        name=RELEASE_FILE,
        digest=release.digest,
        predicate_type=RELEASE,
        predicate=statement.compose(),
        others=other_subjects(statement, repository, source),
    )
    if len(payload) > _MAX_STATEMENT:
        raise InputError(
            f"a statement of {len(payload)} bytes over {len(statement.resources)} objects; at most"
            f" {_MAX_STATEMENT} are read back",
            hint="make two stages of it",
        )
    return payload


def _show(release: Release, written: list[Path], output: str) -> None:
    about = subjects(release.statement)
    counts = {"objects": len(release.objects), "images": len(release.statement.images)}
    if output == "json":
        digests = {name: str(digest) for name, digest in about.items()}
        said = {"pipeline": release.pipeline, "stage": release.stage, **digests}
        files = [str(path) for path in written]
        line = {**said, "imageSet": str(release.image_set), **counts, "files": files}
        click.echo(json.dumps(line))
        return
    click.echo(f"release   {release.digest}  {release.pipeline}/{release.stage}")
    click.echo(
        f"image set {release.image_set}  {counts['objects']} objects, {counts['images']} images"
    )
    for path in written:
        click.echo(f"  wrote {path}")
