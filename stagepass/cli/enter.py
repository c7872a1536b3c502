"""`stagepass enter`: sign a receipt, with which what entered a stage may stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.cli.keys import passphrase
from stagepass.cli.passes import Asked, Refused
from stagepass.cli.signed import publish, read_back, sign, storing
from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.members import STAGE_ENTERED
from stagepass.signing import PrivateKey

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("image", type=options.IMAGE)
@click.option("--key", "key_file", required=True, type=_PATH, help="A key of the stage's signers.")
@click.option("--passphrase-env", metavar="VAR", help="The variable with the key's passphrase.")
@options.stage
@click.option(
    "--policy",
    "policy_directory",
    type=_PATH,
    metavar="DIR",
    help="Check first that the key may sign for the stage, and that the stage admits the image.",
)
@options.pipeline
@click.option("--cluster", help="The cluster it entered; by default the stage's only one.")
@options.namespace
@click.option(
    "--cluster-uid", help="The UID of its kube-system namespace; by default the policy's."
)
@click.option("--valid-for", type=options.DURATION, default="30d", show_default=True)
@storing
@options.evidence
@options.offline
@options.now
@options.output
def enter(
    image: ImageRef,
    key_file: Path,
    passphrase_env: str | None,
    stage: str,
    policy_directory: Path | None,
    pipeline: str | None,
    cluster: str | None,
    namespace: str | None,
    cluster_uid: str | None,
    valid_for: timedelta,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """Sign that IMAGE (repository@sha256:...) was admitted to --stage, so that it can restart there."""
    moment = options.current_time(now)
    key = PrivateKey.read(key_file, passphrase(passphrase_env))
    asked = Asked(image, stage, pipeline, cluster, namespace, cluster_uid)
    site = asked.site(policy_directory, key.public.id, evidence, offline=offline, now=moment)
    if isinstance(site, Refused):
        return site.show(output)
    if site.environment.namespace is None:
        raise InputError("a receipt names its namespace", hint="give --namespace, or --policy")
    claim = StageEntered(site.pipeline, stage, site.environment, moment, moment + valid_for)
    text = claim.compose(site.policy_revision, site.inputs)
    read_back(text, StageEntered.parse)
    signed = sign(image, options.digest_of(image), key, STAGE_ENTERED, text)
    return publish(signed, evidence, offline=offline, now=moment, output=output)
