"""
Policy cases: what a set should answer, written down beside it and judged without a key or a socket.

A file holds `cases: [...]`. Each case names a moment, a place, an image or an object, and describes
the evidence there is; the same code that runs in the gate decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stagepass import strictyaml
from stagepass.admission import judge_object
from stagepass.clock import parse_time
from stagepass.decision import Answer, Code, Decision
from stagepass.digest import ImageRef
from stagepass.errors import InputError, StagepassError
from stagepass.evidence import Deadline
from stagepass.policy.cases_evidence import DESCRIBED, Claim, Describer, Json, evidence_about
from stagepass.policy.cases_release import (
    DESCRIBED_RELEASE,
    DescribedBook,
    DescribedRelease,
    described,
)
from stagepass.policy.evaluate import evaluate
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import NO_CLAIMS
from stagepass.policy.releases import Claim as ManifestClaim
from stagepass.policy.schema import At, Boolean, Choice, Field, ListOf, Mapped, Problems, Text
from stagepass.release.sent import created
from stagepass.review import AdmissionRequest
from stagepass.stage import Place
from stagepass.verifier import Verifier

_ANSWERS = Choice({str(answer): answer for answer in Answer})
_CODES = ListOf(Choice({str(code): code for code in Code}), may_be_empty=True)
_EXPECTED = Mapped(
    {
        "decision": Field(_ANSWERS),
        "codes": Field(_CODES, None),
        "allowed": Field(Boolean(), None),
    }
)
_CASE = Mapped(
    {
        "name": Field(Text()),
        "now": Field(Text(parse_time)),
        "cluster": Field(Text()),
        "namespace": Field(Text(), "default"),
        "image": Field(Text(ImageRef.parse), None),
        "object": Field(Json(), None),
        "release": Field(DESCRIBED_RELEASE, None),
        "evidence": Field(ListOf(DESCRIBED, may_be_empty=True), ()),
        "expect": Field(_EXPECTED),
    }
)
FILE = Mapped({"cases": Field(ListOf(_CASE))})
"""A file of cases."""


class CasesError(StagepassError):
    """Files of cases that cannot be used. `errors` are all of their problems, in file order."""

    def __init__(self, errors: Iterable[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(map(str, self.errors)))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a case wants. None is no wish; `codes` are all of them, of an admission its notes."""

    answer: Answer
    codes: frozenset[Code] | None
    allowed: bool | None

    def unlike(self, decision: Decision) -> list[str]:
        """Each difference, as `decision: wanted admitted, got denied`."""
        got = (decision.answer, codes_of(decision), decision.allowed)
        wanted = (self.answer, self.codes, self.allowed)
        return [
            f"{what}: wanted {_shown(want)}, got {_shown(have)}"
            for what, want, have in zip(("decision", "codes", "allowed"), wanted, got, strict=True)
            if want not in (None, have)
        ]


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """One case, ready to be judged. `subject` is a bare image or a Kubernetes object."""

    name: str
    now: datetime
    place: Place
    subject: ImageRef | AdmissionRequest
    claims: tuple[Claim, ...]
    expected: Expected
    release: DescribedRelease | None = None

    def judge(self, policy: PolicySet) -> Decision:
        """What a gate with this set would answer, were the evidence as described."""
        verifier = _Described(policy, self.claims, self.release)
        forever = Deadline(math.inf)
        if isinstance(self.subject, ImageRef):
            return verifier.decide(self.subject, self.place, now=self.now, deadline=forever)
        cluster = self.place.cluster
        return judge_object(verifier, cluster, self.subject, now=self.now, deadline=forever)


class _Described(Verifier):
    """Takes described claims for verified ones, and asks no source."""

    def __init__(
        self, policy: PolicySet, claims: tuple[Claim, ...], release: DescribedRelease | None
    ) -> None:
        super().__init__(policy, (), releases=DescribedBook(policy, release))
        self._claims = claims

    def decide(
        self,
        image: ImageRef,
        place: Place,
        *,
        now: datetime,
        deadline: Deadline,  # noqa: ARG002  # nothing is waited for
        claims: Mapping[str, ManifestClaim] = NO_CLAIMS,
    ) -> Decision:
        """On what is described about `image`."""
        found = evidence_about(image, self._claims)
        return evaluate(self.policy, image, place, found, now=now, claims=claims)


def read_cases(text: str, where: str, policy: PolicySet) -> list[PolicyCase]:
    """The cases in one file. Raises `CasesError` with every problem."""
    problems = Problems()
    try:
        documents = list(strictyaml.load_all(text, where=where, anchors=True))
    except InputError as error:
        raise CasesError([error]) from error
    read = [FILE(d, At(where), problems)["cases"] for d in documents if d is not None]
    raws = [raw for cases in read for raw in cases]
    if not raws:
        problems.add(At(where), "no cases", "write cases: [...]")
    _refuse(problems)
    found = [_case(raw, policy, problems) for raw in raws]
    for name in _twice(raw["name"] for raw in raws):
        problems.add(At(where), f"two cases are called {name!r}")
    _refuse(problems)
    return [case for case in found if case]


def _refuse(problems: Problems) -> None:
    """Names are looked up only in what has its shape."""
    if problems.found:
        raise CasesError(problems.found)


def codes_of(decision: Decision) -> frozenset[Code]:
    """Every code the answer carries: of its violations, or of an admission its notes."""
    return frozenset((*(violation.code for violation in decision.violations), *decision.notes))


def _case(raw: dict[str, Any], policy: PolicySet, problems: Problems) -> PolicyCase | None:
    """The case, or None with a problem."""
    if (raw["image"] is None) == (raw["object"] is None):
        problems.add(raw["@"], "exactly one of image and object is wanted")
        return None
    describer = Describer(policy, raw["now"], problems)
    release = described(raw["release"], describer)
    if release is not None:
        describer = replace(describer, release=release.named)
    claims = [describer.claim(kind, each) for kind, each in raw["evidence"]]
    subject = raw["image"] or _request(raw, problems)
    if subject is None:
        return None
    expected = raw["expect"]
    codes = None if expected["codes"] is None else frozenset(expected["codes"])
    return PolicyCase(
        name=raw["name"],
        now=raw["now"],
        place=Place(raw["cluster"], raw["namespace"]),
        subject=subject,
        claims=tuple(claim for claim in claims if claim),
        expected=Expected(expected["decision"], codes, expected["allowed"]),
        release=release,
    )


def _request(raw: dict[str, Any], problems: Problems) -> AdmissionRequest | None:
    """The creation of the object; its namespace is its own, or else the case's."""
    try:
        return created(raw["object"], raw["namespace"])
    except InputError as error:
        problems.add(raw["@"].member("object"), error.message)
        return None


def _twice(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        return f"[{', '.join(sorted(map(str, value)))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
