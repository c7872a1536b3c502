"""One statement of a line: whether it counts as a release of its stage, under one policy set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stagepass.clock import SKEW
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Attestation, Candidate, Evidence, Rejection
from stagepass.identity import Span
from stagepass.manifest import ObjectId
from stagepass.policy.attestors import Key
from stagepass.policy.case import valid_until
from stagepass.policy.model import Pipeline, PolicySet, Stage
from stagepass.policy.releases import Attested
from stagepass.policy.signers import disqualified, entries_of
from stagepass.predicates.members import invalid
from stagepass.predicates.release import RELEASE, Named, ReleaseStatement
from stagepass.release.artifact import line_digest
from stagepass.release.model import contents, subjects

Signature = tuple[Digest, str, Span | None]
"""What was signed, by which key, and provably when: two signers of one release are two of these."""


@dataclass(frozen=True, slots=True)
class Listed:
    """
    A release that counts; its objects are read when somebody asks.

    `payload_digest` is of its signed statement, `key_id` the key that signed it, `owner` whose that is,
    `keys` what policy says of it, `signed` when it provably did. `resources` are the digests of its
    objects, `images` its images, which `references` are as well.
    """

    statement: ReleaseStatement
    payload_digest: Digest
    key_id: str
    owner: str
    keys: tuple[Key, ...]
    digest: Digest
    image_set: Digest
    resources: Mapping[ObjectId, Digest]
    images: frozenset[tuple[str, Digest]]
    references: tuple[ImageRef, ...]
    signed: Span | None = None

    @property
    def signature(self) -> Signature:
        """A copy without its proof of a time must not stand for the one that has it."""
        return self.payload_digest, self.key_id, self.signed

    @property
    def claim(self) -> Attested:
        """What is known of an object that equals one of this release."""
        return Attested(
            release=self.digest,
            image_set=self.image_set,
            signer=self.owner,
            payload_digest=self.payload_digest,
            until=valid_until(self.keys, self.signed),
        )

    def at(self, now: datetime) -> Listed | None:
        """
        With what has begun of `keys`, None where nothing has.

        That a key has ended is judged with the entry (*Entry and stay*), or with the proven time.
        """
        if self.signed is not None:
            return self if self.signed.earliest <= now + SKEW else None
        begun = tuple(k for k in self.keys if k.valid_from is None or k.valid_from <= now)
        return replace(self, keys=begun) if begun else None


def listed(
    policy: PolicySet, pipeline: Pipeline, stage: Stage, candidate: Candidate
) -> Listed | Rejection:
    """What a candidate of the stage's line counts for; the clock is left out, so it may be kept."""
    verified = policy.keys.verify(candidate, line_digest(pipeline.name, stage.name))
    if isinstance(verified, Rejection):
        return verified
    if policy.revocations is not None:
        kept = policy.revocations.keep(Evidence((verified,)))
        if kept.rejections:
            return kept.rejections[0]
    try:
        return counted(policy, pipeline, stage, verified)
    except AttestationError as error:
        return Rejection(Code(error.code), error.message, RELEASE, candidate.origin)


def withdrawn(policy: PolicySet, said: ReleaseStatement) -> str:
    """Why a release is on the revocation list, by its own digest or its artifact's; "" where it is not."""
    artifacts = policy.revocations.artifacts if policy.revocations else {}
    about = subjects(said)
    for name in ("release", "artifact"):
        if (reason := artifacts.get(about[name].hex)) is not None:
            return f"the {name} is revoked: {reason}"
    return ""


def counted(policy: PolicySet, pipeline: Pipeline, stage: Stage, verified: Attestation) -> Listed:
    """A verified statement as a release of the stage. Raises `AttestationError` where it is none."""
    if verified.statement.predicate_type != RELEASE:
        raise invalid("no release")
    said = contents(verified.statement)
    if (said.pipeline, said.stage) != (pipeline.name, stage.name):
        raise AttestationError(Code.SUBJECT_MISMATCH, "a release of another stage")
    signers = stage.release.signers if stage.release else ()
    keys = _keys(policy, signers, verified)
    if not keys:
        why = disqualified(policy, signers, verified)
        message = f"a release of {stage.name!r} is signed by {verified.owner}, {why}"
        raise AttestationError(Code.SIGNER_UNKNOWN, message)
    if why := withdrawn(policy, said):
        raise AttestationError(Code.REVOKED, why)
    references = tuple(_reference(each) for each in said.images)
    if not any(map(pipeline.covers, references)):
        # Passes are about images: with none of its own it would skip every stage before.
        raise invalid(f"the release names no image of pipeline {pipeline.name!r}")
    resources = {_identity(each.name): each.digest for each in said.resources}
    if len(resources) != len(said.resources):
        raise invalid("the release names an object in two versions")
    return Listed(
        statement=said,
        payload_digest=verified.statement.payload_digest,
        key_id=verified.key_id,
        owner=verified.owner,
        keys=keys,
        digest=said.digest,
        image_set=said.image_set,
        resources=resources,
        images=frozenset((each.name, each.digest) for each in said.images),
        references=references,
        signed=verified.signed,
    )


def _keys(policy: PolicySet, signers: Sequence[str], by: Attestation) -> tuple[Key, ...]:
    span = None if by.signed is None else (by.signed.earliest, by.signed.latest)
    found = entries_of(policy, signers, by)
    return tuple(key for key in found if span is None or key.valid_at(*span))


def _identity(name: str) -> ObjectId:
    """From `APIVERSION/KIND/NAMESPACE/NAME`; whichever version the object is in."""
    parts = name.rsplit("/", 3)
    if len(parts) != 4:
        raise invalid(f"{name!r} is not APIVERSION/KIND/NAMESPACE/NAME")
    api_version, kind, namespace, own = parts
    group, slash, _ = api_version.partition("/")
    return ObjectId(group if slash else "", kind, namespace, own)


def _reference(image: Named) -> ImageRef:
    try:
        return ImageRef.parse(f"{image.name}@{image.digest}")
    except InputError as error:
        raise invalid(error.message) from error
