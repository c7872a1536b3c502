"""What the judgements of one image at one stage share, and what each of them finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stagepass.clock import SKEW, format_time
from stagepass.decision import Code, Met
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Evidence
from stagepass.identity import Span
from stagepass.policy.attestors import Key
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import Attested, Claim
from stagepass.policy.signers import entries_of, signing_option
from stagepass.stage import Place

Reason = tuple[Code, str]

NEARLY = (
    Code.SOAKING,
    Code.STALE,
    Code.EXPIRED,
    Code.FUTURE,
    Code.CONDITION_FALSE,
    Code.CONDITION_ERROR,
)
"""Evidence by the right signer that something about itself keeps from counting, nearest first."""


@dataclass(frozen=True, slots=True)
class Case:
    """
    One image in one place at one stage ("" and "" for a Baseline).

    `now` is the real time. `entry` is the clock against which age, expiry, windows and the end of
    other keys are judged: `now`, or the moment that a receipt says the image entered. `claim` is what
    is known of the object's manifest, None where nobody asked or the stage asks for none; only with an
    attested one it matters which release a statement names. `needs_release`: the stage asks for one.
    """

    policy: PolicySet
    pipeline: str
    stage: str
    image: ImageRef
    place: Place
    evidence: Evidence
    now: datetime
    entry: datetime
    claim: Claim | None = None
    needs_release: bool = False

    def of_type(self, predicate_type: str) -> Iterator[Attestation]:
        """
        Exact match (CVE-2022-35930), in an order that does not depend on how evidence arrived.

        Of one statement those with a proven time come first: no key's end bounds what they say.
        """
        matching = (
            a for a in self.evidence.attestations if a.statement.predicate_type == predicate_type
        )
        return iter(sorted(matching, key=_order))

    def keys(self, attestation: Attestation, attestors: Iterable[str]) -> list[Key]:
        """
        The entries of these attestors for whoever signed it, as far as they were valid then.

        Then is the proven time where there is one: all of it (V13), and to the second of the end itself
        (CVE-2026-54787). Else it is now, and for the end the entry.
        """
        if self.ahead(attestation) is not None:
            return []
        signed = attestation.signed
        window = (signed.earliest, signed.latest) if signed else (self.now, self.entry)
        found = entries_of(self.policy, attestors, attestation)
        return [key for key in found if key.valid_at(*window)]

    def ahead(self, attestation: Attestation) -> Reason | None:
        """Why what was provably signed later than now does not count: some clock is wrong."""
        signed = attestation.signed
        if signed is None or signed.earliest <= self.now + SKEW:
            return None
        at = format_time(signed.earliest)
        return Code.FUTURE, f"what {attestation.owner} signed was signed at {at}, ahead of now"

    def met(self, requirement: str, by: Attestation, time: datetime | None) -> Met:
        """That `requirement` is met by a statement, which its signer dated `time`."""
        return Met(
            pipeline=self.pipeline,
            stage=self.stage,
            requirement=requirement,
            predicate_type=by.statement.predicate_type,
            signer=by.owner,
            payload_digest=str(by.statement.payload_digest),
            time=time,
        )

    @property
    def attested(self) -> Attested | None:
        """The release that the object is of, where that is known and matters."""
        return self.claim if isinstance(self.claim, Attested) else None

    @property
    def release_option(self) -> str:
        """What a command adds so that its statement counts where manifests are required."""
        return " --release release.json" if self.needs_release else ""

    def signs_with(self, attestors: Iterable[str], cluster: str | None = None) -> str:
        """The option with which one of them signs now, for `cluster` where that matters."""
        entries = self.policy.entries(attestors)
        here = (key for key in entries if cluster is None or key.counts_in(cluster))
        return signing_option(here, self.now)

    @property
    def command(self) -> str:
        """The image, as a command that would mend something names it."""
        return f"{self.image.name}@{self.image.digest}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A statement counts. `time` is the signer's own; `until` is when the clock alone ends it."""

    time: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One requirement judged. It is met exactly when there are no `missing`.

    `met` are the statements that met it (several for an approval), `reasons` why others did not.
    """

    requirement: str
    predicate_type: str
    met: tuple[Met, ...] = ()
    until: datetime | None = None
    missing: Reason | None = None
    reasons: tuple[Reason, ...] = ()
    fix: str = ""


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of them that is a moment at all."""
    return min((m for m in moments if m is not None), default=None)


def shifted(moment: datetime, by: timedelta) -> datetime | None:
    """`moment` moved by `by`; None beyond the calendar, where signers may date what they sign."""
    try:
        return moment + by
    except OverflowError:
        return None


def valid_until(keys: Sequence[Key], signed: Span | None = None) -> datetime | None:
    """
    When the last of these entries for one key ends; at least one is wanted.

    Never for what was provably `signed` while it was valid.
    """
    if signed is not None:
        return None
    ends = [key.valid_until for key in keys]
    return None if None in ends else max(end for end in ends if end is not None)


def _order(by: Attestation) -> tuple[Any, ...]:
    span = (0, by.signed.earliest, by.signed.latest) if by.signed else (1,)
    return by.statement.payload_digest, by.key_id, *span


def nearest_first(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Sorted by how little is missing, then by text, so that order of arrival never shows."""
    return tuple(sorted(reasons, key=lambda r: (_rank(r[0]), r)))


def _rank(code: Code) -> int:
    return NEARLY.index(code) if code in NEARLY else len(NEARLY)
