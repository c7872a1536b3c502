"""The release that a policy case describes: its objects are compared, and nobody has to sign them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stagepass.decision import Code
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Attestation, Deadline, Rejection
from stagepass.policy.cases_evidence import OF_STAGE, Describer, Json
from stagepass.policy.model import Pipeline, PolicySet, Stage
from stagepass.policy.schema import Field, ListOf, Mapped, Text
from stagepass.predicates.named_release import NamedRelease
from stagepass.predicates.release import RELEASE
from stagepass.release.book import ReleaseBook
from stagepass.release.build import Commit, Terms, build
from stagepass.release.listed import Listed, counted
from stagepass.release.model import RELEASE_FILE, Release, other_subjects
from stagepass.release.shelf import Opened, Shelf
from stagepass.statement import Statement, compose

DESCRIBED_RELEASE = Mapped({**OF_STAGE, "by": Field(Text()), "objects": Field(ListOf(Json()))})
"""What a stage's release holds, and by whom: what the case's statements speak of."""
_COMMIT = Commit("described in a case", "0" * 40)


@dataclass(frozen=True, slots=True)
class DescribedRelease:
    """A release as if it had been signed, found and verified."""

    release: Release
    attestation: Attestation

    @property
    def named(self) -> NamedRelease:
        """As passes, receipts and approvals name it."""
        return NamedRelease(self.release.digest, self.release.image_set)


def described(raw: dict[str, Any] | None, describer: Describer) -> DescribedRelease | None:
    """None where a case describes none, or where there is a problem with it."""
    if raw is None:
        return None
    key, pipeline = describer.key(raw), describer.pipeline(raw)
    terms = Terms(pipeline, raw["stage"], "described in a case", _COMMIT, salted=True)
    at = raw["@"].member("objects")
    try:
        release = build(((f"[{i}]", each) for i, each in enumerate(raw["objects"])), terms)
    except InputError as error:
        describer.problems.add(at, error.message, error.hint)
        return None
    payload = compose(
        name=RELEASE_FILE,
        digest=release.digest,
        predicate_type=RELEASE,
        predicate=release.statement.compose(),
        others=other_subjects(release.statement, "described", None),
    )
    if key is None:
        return None
    return DescribedRelease(release, key.said(Statement.parse(payload)))


class DescribedBook(ReleaseBook):
    """Holds what a case describes, and asks no source."""

    def __init__(self, policy: PolicySet, release: DescribedRelease | None) -> None:
        super().__init__(policy, (), Shelf())
        self._described = release

    def listed(
        self,
        pipeline: Pipeline,
        stage: Stage,
        now: datetime,
        deadline: Deadline,  # noqa: ARG002  # nothing is waited for
    ) -> Iterator[Listed]:
        """The release, where it counts there."""
        found = self._found(pipeline, stage)
        if isinstance(found, Listed) and (counting := found.at(now)) is not None:
            yield counting

    def rejections(self, pipeline: Pipeline, stage: Stage) -> list[Rejection]:
        """Why it does not."""
        found = self._found(pipeline, stage)
        return [found] if isinstance(found, Rejection) else []

    def opened(self, release: Listed, stage: Stage, deadline: Deadline) -> Opened:  # noqa: ARG002
        """Its objects. Raises `AttestationError` for another's."""
        if self._described is None or self._described.release.digest != release.digest:
            raise AttestationError(Code.STATEMENT_INVALID, "the case describes another release")
        return Opened.of(self._described.release)

    def _found(self, pipeline: Pipeline, stage: Stage) -> Listed | Rejection | None:
        if self._described is None:
            return None
        said = self._described.release
        if (said.pipeline, said.stage) != (pipeline.name, stage.name):
            return None
        try:
            return counted(self._policy, pipeline, stage, self._described.attestation)
        except AttestationError as error:
            return Rejection(Code(error.code), error.message, RELEASE, "described in a case")
