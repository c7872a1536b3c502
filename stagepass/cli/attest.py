"""`stagepass attest`: sign that an image passed a stage, or any other predicate about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import click
from click.core import ParameterSource

from stagepass import strictjson
from stagepass.attesting import Signed, read_back, sign
from stagepass.cli import naming, options
from stagepass.cli.claims import Claimed
from stagepass.cli.passes import Asked, Refused
from stagepass.cli.signed import publish, storing
from stagepass.cli.signer import Chosen, signing
from stagepass.digest import ImageRef
from stagepass.errors import AttestationError, InputError
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.passed import PASSED, StagePassed
from stagepass.signing import Signer
from stagepass.statement import MAX_BYTES, MAX_DEPTH, Statement, compose

_PATH = click.Path(path_type=Path)
_OF_A_PASS = {
    "cluster",
    "namespace",
    "cluster_uid",
    "observed_from",
    "observed_to",
    "release_file",
    "source",
    "valid_for",
}


@click.command()
@click.argument("image", type=options.IMAGE)
@signing()
@click.option("--stage", help="The stage that was passed: signs a stage-passed/v1.")
@click.option("--type", "predicate_type", metavar="URI", help="Sign another predicate type.")
@click.option("--predicate", type=_PATH, help="With --type: a JSON object, signed as it stands.")
@click.option(
    "--policy",
    "policy_directory",
    type=_PATH,
    metavar="DIR",
    help="Check first: of --stage, that the signer may sign for it and that it admits the image; of"
    " --type, that a requirement asks for it and would count this predicate by this signer.",
)
@options.pipeline
@click.option("--cluster", help="The cluster that watched it; by default the stage's only one.")
@options.namespace
@click.option("--cluster-uid", help="The UID of its kube-system namespace; recorded.")
@click.option("--observed-from", type=options.TIME, help="Since when it was watched (RFC 3339).")
@click.option("--observed-to", type=options.TIME, help="Until when it was watched (RFC 3339).")
@naming.option
@click.option("--source", metavar="URI@COMMIT", help="What it was built from; recorded.")
@click.option(
    "--valid-for",
    type=options.DURATION,
    default="30d",
    show_default=True,
    help="How long a pass lets in; what entered by it stays by its receipt.",
)
@storing
@options.evidence
@options.offline
@options.now
@options.output
def attest(
    image: ImageRef,
    chosen: Chosen,
    stage: str | None,
    predicate_type: str | None,
    predicate: Path | None,
    policy_directory: Path | None,
    pipeline: str | None,
    cluster: str | None,
    namespace: str | None,
    cluster_uid: str | None,
    observed_from: datetime | None,
    observed_to: datetime | None,
    release_file: Path | None,
    source: str | None,
    valid_for: timedelta,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """Sign that IMAGE (repository@sha256:...) passed --stage, and store that where --evidence says."""
    if (stage is None) == (predicate_type is None):
        raise InputError("give either --stage, or --type together with --predicate")
    if stage is not None and predicate is not None:
        raise InputError("--predicate goes with --type; a pass is composed from --stage")
    if stage is None:
        _refuse_what_describes_a_pass()
        if pipeline is not None and policy_directory is None:
            hint = "give --policy as well, or leave it out"
            raise InputError("--pipeline with --type only narrows what --policy asks", hint=hint)
    moment, digest = options.current_time(now), options.digest_of(image)
    if stage is None:
        kind = predicate_type or ""
        text = _foreign(kind, predicate)
        claimed = Claimed.find(policy_directory, image, kind, pipeline)
        made = _claim(image, chosen.open(), kind, text, claimed, moment)
    else:
        signer = chosen.open()
        release = naming.read(release_file, image)
        asked = Asked(image, stage, pipeline, cluster, namespace, cluster_uid, release)
        site = asked.site(policy_directory, signer, evidence, offline=offline, now=moment)
        if isinstance(site, Refused):
            return site.show(output)
        details = replace(
            site,
            observed=_observed(observed_from, observed_to, moment),
            source=_source(source),
        )
        name = f"{image.name}@{digest}"
        text = details.compose(image=name, now=moment, valid_for=valid_for)
        read_back(text, StagePassed.parse)
        signed = sign(image, digest, signer, STAGE_PASSED, text)
        made = asked.stranger(policy_directory, signer, signed, moment) or signed
    if isinstance(made, Refused):
        return made.show(output)
    return publish(made, evidence, offline=offline, now=moment, output=output)


def _claim(
    image: ImageRef,
    signer: Signer,
    kind: str,
    predicate: bytes,
    claimed: Claimed | None,
    now: datetime,
) -> Signed | Refused:
    """A predicate of another type, signed; what a policy has `claimed` of it is asked before and after."""
    digest = options.digest_of(image)
    payload = compose(name=image.name, digest=digest, predicate_type=kind, predicate=predicate)
    try:
        statement = Statement.parse(payload)
    except AttestationError as error:
        raise InputError(f"would be refused: {error.message}", where=kind) from error
    if claimed and (refused := claimed.refused(signer, statement, now)):
        return refused
    signed = sign(image, digest, signer, kind, predicate)
    return (claimed.stranger(signer, signed, now) if claimed else None) or signed


def _refuse_what_describes_a_pass() -> None:
    """Raises `InputError` for options that say something of a pass: a file of --type would not have it."""
    context = click.get_current_context()
    given = [
        each.opts[0]
        for each in context.command.params
        if each.name in _OF_A_PASS
        and context.get_parameter_source(each.name) is not ParameterSource.DEFAULT
    ]
    if given:
        verb = "goes" if len(given) == 1 else "go"
        hint = "leave it out, or say it in the file of --predicate"
        raise InputError(f"{' and '.join(given)} {verb} with --stage", hint=hint)


def _foreign(predicate_type: str, path: Path | None) -> bytes:
    """The predicate's text, unchanged. One of ours must say what such a statement says."""
    if path is None:
        raise InputError("--type needs --predicate FILE")
    try:
        text = path.read_bytes()
        value = strictjson.loads_object(text, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
        # A failure is never signed: `cosign verify --key` takes any attestation for a signature.
        if predicate_type == STAGE_PASSED and StagePassed.parse(value).result != PASSED:
            raise InputError("verificationResult is not PASSED; a failure is never signed")
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(path)) from error
    except AttestationError as error:
        raise InputError(error.message, where=str(path), hint="use --stage") from error
    except InputError as error:
        raise InputError(error.message, where=str(path), hint=error.hint) from error
    return text


def _observed(
    start: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime, datetime] | None:
    if start is None and end is None:
        return None
    if start is None:
        raise InputError("--observed-to without --observed-from")
    if not start <= (end or now) <= now:
        raise InputError("the observed span must end after it began, and not in the future")
    return start, end or now


def _source(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    uri, _, commit = text.rpartition("@")
    if not uri or not commit:
        raise InputError(f"--source {text!r} is not URI@COMMIT")
    return uri, commit
