"""`stagepass release verify`: is this a release of its stage, whole and signed by who may?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import click

from stagepass.cli import options
from stagepass.cli.release_place import Operand, repository
from stagepass.cli.release_sources import release_sources
from stagepass.cli.report import EXIT_CODES, printable, tell
from stagepass.decision import Answer
from stagepass.digest import ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline, Rejection
from stagepass.policy.model import PolicySet
from stagepass.release.find import SignedRelease, find
from stagepass.release.model import Release, subjects
from stagepass.release.store import SECONDS

_COLOURS = {Answer.ADMITTED: "green", Answer.DENIED: "red", Answer.UNDETERMINED: "yellow"}
_WORDS = {
    Answer.ADMITTED: "verified",
    Answer.DENIED: "denied",
    Answer.UNDETERMINED: "undetermined",
}


@click.command()
@click.argument("operand", metavar="RELEASE")
@options.policy
@repository
@options.evidence
@options.offline
@options.now
@options.output
def verify(
    operand: str,
    policy_directory: Path,
    repository: ImageRef | None,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """
    Verify RELEASE: REPOSITORY@sha256:..., as `attest` printed it, or a directory `build` has filled.

    It counts when one of its stage's `release.from` signed it and every digest in it fits. Whether its
    images may enter the stage is another question: `stagepass verify`.
    """
    policy = options.load_policy(policy_directory)
    asked = Operand.of(operand, repository, policy)
    return answer(asked, policy, evidence, offline=offline, now=options.current_time(now)).show(
        operand, output
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, and all that led to it. `release` is None where there is none to speak of."""

    answer: Answer
    release: Release | None = None
    signed: SignedRelease | None = None
    rejections: Sequence[Rejection] = ()
    failures: Sequence[Unavailable] = field(default_factory=list)

    def show(self, operand: str, output: str) -> int:
        """Print it and return the exit code."""
        if output == "json":
            click.echo(json.dumps(self.to_json(operand)))
            return EXIT_CODES[self.answer]
        word = click.style(_WORDS[self.answer], fg=_COLOURS[self.answer], bold=True)
        click.echo(f"{word}  {printable(operand)}")
        if self.signed is not None and self.release is not None:
            click.echo(
                f"  release {self.release.digest}, signed by {self.signed.attestation.owner}"
            )
        elif not self.rejections and not self.failures:
            click.echo("  nobody has signed it where --evidence says")
        for each in self.rejections:
            click.echo(f"  {click.style(each.code, bold=True)} {printable(each.message)}")
        tell(self.failures)
        return EXIT_CODES[self.answer]

    def to_json(self, operand: str) -> dict[str, object]:
        """One line for machines."""
        digests: dict[str, str] = {}
        if self.release is not None:
            digests = {name: str(d) for name, d in subjects(self.release.statement).items()}
            digests["imageSet"] = str(self.release.image_set)
        reasons = [{"code": str(r.code), "message": r.message} for r in self.rejections]
        reasons += [{"code": str(f.code), "message": f.message} for f in self.failures]
        return {
            "input": operand,
            "decision": str(self.answer),
            "pipeline": self.release.pipeline if self.release else "",
            "stage": self.release.stage if self.release else "",
            **digests,
            "signer": self.signed.attestation.owner if self.signed else "",
            "reasons": reasons,
        }


def answer(
    asked: Operand, policy: PolicySet, evidence: Sequence[str], *, offline: bool, now: datetime
) -> Answered:
    """Denied where what lies there does not count, undetermined where not all of it was read."""
    revoked = policy.revocations and policy.revocations.judge(_named(asked), now)
    if revoked:
        rejection = Rejection(revoked[0], revoked[1], "", asked.text)
        return Answered(Answer.DENIED, asked.built, rejections=[rejection])
    with release_sources(evidence, asked.repository, offline=offline) as sources:
        deadline = Deadline.after(SECONDS)
        found = find(policy, sources, asked.repository, asked.digest, now=now, deadline=deadline)
    if found.releases:
        signed = found.releases[0]
        return Answered(Answer.ADMITTED, signed.release, signed)
    verdict = Answer.UNDETERMINED if found.failures else Answer.DENIED
    return Answered(verdict, asked.built, None, found.rejections, found.failures)


def _named(asked: Operand) -> ImageRef:
    where = asked.repository
    return ImageRef(where.host, where.repository, None, asked.digest)
