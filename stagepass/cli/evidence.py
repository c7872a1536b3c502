"""`stagepass evidence`: see what was signed about an image, store it, take it somewhere else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from stagepass.attesting import Signed
from stagepass.bundle import MAX_BYTES
from stagepass.cli import options
from stagepass.cli.report import EXIT_CODES, printable
from stagepass.cli.signed import publish, storing
from stagepass.decision import Answer
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError, Unavailable
from stagepass.evidence import (
    Attestation,
    Candidate,
    Deadline,
    DirectorySource,
    Evidence,
    EvidenceSource,
    Rejection,
)
from stagepass.policy.model import PolicySet
from stagepass.predicates.members import BASE
from stagepass.registry.claims import Claim
from stagepass.registry.transfer import Put, Transfer, gather, transfer

_PATH = click.Path(path_type=Path)
# Piped into a log there is no width to respect, and 80 columns would fold every digest.
_WIDTH = 200
_HEADINGS = ("", "PREDICATE TYPE", "SIGNED BY", "STAGE", "TIME", "PAYLOAD", "WHERE, OR WHY NOT")
_VERDICTS = {True: "counts", False: "does not count", None: "unverified"}


@click.group()
def evidence() -> None:
    """See, store and move what was signed about an image."""


@evidence.command("ls")
@click.argument("image", type=options.IMAGE)
@click.option("--policy", "policy_directory", type=_PATH, metavar="DIR", help="Verify by this set.")
@options.evidence
@options.offline
@options.output
def list_evidence(
    image: ImageRef,
    policy_directory: Path | None,
    evidence: tuple[str, ...],
    offline: bool,
    output: str,
) -> int:
    """
    List what was signed about IMAGE (repository@sha256:...).

    Without --policy nothing is verified, and all of it is what strangers claim. With it, what counts
    is signed by a key of the set and not revoked; whether a stage takes it is for `explain`.
    """
    policy = options.load_policy(policy_directory) if policy_directory else None
    sources = options.sources(evidence, offline=offline, hosts=frozenset({image.host}))
    candidates, failures = _gather(image, sources)
    pieces = [Piece.of(candidate, options.digest_of(image), policy) for candidate in candidates]
    if output == "json":
        for piece in pieces:
            click.echo(json.dumps({"image": _named(image), **piece.to_json()}))
    elif pieces:
        _show(pieces)
    elif not failures:
        click.echo(f"no evidence about {_named(image)}")
    return tell(failures)


@evidence.command()
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


@evidence.command("copy")
@click.argument("image", type=options.IMAGE)
@click.argument("target", type=options.ANY_IMAGE, metavar="REPOSITORY")
@options.evidence
@options.output
def copy_evidence(image: ImageRef, target: ImageRef, evidence: tuple[str, ...], output: str) -> int:
    """
    Copy what was signed about IMAGE (repository@sha256:...) to another REPOSITORY.

    The same image has to be there already. What REPOSITORY holds is not stored again, and what no
    policy would accept is left behind. `--evidence dir:PATH` brings back what `mirror` took out.
    """
    from stagepass.registry.push import push_bundle
    from stagepass.registry.source import RegistrySource

    if target.tag is not None or target.digest is not None:
        raise InputError(f"{target} is not a repository", hint="the digest is IMAGE's")
    digest, moment = options.digest_of(image), options.current_time(None)
    to = replace(target, digest=digest)
    client = options.registry_client(frozenset({to.host}))

    def push(data: bytes, kind: str) -> str:
        deadline = Deadline.after(options.DEADLINE_SECONDS)
        return f"{to.name}@{push_bundle(client, to, digest, data, kind, moment, deadline)}"

    sources = options.sources(evidence, offline=False, hosts=frozenset({image.host}))
    with RegistrySource(client) as there:
        present, failures = _gather(to, [there])
        if failures:
            return tell(failures)
        return _move(image, sources, push, output, present)


@evidence.command()
@click.argument("images", type=options.IMAGE, nargs=-1, required=True)
@click.option("--to", required=True, metavar="dir:PATH", help="The directory to fill.")
@options.evidence
@options.output
def mirror(images: tuple[ImageRef, ...], to: str, evidence: tuple[str, ...], output: str) -> int:
    """
    Copy what was signed about each of IMAGES (repository@sha256:...) into a directory.

    A gate without a registry reads it there: `--evidence dir:PATH`. To run it again adds what is new.
    """
    if not (directories := options.directories([to])):
        raise InputError(f"--to {to!r}", hint="write 'dir:PATH'")
    hosts = frozenset(image.host for image in images)
    sources = options.sources(evidence, offline=False, hosts=hosts)
    return max([_mirror(image, sources, directories[0], output) for image in images])


def tell(failures: Sequence[Unavailable]) -> int:
    """Say what could not be read or written, and the exit code: undetermined for any, else 0."""
    for failure in failures:
        text = f"could not find out: {failure.code}: {printable(failure.message)}"
        click.secho(text, err=True, fg="yellow")
    return EXIT_CODES[Answer.UNDETERMINED if failures else Answer.ADMITTED]


@dataclass(frozen=True, slots=True)
class Piece:
    """
    One bundle: what it says, and what a policy says of it.

    `counts` is None where there is no policy. Unless it counts, `claim` is anybody's.
    """

    origin: str
    claim: Claim
    counts: bool | None
    signer: str = ""
    code: str = ""
    message: str = ""

    @classmethod
    def of(cls, candidate: Candidate, digest: Digest, policy: PolicySet | None) -> Piece:
        """Judged as the gate does before it looks at a stage."""
        found = _verified(candidate, digest, policy) if policy else None
        if isinstance(found, Attestation):
            return cls(candidate.origin, Claim.of(found.statement), True, found.owner)
        try:
            claim = Claim.read(candidate.data, digest)
        except AttestationError as error:
            return cls(candidate.origin, Claim(), False, "", error.code, error.message)
        if found is None:
            return cls(candidate.origin, claim, None)
        return cls(candidate.origin, claim, False, "", found.code, found.message)

    def to_json(self) -> dict[str, Any]:
        """One line for machines."""
        verdict = {"counts": self.counts, "signer": self.signer}
        why = {"code": self.code, "message": self.message}
        return {"origin": self.origin, **self.claim.to_json(), **verdict, **why}

    def row(self) -> tuple[str, ...]:
        """One row for people."""
        claim = self.claim
        where = "/".join(filter(None, (claim.pipeline, claim.stage, claim.cluster)))
        until = f" until {claim.expires}" if claim.expires else ""
        why = f"{self.code}: {self.message}; " if self.code else ""
        return (
            _VERDICTS[self.counts],
            claim.predicate_type.removeprefix(f"{BASE}/"),
            self.signer,
            where,
            claim.time + until,
            claim.payload_digest.removeprefix("sha256:")[:12],
            why + self.origin,
        )


def _verified(candidate: Candidate, digest: Digest, policy: PolicySet) -> Attestation | Rejection:
    found = policy.keys.verify(candidate, digest)
    if isinstance(found, Rejection) or policy.revocations is None:
        return found
    kept = policy.revocations.keep(Evidence((found,)))
    return kept.rejections[0] if kept.rejections else found


def _named(image: ImageRef) -> str:
    return f"{image.name}@{image.digest}"


def _show(pieces: Sequence[Piece]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold")
    for piece in pieces:
        # Text, never a bare string: strangers write these, and a string is read as markup.
        table.add_row(*(Text(printable(cell)) for cell in piece.row()))
    console = Console()
    Console(width=None if console.is_terminal else _WIDTH).print(table)


def _gather(
    image: ImageRef, sources: Iterable[EvidenceSource]
) -> tuple[list[Candidate], list[Unavailable]]:
    return gather(image, options.digest_of(image), sources, options.DEADLINE_SECONDS)


def _mirror(
    image: ImageRef, sources: Iterable[EvidenceSource], target: DirectorySource, output: str
) -> int:
    def put(data: bytes, _: str) -> str:
        return str(target.write(options.digest_of(image), data))

    return _move(image, sources, put, output)


def _move(
    image: ImageRef,
    sources: Iterable[EvidenceSource],
    put: Put,
    output: str,
    present: Sequence[Candidate] = (),
) -> int:
    candidates, failures = _gather(image, sources)
    try:
        for moved in transfer(candidates, options.digest_of(image), put, present):
            click.echo(_moved_json(image, moved) if output == "json" else _moved_text(image, moved))
    except Unavailable as error:
        failures.append(error)
    return tell(failures)


def _moved_json(image: ImageRef, moved: Transfer) -> str:
    why = {"code": moved.code, "message": moved.message}
    line = {"image": _named(image), "origin": moved.origin, **moved.claim.identity()}
    return json.dumps({**line, "stored": moved.stored, **why})


def _moved_text(image: ImageRef, moved: Transfer) -> str:
    if moved.code:
        return printable(f"left out {moved.origin}: {moved.code}: {moved.message}")
    where = f"to {moved.stored}" if moved.stored else "is there already"
    return printable(f"{moved.claim.predicate_type} of {_named(image)} {where}")
