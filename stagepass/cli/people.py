"""`stagepass approve` and `stagepass break-glass`: what people sign, about a stage of a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from stagepass.attesting import read_back, sign
from stagepass.cli import options, places
from stagepass.cli.keys import passphrase
from stagepass.cli.signed import publish, storing
from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.predicates.members import APPROVAL, BREAK_GLASS, Scope
from stagepass.predicates.people import APPROVED, Approval, BreakGlass
from stagepass.signing import PrivateKey

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)


def _about_a_stage(command: F) -> F:
    """The options that both commands have."""
    for option in (
        options.output,
        options.offline,
        options.evidence,
        storing,
        click.option("--namespace", multiple=True, help="Only there. Repeatable; default: all."),
        click.option("--cluster", multiple=True, help="Only there. Repeatable; default: all."),
        click.option("--pipeline", help="The pipeline; --policy finds it where there is only one."),
        click.option(
            "--policy",
            "policy_directory",
            type=_PATH,
            metavar="DIR",
            help="Find the pipeline in this set, and refuse places that the stage does not have.",
        ),
        options.stage,
        click.option("--passphrase-env", metavar="VAR", help="The variable with its passphrase."),
        click.option("--key", "key_file", required=True, type=_PATH, help="Your private key."),
        click.argument("image", type=options.IMAGE),
    ):
        command = option(command)
    return command


@click.command()
@_about_a_stage
@click.option("--reason", default="", help="Why; recorded.")
@click.option(
    "--valid-for",
    type=options.DURATION,
    default="2d",
    show_default=True,
    help="How long it counts; policy may end it sooner (maxAge).",
)
@options.now
def approve(
    image: ImageRef,
    key_file: Path,
    passphrase_env: str | None,
    stage: str,
    policy_directory: Path | None,
    pipeline: str | None,
    cluster: tuple[str, ...],
    namespace: tuple[str, ...],
    evidence: tuple[str, ...],
    offline: bool,
    reason: str,
    valid_for: timedelta,
    now: datetime | None,
    output: str,
) -> int:
    """Sign that you approve IMAGE (repository@sha256:...) for --stage."""
    moment = options.current_time(now)
    scope = _scope(image, stage, policy_directory, pipeline, cluster, namespace)
    claim = Approval(APPROVED, scope, moment, moment + valid_for, reason)
    key = PrivateKey.read(key_file, passphrase(passphrase_env))
    signed = sign(image, options.digest_of(image), key, APPROVAL, _text(claim))
    return publish(signed, evidence, offline=offline, now=moment, output=output)


@click.command("break-glass")
@_about_a_stage
@click.option("--reason", required=True, help="What happened; every use of this is told.")
@click.option("--incident", default="", metavar="URI", help="Where it is tracked.")
@click.option(
    "--valid-for",
    type=options.DURATION,
    default="1h",
    show_default=True,
    help="How long it counts; over the stage's maxDuration it never does.",
)
def break_glass(
    image: ImageRef,
    key_file: Path,
    passphrase_env: str | None,
    stage: str,
    policy_directory: Path | None,
    pipeline: str | None,
    cluster: tuple[str, ...],
    namespace: tuple[str, ...],
    evidence: tuple[str, ...],
    offline: bool,
    reason: str,
    incident: str,
    valid_for: timedelta,
    output: str,
) -> int:
    """
    Sign that IMAGE (repository@sha256:...) may enter --stage in an emergency.

    It excuses missing passes, requirements and windows, for a short time. It never excuses a missing
    digest, a revocation or a Baseline, and it is always judged at the real time.
    """
    moment = options.current_time(None)
    scope = _scope(image, stage, policy_directory, pipeline, cluster, namespace)
    claim = BreakGlass(scope, reason, moment, moment + valid_for, incident)
    key = PrivateKey.read(key_file, passphrase(passphrase_env))
    signed = sign(image, options.digest_of(image), key, BREAK_GLASS, _text(claim))
    return publish(signed, evidence, offline=offline, now=moment, output=output)


def _text(claim: Approval | BreakGlass) -> bytes:
    text = claim.compose()
    read_back(text, type(claim).parse)
    return text


def _scope(
    image: ImageRef,
    stage: str,
    policy_directory: Path | None,
    pipeline: str | None,
    clusters: tuple[str, ...],
    namespaces: tuple[str, ...],
) -> Scope:
    if policy_directory is not None:
        target = places.one_target(options.load_policy(policy_directory), stage, pipeline, image)
        pipeline = target.pipeline.name
        for cluster in clusters:
            if cluster not in target.stage.clusters:
                raise InputError(f"{cluster!r} is no cluster of stage {stage!r}")
        for namespace in namespaces:
            if not any(pattern.matches(namespace) for pattern in target.stage.namespaces):
                raise InputError(f"{namespace!r} is no namespace of stage {stage!r}")
    if pipeline is None:
        raise InputError("a pipeline is missing", hint="give --pipeline, or --policy to find it")
    return Scope(pipeline, stage, frozenset(clusters) or None, frozenset(namespaces) or None)
