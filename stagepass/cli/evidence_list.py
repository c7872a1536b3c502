"""`stagepass evidence ls`: what was signed about an image, and whether it counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from stagepass.cli import options
from stagepass.cli.report import named, printable, tell
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError
from stagepass.evidence import Attestation, Candidate, Evidence, Rejection
from stagepass.policy.model import PolicySet
from stagepass.predicates.members import BASE
from stagepass.registry.claims import Claim
from stagepass.registry.transfer import gather

# Piped into a log there is no width to respect, and 80 columns would fold every digest.
_WIDTH = 200
_HEADINGS = ("", "PREDICATE TYPE", "SIGNED BY", "STAGE", "TIME", "PAYLOAD", "WHERE, OR WHY NOT")
_VERDICTS = {True: "counts", False: "does not count", None: "unverified"}
_PATH = click.Path(path_type=Path)


@click.command("ls")
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
    digest = options.digest_of(image)
    candidates, failures = gather(image, digest, sources, options.DEADLINE_SECONDS)
    pieces = [Piece.of(candidate, digest, policy) for candidate in candidates]
    if output == "json":
        for piece in pieces:
            click.echo(json.dumps({"image": named(image), **piece.to_json()}))
    elif pieces:
        _show(pieces)
    elif not failures:
        click.echo(f"no evidence about {named(image)}")
    return tell(failures)


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
