"""What `attest` makes: signed, verified before anybody sees it, stored, and shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from stagepass.attestor import KeyRing
from stagepass.cli import options
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Candidate, Deadline, Rejection
from stagepass.signing import PrivateKey
from stagepass.statement import compose


@dataclass(frozen=True, slots=True)
class Signed:
    """A bundle over one statement about `image`@`digest`."""

    image: ImageRef
    digest: Digest
    predicate_type: str
    payload_digest: Digest
    bundle: bytes


def sign(
    image: ImageRef, digest: Digest, key: PrivateKey, predicate_type: str, predicate: bytes
) -> Signed:
    """Sign, then read the result back through the verifier that will judge it (W9)."""
    payload = compose(
        name=image.name, digest=digest, predicate_type=predicate_type, predicate=predicate
    )
    bundle = key.sign(payload).to_bytes()
    verified = KeyRing.of([(key.public, "")]).verify(
        Candidate(bundle, "the bundle just signed"), digest
    )
    if isinstance(verified, Rejection):
        raise InputError(f"would be refused: {verified.message}", where=predicate_type)
    return Signed(image, digest, predicate_type, Digest.of(payload), bundle)


def store(signed: Signed, evidence: Sequence[str], *, offline: bool, now: datetime) -> list[str]:
    """Put the bundle into every source named; returns where it lies, for people."""
    if offline and "registry" in evidence:
        raise InputError("--offline cannot push to a registry", hint="use --evidence dir:PATH")
    stored = [
        str(directory.write(signed.digest, signed.bundle))
        for directory in options.directories(evidence)
    ]
    if "registry" in evidence:
        stored.append(_push(signed, now))
    return stored


def publish(
    signed: Signed, evidence: Sequence[str], *, offline: bool, now: datetime, output: str
) -> int:
    """Store it, say so, and succeed."""
    report(signed, store(signed, evidence, offline=offline, now=now), output)
    return 0


def _push(signed: Signed, now: datetime) -> str:
    from stagepass.registry.push import push_bundle

    with options.registry_client(frozenset({signed.image.host})) as client:
        manifest = push_bundle(
            client,
            signed.image,
            signed.digest,
            signed.bundle,
            signed.predicate_type,
            now,
            Deadline.after(options.DEADLINE_SECONDS),
        )
    return f"{signed.image.name}@{manifest}"


def report(signed: Signed, stored: Sequence[str], output: str) -> None:
    """Say what was signed and where it is."""
    if output == "json":
        click.echo(
            json.dumps(
                {
                    "image": f"{signed.image.name}@{signed.digest}",
                    "predicateType": signed.predicate_type,
                    "payloadDigest": str(signed.payload_digest),
                    "stored": list(stored),
                }
            )
        )
        return
    click.echo(f"signed {signed.predicate_type} of {signed.image.name}@{signed.digest}")
    for place in stored:
        click.echo(f"  stored in {place}")
