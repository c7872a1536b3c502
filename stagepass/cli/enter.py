"""`stagepass enter`: sign a receipt, with which what entered a stage may stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from stagepass.attesting import read_back, sign
from stagepass.cli import naming, options, places
from stagepass.cli.passes import Asked, Refused
from stagepass.cli.report import judged_image
from stagepass.cli.signed import publish, storing
from stagepass.cli.signer import Chosen, signing
from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.policy.entry import Receipt
from stagepass.policy.refusals import refuse
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.members import STAGE_ENTERED
from stagepass.predicates.passed import PassDetails
from stagepass.receipts import entry
from stagepass.stage import Place

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("image", type=options.IMAGE)
@signing("A private key (PEM) of the stage's signers.")
@options.stage
@click.option(
    "--policy",
    "policy_directory",
    type=_PATH,
    metavar="DIR",
    help="Check first that the signer may sign for the stage, and that the stage admits the image.",
)
@options.pipeline
@click.option("--cluster", help="The cluster it entered; by default the stage's only one.")
@options.namespace
@click.option(
    "--cluster-uid", help="The UID of its kube-system namespace; by default the policy's."
)
@naming.option
@click.option(
    "--valid-for",
    type=options.DURATION,
    default="30d",
    show_default=True,
    help="Until when it lets the image stay, from now.",
)
@click.option(
    "--renew",
    "renewing",
    is_flag=True,
    help="With --policy: sign again the newest valid receipt for the place, with its time of entry.",
)
@storing
@options.evidence
@options.offline
@options.now
@options.output
def enter(
    image: ImageRef,
    chosen: Chosen,
    stage: str,
    policy_directory: Path | None,
    pipeline: str | None,
    cluster: str | None,
    namespace: str | None,
    cluster_uid: str | None,
    release_file: Path | None,
    valid_for: timedelta,
    renewing: bool,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """
    Sign that IMAGE (repository@sha256:...) was admitted to --stage, so that it can restart there.

    With --renew, the receipt that it has is prolonged: it must still be valid, and not be revoked.
    """
    moment = options.current_time(now)
    signer = chosen.open()
    release = naming.read(release_file, image)
    asked = Asked(image, stage, pipeline, cluster, namespace, cluster_uid, release, renewing)
    site = asked.site(policy_directory, signer, evidence, offline=offline, now=moment)
    if isinstance(site, Refused):
        return site.show(output)
    if site.environment.namespace is None:
        raise InputError("a receipt names its namespace", hint="give --namespace, or --policy")
    receipt: Receipt | Refused = Receipt(moment, None, release.digest if release else None)
    if renewing:
        receipt = _receipt(asked, site, policy_directory, evidence, offline, moment)
    if isinstance(receipt, Refused):
        return receipt.show(output)
    where, ends = site.environment, moment + valid_for
    claim = StageEntered(site.pipeline, stage, where, receipt.entered, ends, receipt.release)
    text = claim.compose(site.policy_revision, site.inputs)
    read_back(text, StageEntered.parse)
    signed = sign(image, options.digest_of(image), signer, STAGE_ENTERED, text)
    if refused := asked.stranger(policy_directory, signer, signed, moment):
        return refused.show(output)
    return publish(signed, evidence, offline=offline, now=moment, output=output)


def _receipt(
    asked: Asked,
    site: PassDetails,
    policy_directory: Path | None,
    evidence: Sequence[str],
    offline: bool,
    now: datetime,
) -> Receipt | Refused:
    if policy_directory is None:
        raise InputError("--renew needs --policy: it says which receipts are valid")
    policy = options.load_policy(policy_directory)
    target = places.one_target(policy, asked.stage, site.pipeline, asked.image)
    namespace = site.environment.namespace or ""
    found = entry(
        policy,
        site.pipeline,
        target.stage,
        asked.image,
        Place(site.environment.cluster, namespace),
        options.sources(evidence, offline=offline, hosts=policy.hosts()),
        now=now,
        deadline=Deadline.after(options.DEADLINE_SECONDS),
        release=asked.release.digest if asked.release else None,
    )
    if isinstance(found, Receipt):
        return found
    code, message = found
    here = ((site.pipeline, asked.stage),)
    denial = refuse(code, message, asked.image, target.stage.enforcement, here)
    return Refused(judged_image(asked.image, namespace, denial), policy.revision)
