"""
What the gate answers: three answers, and every reason behind one.

Pure values: this module reaches no clock, socket, file, environment or log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from itertools import chain
from typing import TypeVar

T = TypeVar("T", str, tuple[str, str], "Violation", "Code")


class Answer(IntEnum):
    """Ordered by severity: within one object the highest wins."""

    ADMITTED = 0
    UNDETERMINED = 1
    DENIED = 2

    def __str__(self) -> str:
        return self.name.lower()


class Enforcement(IntEnum):
    """What an answer other than admitted leads to, from lax to strict."""

    AUDIT = 0
    WARN = 1
    ENFORCE = 2

    def __str__(self) -> str:
        return self.name.lower()


class Code(StrEnum):
    """Why. A closed list: scripts and dashboards rely on these words."""

    PASS_MISSING = "PASS_MISSING"
    REQUIREMENT_MISSING = "REQUIREMENT_MISSING"
    APPROVALS_MISSING = "APPROVALS_MISSING"
    SIGNER_UNKNOWN = "SIGNER_UNKNOWN"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    SUBJECT_MISMATCH = "SUBJECT_MISMATCH"
    STATEMENT_INVALID = "STATEMENT_INVALID"
    CONDITION_FALSE = "CONDITION_FALSE"
    CONDITION_ERROR = "CONDITION_ERROR"
    STALE = "STALE"
    EXPIRED = "EXPIRED"
    FUTURE = "FUTURE"
    SOAKING = "SOAKING"
    WINDOW_CLOSED = "WINDOW_CLOSED"
    REVOKED = "REVOKED"
    DIGEST_REQUIRED = "DIGEST_REQUIRED"
    IMAGE_INVALID = "IMAGE_INVALID"
    UNLISTED = "UNLISTED"
    MANIFEST_UNATTESTED = "MANIFEST_UNATTESTED"
    MANIFEST_DIFFERS = "MANIFEST_DIFFERS"
    EVIDENCE_LIMIT = "EVIDENCE_LIMIT"
    REGISTRY_UNAVAILABLE = "REGISTRY_UNAVAILABLE"
    DEADLINE = "DEADLINE"
    OBJECT_INVALID = "OBJECT_INVALID"
    POLICY_INVALID = "POLICY_INVALID"
    INTERNAL = "INTERNAL"
    # These explain an admission.
    NO_IMAGES = "NO_IMAGES"
    UNCHANGED = "UNCHANGED"
    EXEMPT = "EXEMPT"
    BREAK_GLASS = "BREAK_GLASS"


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """
    One reason for not admitting. `path` is the field of the judged object, "" for a bare image.

    Sorted, an unmet requirement stands before the reasons why evidence for it does not count: both
    kinds of missing requirement come first in the alphabet of codes.
    """

    path: str
    image: str
    pipeline: str
    stage: str
    requirement: str
    code: Code
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Met:
    """One requirement that is met, and by which statement. `time` is the signer's own, if it gave one."""

    pipeline: str
    stage: str
    requirement: str
    predicate_type: str
    signer: str
    payload_digest: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """
    The answer for one image in one place, or for a whole object after `combine`.

    `answer` is before enforcement, `allowed` after it. `required` counts the requirements judged:
    admitted means that `met` names as many. `places` are (pipeline, stage) pairs. `notices` are told
    whatever the answer. `valid_until` is the earliest moment at which the clock alone could change an
    admitted answer. `releases` are the digests of those that the object is as they say. `beside` are
    those violations that only laxer stages have, which alone would not lead to this enforcement.
    """

    answer: Answer
    enforcement: Enforcement
    places: tuple[tuple[str, str], ...] = ()
    violations: tuple[Violation, ...] = ()
    met: tuple[Met, ...] = ()
    required: int = 0
    notes: tuple[Code, ...] = ()
    notices: tuple[str, ...] = ()
    valid_until: datetime | None = None
    releases: tuple[str, ...] = ()
    beside: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        if (self.answer is Answer.ADMITTED) != (not self.violations):
            raise ValueError("admitted and violations exclude each other")
        if self.answer is Answer.ADMITTED and len(self.met) != self.required:
            raise ValueError("admitted means that every requirement is met")

    @property
    def allowed(self) -> bool:
        """Whether the object may be written, after enforcement."""
        return self.answer is Answer.ADMITTED or self.enforcement is not Enforcement.ENFORCE

    @property
    def unmet(self) -> tuple[Violation, ...]:
        """
        What a person must mend: of each requirement, the first violation.

        The others of the same requirement say why evidence that was found does not count; the first
        one's message sums them up. Of an undetermined answer, what kept us from knowing: that a pass
        "is missing" is then not known either. What the strictest stages have against it stands first.
        """
        first: dict[tuple[str, ...], Violation] = {}
        unknown = [v for v in self.violations if not v.requirement]
        is_unknown = self.answer is Answer.UNDETERMINED and unknown
        for v in self.told(unknown if is_unknown else self.violations):
            of = v.requirement or f"{v.code}: {v.message}"
            first.setdefault((v.path, v.image, v.pipeline, v.stage, of), v)
        return tuple(first.values())

    def told(self, violations: Iterable[Violation]) -> list[Violation]:
        """In the order in which people are told: why it is refused, before what only warns."""
        return sorted(violations, key=lambda v: v in self.beside)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user is told beside an admission: every notice, and in a `warn` stage each reason."""
        if self.answer is Answer.ADMITTED or self.enforcement is not Enforcement.WARN:
            return self.notices
        reasons = (f"{v.path or v.image}: {v.code}: {v.message}" for v in self.unmet)
        return tuple(dict.fromkeys((*self.notices, *reasons)))

    def at(self, path: str) -> Decision:
        """The same decision, about the image in the field `path`; what names a field keeps it."""
        violations, beside = (
            tuple(replace(v, path=v.path or path) for v in each)
            for each in (self.violations, self.beside)
        )
        return replace(self, violations=violations, beside=beside)


def combine(decisions: Sequence[Decision]) -> Decision:
    """
    One decision over several images or places: each of them must admit.

    The enforcement is the strictest among those that did not admit; where all did, of all
    (DESIGN section 9). Raises `ValueError` on none: nothing judged is never admitted.
    """
    if not decisions:
        raise ValueError("no decisions to combine")
    failed = [d for d in decisions if d.answer is not Answer.ADMITTED]
    enforcement = max(d.enforcement for d in failed or decisions)
    strictest = {v for d in failed if d.enforcement is enforcement for v in d.violations}
    strictest -= {v for d in failed if d.enforcement is enforcement for v in d.beside}
    edges = [d.valid_until for d in decisions if d.valid_until is not None]
    return Decision(
        answer=max(d.answer for d in decisions),
        enforcement=enforcement,
        places=_union(d.places for d in decisions),
        violations=_union(d.violations for d in decisions),
        met=tuple(sorted(chain.from_iterable(d.met for d in decisions), key=_met_order)),
        required=sum(d.required for d in decisions),
        notes=_union(d.notes for d in decisions),
        notices=tuple(dict.fromkeys(chain.from_iterable(d.notices for d in decisions))),
        valid_until=min(edges, default=None),
        releases=_union(d.releases for d in decisions),
        beside=_union(tuple(v for v in d.violations if v not in strictest) for d in failed),
    )


def _union(parts: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(sorted(set(chain.from_iterable(parts))))


def _met_order(met: Met) -> tuple[str, ...]:
    return (met.pipeline, met.stage, met.requirement, met.payload_digest, met.signer)
