"""`stagepass evidence attach`: a bundle made elsewhere, stored beside its image."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from stagepass.attesting import Signed
from stagepass.bundle import MAX_BYTES
from stagepass.cli import options
from stagepass.cli.report import tell
from stagepass.cli.signed import publish, storing
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError, Unavailable
from stagepass.registry.claims import Claim

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("image", type=options.IMAGE)
@click.option("--bundle", "file", required=True, type=_PATH, help="A Sigstore bundle v0.3 (JSON).")
@storing
@options.evidence
@options.offline
@options.now
@options.output
def attach(
    image: ImageRef,
    file: Path,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """
    Store a bundle made elsewhere, unchanged, beside IMAGE (repository@sha256:...).

    For keys that only another tool may use: `cosign attest-blob --statement FILE --bundle FILE`.
    """
    digest, moment = options.digest_of(image), options.current_time(now)
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        claim = Claim.read(data, digest)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(file)) from error
    except AttestationError as error:
        raise InputError(error.message, where=str(file)) from error
    payload = Digest.parse(claim.payload_digest)
    given = Signed(image, digest, claim.predicate_type, payload, data)
    try:
        return publish(given, evidence, offline=offline, now=moment, output=output, verb="attached")
    except Unavailable as error:
        return tell([error])
