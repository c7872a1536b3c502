"""`stagepass policy`: look at a policy set before a gate does, and sign it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path

import click

from stagepass import strictyaml
from stagepass.cli import options
from stagepass.cli.keys import passphrase
from stagepass.cli.main import USAGE
from stagepass.clock import format_time
from stagepass.errors import InputError
from stagepass.policy.lint import lint as findings_of
from stagepass.policy.lint_finding import Finding
from stagepass.policy.lint_webhook import uncovered
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.policy.store import load_directory, sign_directory
from stagepass.signing import PrivateKey

_ELSEWHERE = ("diff", "schema", "test")
"""Commands of the module `stagepass.cli.policy_NAME`, imported when one is called."""


class _Lazy(click.Group):
    """The commands of this module, and those of others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them."""
        return sorted((*super().list_commands(ctx), *_ELSEWHERE))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `cmd_name`, its module imported."""
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(f"stagepass.cli.policy_{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=_Lazy)
def policy() -> None:
    """Check, test, compare and sign policy sets."""


@policy.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--webhook",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check that the ValidatingWebhookConfiguration in FILE asks about every kind in scope.",
)
@options.now
@options.output
def lint(directory: Path, webhook: Path | None, now: datetime | None, output: str) -> int:
    """
    Load the policy set in DIRECTORY and report what is wrong or suspicious.

    Exits 64 when it does not load (every error is listed), 1 on findings, 0 when clean.
    """
    try:
        loaded = load_directory(directory)
    except PolicyError as error:
        _show_errors(error.errors, output)
        return USAGE
    findings = findings_of(loaded, now=options.current_time(now))
    if webhook is not None:
        findings = sorted((*findings, *_of_webhook(loaded, webhook)))
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


@policy.command("sign")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--key", "key_file", required=True, type=click.Path(path_type=Path), help="The root key."
)
@click.option("--passphrase-env", metavar="VAR", help="The variable with the key's passphrase.")
@click.option(
    "--valid-for",
    type=options.DURATION,
    default="30d",
    show_default=True,
    help="After it, gates answer undetermined until the set is signed again.",
)
@click.option(
    "--sequence",
    type=click.IntRange(min=1, max=1 << 32),
    default=1,
    help="At least this, where the last signature is gone or another key's.",
)
@options.now
def sign(
    directory: Path,
    key_file: Path,
    passphrase_env: str | None,
    valid_for: timedelta,
    sequence: int,
    now: datetime | None,
) -> int:
    """
    Sign the policy set in DIRECTORY with the root key, for a time.

    A gate started with STAGEPASS_POLICY_ROOT_KEY takes nothing else, and no older set than it has seen;
    once the time is over it answers undetermined until a newer signature arrives.
    """
    moment = options.current_time(now)
    key = PrivateKey.read(key_file, passphrase(passphrase_env))
    signature = sign_directory(
        directory, key, issued=moment, expires=moment + valid_for, at_least=sequence
    )
    click.echo(
        f"signed {len(signature.files)} files of {directory}: sequence {signature.sequence},"
        f" until {format_time(signature.expires)}"
    )
    return 0


def _of_webhook(loaded: PolicySet, path: Path) -> list[Finding]:
    try:
        documents = list(strictyaml.load_all(path.read_text(encoding="utf-8"), where=str(path)))
        return uncovered(loaded, documents)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read: {error}", where=str(path)) from error
    except InputError as error:
        raise InputError(error.message, where=error.where or str(path)) from error


def _show_errors(errors: tuple[InputError, ...], output: str) -> None:
    if output == "json":
        lines = [{"where": e.where, "message": e.message, "hint": e.hint} for e in errors]
        click.echo(json.dumps({"revision": None, "findings": [], "errors": lines}))
        return
    for error in errors:
        click.secho(f"error: {error}", err=True, fg="red")
    click.echo(f"the set does not load: {len(errors)} errors", err=True)
