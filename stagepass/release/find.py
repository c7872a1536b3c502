"""Signed releases found and verified: whose word counts is the policy's choice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from stagepass.attestor import KeyRing
from stagepass.bundle import Bundle
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, Unavailable
from stagepass.evidence import Attestation, Candidate, Deadline, Evidence, Rejection
from stagepass.identity import Certified, Span
from stagepass.policy.model import PolicySet
from stagepass.policy.signers import is_signer
from stagepass.predicates.release import RELEASE, ReleaseStatement
from stagepass.release.listed import withdrawn
from stagepass.release.model import Release, contents, subjects
from stagepass.release.store import ReleaseSource
from stagepass.statement import Statement


@dataclass(frozen=True, slots=True)
class SignedRelease:
    """A release and who signed it; `origin` is where the bundle lies."""

    release: Release
    attestation: Attestation
    origin: str


@dataclass(slots=True)
class Found:
    """All that is known of an artifact: releases that count, why others do not, what was not read."""

    releases: list[SignedRelease] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    failures: list[Unavailable] = field(default_factory=list)


def find(
    policy: PolicySet,
    sources: Sequence[ReleaseSource],
    repository: ImageRef,
    digest: Digest,
    *,
    now: datetime,
    deadline: Deadline,
) -> Found:
    """
    The release whose artifact is `digest`, signed by an attestor of its stage's `release.from`.

    The first that counts ends the search, as all of them are the same bytes.
    """
    found = Found()
    for source in sources:
        try:
            for batch in source.candidates(repository, digest, deadline):
                for candidate in deadline.each(batch):
                    judged = _judged(policy, source, repository, digest, candidate, now, deadline)
                    if isinstance(judged, SignedRelease):
                        found.releases.append(judged)
                        return found
                    found.rejections.append(judged)
        except Unavailable as error:
            found.failures.append(error)
    return found


def claimed(
    sources: Sequence[ReleaseSource], repository: ImageRef, digest: Digest, deadline: Deadline
) -> tuple[Release, Candidate]:
    """
    The release whose artifact is `digest`, whoever signed it: the digest alone says what it holds.

    Raises `Unavailable` where no source has all of it.
    """
    failures = []
    for source in sources:
        try:
            for batch in source.candidates(repository, digest, deadline):
                for candidate in deadline.each(batch):
                    if (said := _claim(candidate, digest)) is not None:
                        data = source.blobs.blob(repository, said.objects, deadline)
                        return Release.of(said, data), candidate
        except Unavailable as error:
            failures.append(error)
        except AttestationError as error:
            failures.append(Unavailable(error.code, error.message))
    if failures:
        raise failures[0]
    message = f"no release lies beside {repository.name}@{digest}"
    raise Unavailable(Code.REGISTRY_UNAVAILABLE, message)


def _claim(candidate: Candidate, digest: Digest) -> ReleaseStatement | None:
    """What an unverified bundle says of the artifact `digest`, None where it is about another."""
    try:
        statement = Statement.parse(Bundle.parse(candidate.data).envelope.payload)
        if statement.predicate_type != RELEASE:
            return None
        said = contents(statement)
    except AttestationError:
        return None
    return said if subjects(said)["artifact"] == digest else None


def signed_before(
    ring: KeyRing,
    sources: Sequence[ReleaseSource],
    repository: ImageRef,
    digest: Digest,
    payload: bytes,
    deadline: Deadline,
) -> bytes | None:
    """
    A bundle over this very payload by a key of `ring`, None where none is found.

    To sign again would make another, as ECDSA signatures differ, and fill the line of the stage.
    """
    for source in sources:
        with suppress(Unavailable):
            for batch in source.candidates(repository, digest, deadline):
                for candidate in deadline.each(batch):
                    found = ring.verify(candidate, digest)
                    if isinstance(found, Attestation) and found.statement.payload == payload:
                        return candidate.data
    return None


def may_attest(
    policy: PolicySet,
    statement: ReleaseStatement,
    key_id: str,
    now: datetime,
    certified: Certified | None = None,
    signed: Span | None = None,
) -> str:
    """Why what that key signs at `now`, or has `signed`, is no release of the stage, "" where it is one."""
    where = f"{statement.pipeline}/{statement.stage}"
    pipeline = next((p for p in policy.pipelines if p.name == statement.pipeline), None)
    stage = (
        next((s for s in pipeline.stages if s.name == statement.stage), None) if pipeline else None
    )
    if stage is None:
        return f"the policy has no stage {where}"
    if stage.release is None:
        return f"the stage {where} takes no releases: it has no `release`"
    if not is_signer(policy, stage.release.signers, key_id, now, certified, signed):
        return (
            f"the key is none of {', '.join(stage.release.signers)}, who sign releases of {where}"
        )
    return ""


def _judged(
    policy: PolicySet,
    source: ReleaseSource,
    repository: ImageRef,
    digest: Digest,
    candidate: Candidate,
    now: datetime,
    deadline: Deadline,
) -> SignedRelease | Rejection:
    verified = policy.keys.verify(candidate, digest)
    if isinstance(verified, Rejection):
        return verified
    statement, origin = verified.statement, candidate.origin
    if statement.predicate_type != RELEASE:
        return Rejection(Code.STATEMENT_INVALID, "no release", statement.predicate_type, origin)
    if policy.revocations is not None:
        kept = policy.revocations.keep(Evidence((verified,)))
        if kept.rejections:
            return kept.rejections[0]
    try:
        said = contents(statement)
        if subjects(said)["artifact"] != digest:
            raise AttestationError(Code.SUBJECT_MISMATCH, "the release of another artifact")
        if why := withdrawn(policy, said):
            raise AttestationError(Code.REVOKED, why)
        by = verified.key_id, now, verified.certified, verified.signed
        if why := may_attest(policy, said, *by):
            raise AttestationError(Code.SIGNER_UNKNOWN, why)
        data = source.blobs.blob(repository, said.objects, deadline)
        return SignedRelease(Release.of(said, data), verified, origin)
    except AttestationError as error:
        return Rejection(Code(error.code), error.message, RELEASE, origin)
