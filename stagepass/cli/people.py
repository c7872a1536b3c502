"""`stagepass approve` and `stagepass break-glass`: what people sign, about a stage of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from stagepass.attesting import Signed, read_back, sign
from stagepass.cli import naming, options, places
from stagepass.cli.passes import Refused
from stagepass.cli.prune import approve_prune
from stagepass.cli.report import judged_image
from stagepass.cli.signed import publish, storing
from stagepass.cli.signer import Chosen, signing
from stagepass.cli.standing import Standing
from stagepass.clock import format_duration
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.policy.model import PolicySet
from stagepass.policy.refusals import refuse
from stagepass.policy.signers import is_signer
from stagepass.predicates.members import APPROVAL, BREAK_GLASS, Scope
from stagepass.predicates.people import APPROVED, Approval, BreakGlass
from stagepass.signing import Signer

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
            help="Find the pipeline in this set, and sign nothing that it would not count.",
        ),
        options.stage,
        signing("Your private key (PEM)."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("image", type=options.IMAGE, required=False)
@_about_a_stage
@click.option(
    "--prune",
    type=options.DIGEST,
    metavar="SHA256:HEX",
    help="Instead of IMAGE: the objects that an applier may delete, by the digest it asks for.",
)
@click.option(
    "--out",
    type=_PATH,
    metavar="FILE",
    help="With --prune: the file in the deploy repository that the approval is added to.",
)
@naming.option
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
    image: ImageRef | None,
    chosen: Chosen,
    stage: str,
    policy_directory: Path | None,
    pipeline: str | None,
    cluster: tuple[str, ...],
    namespace: tuple[str, ...],
    evidence: tuple[str, ...],
    offline: bool,
    release_file: Path | None,
    reason: str,
    valid_for: timedelta,
    now: datetime | None,
    prune: Digest | None,
    out: Path | None,
    output: str,
) -> int:
    """
    Sign that you approve IMAGE (repository@sha256:...) for --stage.

    With --prune, that the applier of the stage may delete the objects it named: read what
    `python -m applier plan` lists, sign, and commit FILE to the deploy repository.
    """
    moment = options.current_time(now)
    if prune is not None:
        if release_file is not None:
            raise click.UsageError("--release goes with an IMAGE")
        scope = _scope(None, stage, pipeline, cluster, namespace)
        claim = Approval(APPROVED, scope, moment, moment + valid_for, reason)
        return approve_prune(prune, claim, chosen.open(), out, policy_directory, moment, output)
    if image is None or out is not None:
        raise click.UsageError("give an IMAGE, or --prune with --out")
    known = _Known.find(image, stage, policy_directory, pipeline)
    scope = _scope(known, stage, pipeline, cluster, namespace)
    release = naming.read(release_file, image)
    if known:
        naming.demand(known.target.stage, release)
    named = release.digest if release else None
    claim = Approval(APPROVED, scope, moment, moment + valid_for, reason, named)
    signer = chosen.open()
    if known and (refused := known.refused(image, signer, known.approvers(), moment)):
        return refused.show(output)
    signed = sign(image, options.digest_of(image), signer, APPROVAL, _text(claim))
    if known and (refused := known.stranger(signer, signed, known.approvers(), moment)):
        return refused.show(output)
    return publish(signed, evidence, offline=offline, now=moment, output=output)


@click.command("break-glass")
@click.argument("image", type=options.IMAGE)
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
    chosen: Chosen,
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
    known = _Known.find(image, stage, policy_directory, pipeline)
    scope = _scope(known, stage, pipeline, cluster, namespace)
    claim = BreakGlass(scope, reason, moment, moment + valid_for, incident)
    signer = chosen.open()
    if known and (refused := known.refused(image, signer, known.breakers(), moment)):
        return refused.show(output)
    if known:
        known.bound(valid_for)
    signed = sign(image, options.digest_of(image), signer, BREAK_GLASS, _text(claim))
    if known and (refused := known.stranger(signer, signed, known.breakers(), moment)):
        return refused.show(output)
    return publish(signed, evidence, offline=offline, now=moment, output=output)


def _text(claim: Approval | BreakGlass) -> bytes:
    text = claim.compose()
    read_back(text, type(claim).parse)
    return text


@dataclass(frozen=True, slots=True)
class _Known:
    """The stage as the policy set has it, where one is given."""

    policy: PolicySet
    target: places.Target

    @classmethod
    def find(
        cls, image: ImageRef, stage: str, directory: Path | None, pipeline: str | None
    ) -> _Known | None:
        if directory is None:
            return None
        policy = options.load_policy(directory)
        return cls(policy, places.one_target(policy, stage, pipeline, image))

    def approvers(self) -> tuple[str, ...]:
        """The attestors whose approvals some requirement counts."""
        return tuple(name for need in self.target.stage.approvals for name in need.signers)

    def breakers(self) -> tuple[str, ...]:
        rule = self.target.stage.break_glass
        return rule.signers if rule else ()

    def refused(
        self, image: ImageRef, signer: Signer, attestors: Sequence[str], now: datetime
    ) -> Refused | None:
        """Why nothing by this signer would count, or None."""
        who = Standing(self.policy, signer)
        if is_signer(self.policy, attestors, who.key_id, now, who.certified, who.signed):
            return None
        return self._denied(image, who, who.wanted(attestors))

    def stranger(
        self, signer: Signer, signed: Signed, attestors: Sequence[str], now: datetime
    ) -> Refused | None:
        """Why what an identity has signed does not count, or None; of a key all is known before."""
        if signed.certified is None:
            return None
        who = Standing(self.policy, signer)
        why = who.refusal(
            signed.bundle,
            signed.digest,
            lambda by: is_signer(self.policy, attestors, by.key_id, now, by.certified, by.signed),
        )
        return self._denied(signed.image, who, f": {why}") if why else None

    def _denied(self, image: ImageRef, who: Standing, why: str) -> Refused:
        name, stage = self.target.pipeline.name, self.target.stage
        message = f"nothing of this kind signed by {who.name} counts for {stage.name!r}{why}"
        here = ((name, stage.name),)
        denial = refuse(Code.SIGNER_UNKNOWN, message, image, stage.enforcement, here)
        return Refused(judged_image(image, "", denial), self.policy.revision)

    def bound(self, valid_for: timedelta) -> None:
        """Raises `InputError` for a break-glass that is over the stage's maxDuration."""
        rule = self.target.stage.break_glass
        if rule and valid_for > rule.max_duration:
            most = format_duration(rule.max_duration)
            raise InputError(
                f"--valid-for {format_duration(valid_for)} is over maxDuration {most}",
                hint="it would never count",
            )


def _scope(
    known: _Known | None,
    stage: str,
    pipeline: str | None,
    clusters: tuple[str, ...],
    namespaces: tuple[str, ...],
) -> Scope:
    if known is not None:
        pipeline, found = known.target.pipeline.name, known.target.stage
        for cluster in clusters:
            if cluster not in found.clusters:
                raise InputError(f"{cluster!r} is no cluster of stage {stage!r}")
        for namespace in namespaces:
            if not any(pattern.matches(namespace) for pattern in found.namespaces):
                raise InputError(f"{namespace!r} is no namespace of stage {stage!r}")
    if pipeline is None:
        raise InputError("a pipeline is missing", hint="give --pipeline, or --policy to find it")
    return Scope(pipeline, stage, frozenset(clusters) or None, frozenset(namespaces) or None)
