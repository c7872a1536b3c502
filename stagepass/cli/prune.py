"""`stagepass approve --prune`: sign that an applier may delete what it named by a digest."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click
from click.core import ParameterSource

from stagepass import wholefile
from stagepass.attesting import read_back, seal
from stagepass.bundle import MAX_BYTES
from stagepass.cli import options
from stagepass.cli.signed import signer_json
from stagepass.cli.standing import Standing
from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.evidence import MAX_CANDIDATES
from stagepass.policy.signers import is_signer
from stagepass.predicates.members import APPROVAL
from stagepass.predicates.people import Approval
from stagepass.signing import Signer
from stagepass.statement import compose

_FOR_IMAGES = ("image", "namespace", "evidence", "offline", "layout", "inline")


def approve_prune(
    digest: Digest,
    claim: Approval,
    signer: Signer,
    file: Path | None,
    policy: Path | None,
    now: datetime,
    output: str,
) -> int:
    """Add the approval to `file`, one bundle a line. Raises `InputError`; then `file` is as it was."""
    _refuse_image_options()
    if file is None:
        raise click.UsageError("--prune needs --out: the file that the approval is added to")
    if policy is not None:
        _refuse_stranger(policy, claim, signer, now)
    predicate = claim.compose()
    read_back(predicate, Approval.parse)
    name = f"prune of {claim.scope.pipeline}/{claim.scope.stage}"
    payload = compose(name=name, digest=digest, predicate_type=APPROVAL, predicate=predicate)
    bundle = seal(payload, signer, [digest], where=APPROVAL)
    if policy is not None:
        _refuse_stranger(policy, claim, signer, now, (bundle, digest))
    count = _add(file, bundle)
    if output == "json":
        said = {"digest": str(digest), "predicateType": APPROVAL, "file": str(file)}
        more = signer_json(signer.certified, bundle)
        click.echo(json.dumps({**said, "approvals": count, **more}))
    else:
        click.echo(f"signed {APPROVAL} of the prune {digest}\n  in {file}, approval {count} there")
    return 0


def _refuse_image_options() -> None:
    """What says where an image's evidence lies would be passed over in silence."""
    context = click.get_current_context()
    for name in _FOR_IMAGES:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            shown = "IMAGE" if name == "image" else f"--{name}"
            raise click.UsageError(f"{shown} and --prune exclude each other")


def _refuse_stranger(
    directory: Path,
    claim: Approval,
    signer: Signer,
    now: datetime,
    made: tuple[bytes, Digest] | None = None,
) -> None:
    """Before it is signed; and as the set sees the finished bundle, where one is `made`."""
    policy, scope = options.load_policy(directory), claim.scope
    stages = [
        stage
        for pipeline in policy.pipelines
        for stage in pipeline.stages
        if (pipeline.name, stage.name) == (scope.pipeline, scope.stage)
    ]
    if not stages:
        raise InputError(f"the policy has no stage {scope.pipeline}/{scope.stage}")
    if unknown := (scope.clusters or frozenset()) - set(stages[0].clusters):
        raise InputError(f"{min(unknown)!r} is no cluster of stage {scope.stage!r}")
    signers = [name for need in stages[0].approvals for name in need.signers]
    who = Standing(policy, signer)
    counts = is_signer(policy, signers, who.key_id, now, who.certified, who.signed)
    why = "" if counts else who.wanted(signers)
    if counts and made is not None:
        why = who.refusal(
            *made, lambda by: is_signer(policy, signers, by.key_id, now, by.certified, by.signed)
        )
    if why or not counts:
        raise InputError(f"no approval by {who.name} counts for {scope.stage!r}{why}")


def _add(file: Path, bundle: bytes) -> int:
    """How many are there now. An approval of another set stays: it counts for no other."""
    try:
        with file.open("rb") as opened:
            before = opened.read(MAX_CANDIDATES * MAX_BYTES + 1)
    except FileNotFoundError:
        before = b""
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(file)) from error
    lines = [line for line in before.splitlines() if line.strip()]
    if len(lines) >= MAX_CANDIDATES:
        hint = "begin a new file: what was pruned needs no approval any more"
        raise InputError(f"{len(lines)} approvals already", where=str(file), hint=hint)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        wholefile.replace(file, b"\n".join([*lines, bundle, b""]))
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(file)) from error
    return len(lines) + 1
