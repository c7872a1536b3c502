"""
Receipts and passes: what this cluster says, signed with its key, stored, and read back.

Nothing is signed twice: before each signature the evidence is searched for our own statement of the
same thing, so that a crash between storing it and remembering that costs one search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from applier.application import Application
from applier.failure import Failure, Reason
from applier.state import Version
from applier.statements import Kept, OwnStatements, Sources, Store
from stagepass import receipts
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, Unavailable
from stagepass.evidence import Candidate, Deadline
from stagepass.policy.entry import Receipt
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import Attested, Claim
from stagepass.policy.signers import may_sign
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import STAGE_ENTERED, STAGE_PASSED
from stagepass.predicates.named_release import NamedRelease
from stagepass.predicates.passed import PassDetails, StagePassed
from stagepass.signing import PrivateKey
from stagepass.stage import Place
from stagepass.verifier import Verifier

_SECONDS = 30.0
_RECEIPT_LIFE = timedelta(days=30)
_RENEW_BEFORE = timedelta(days=10)
_PASS_LIFE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Ran:
    """An image that was seen to run: in which namespace, from when to when."""

    image: ImageRef
    digest: Digest
    namespace: str
    observed: tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a receipt is about: an image in a namespace, as part of `release` where that is known."""

    application: Application
    image: ImageRef
    digest: Digest
    namespace: str
    release: Digest | None


class Signer:
    """This cluster's key, and where its statements go. Thread-safe."""

    def __init__(
        self,
        key: PrivateKey,
        cluster: str,
        uid: str,
        sources: Sources,
        store: Store,
    ) -> None:
        self._key, self._cluster, self._uid = key, cluster, uid
        self._sources, self._statements = sources, OwnStatements(key, sources, store)
        self._renew: dict[tuple[str, str, str, Digest | None], datetime] = {}

    def enter(
        self,
        application: Application,
        policy: PolicySet,
        images: Iterable[tuple[ImageRef, Digest, str]],
        now: datetime,
        release: NamedRelease | None = None,
    ) -> None:
        """
        Receipts for (image, digest, namespace) of what was admitted by its evidence, kept alive.

        Each of `release`, where that is known: what entered is what was released. A receipt that nears
        its end is renewed with the same `entered`. Raises `Failure`.
        """
        for image, digest, namespace in images:
            of = release.digest if release else None
            entry = _Entry(application, image, digest, namespace, of)
            key = (application.name, f"{image.name}@{digest}", namespace, entry.release)
            if now < self._renew.get(key, now):
                continue
            self._check(application, policy, now)
            entered, ends = self._receipt(entry, now)
            if ends is None or ends - now < _RENEW_BEFORE:
                if ends is None:
                    entered = self._entry_before(entry, policy, now)
                place = Environment(self._cluster, self._uid, namespace)
                ends = now + _RECEIPT_LIFE
                pipeline, stage = application.pipeline.name, application.stage.name
                claim = StageEntered(pipeline, stage, place, entered or now, ends, entry.release)
                text = claim.compose(policy.revision, ())
                self._statements.publish(
                    image, digest, STAGE_ENTERED, text, StageEntered.parse, now
                )
            self._renew[key] = ends - _RENEW_BEFORE

    def sign_passes(
        self,
        application: Application,
        policy: PolicySet,
        version: Version,
        ran: Sequence[Ran],
        now: datetime,
        release: NamedRelease | None = None,
    ) -> None:
        """
        Sign that each of `ran` passed the stage, as `release` where that is known.

        A pass that is signed already stands: of this version, and of this release. Raises `Failure`.
        """
        self._check(application, policy, now)
        for each in ran:
            known = self._passed(application, each, version, now, release)
            if known is not None:
                self._judge(application, policy, each, known, now, release)
                continue
            place = Environment(self._cluster, self._uid, each.namespace)
            details = PassDetails(
                pipeline=application.pipeline.name,
                stage=application.stage.name,
                environment=place,
                observed=each.observed,
                source=(application.source.git, version.commit),
                policy_revision=policy.revision,
                release=release,
            )
            name = f"{each.image.name}@{each.digest}"
            text = details.compose(image=name, now=now, valid_for=_PASS_LIFE)
            signed = self._statements.publish(
                each.image, each.digest, STAGE_PASSED, text, StagePassed.parse, now
            )
            self._judge(application, policy, each, signed.bundle, now, release)

    def _check(self, application: Application, policy: PolicySet, now: datetime) -> None:
        if not may_sign(policy, application.stage, self._cluster, self._key.public.id, now):
            raise Failure(
                Reason.SIGNER_UNKNOWN,
                f"key {self._key.public.id[:16]} may not sign for stage"
                f" {application.stage.name!r} in cluster {self._cluster!r}",
            )

    def _receipt(self, entry: _Entry, now: datetime) -> tuple[datetime | None, datetime | None]:
        """When it entered by our own valid receipts, and when the last of those ends."""
        application = entry.application
        here = (application.pipeline.name, application.stage.name, self._cluster, entry.namespace)
        valid: list[tuple[datetime, datetime, Kept]] = []
        for kept in self._statements.find(entry.image, entry.digest, STAGE_ENTERED):
            try:
                claim = StageEntered.parse(kept.statement.predicate)
            except AttestationError:
                continue
            place, ends = claim.environment, claim.expires
            is_here = (claim.pipeline, claim.stage, place.cluster, place.namespace) == here
            is_it = entry.release is None or claim.release == entry.release
            if is_here and is_it and ends is not None and ends > now >= claim.entered:
                valid.append((ends, claim.entered, kept))
        if not valid:
            return None, None
        last, _, kept = max(valid, key=lambda each: each[0])
        self._statements.complete(kept, entry.image, entry.digest, STAGE_ENTERED, now)
        return min(entered for _, entered, _ in valid), last

    def _entry_before(self, entry: _Entry, policy: PolicySet, now: datetime) -> datetime | None:
        """
        When it entered by a receipt of another key of the stage: how this cluster's key is rotated.

        Else a new key would date the entry of what runs to today, and a window, an age or an expiry
        would then keep it from restarting.
        """
        pipeline, stage = entry.application.pipeline.name, entry.application.stage
        try:
            found = receipts.entry(
                policy,
                pipeline,
                stage,
                entry.image,
                Place(self._cluster, entry.namespace),
                self._sources(entry.image),
                now=now,
                deadline=Deadline.after(_SECONDS),
                release=entry.release,
            )
        except Unavailable as error:
            if error.code == Code.EVIDENCE_LIMIT:
                return None  # among the newest is none, and a later entry is the stricter one
            raise Failure(Reason.SIGNING_FAILED, f"cannot look for a receipt: {error}") from error
        return found.entered if isinstance(found, Receipt) else None

    def _passed(
        self,
        application: Application,
        ran: Ran,
        version: Version,
        now: datetime,
        release: NamedRelease | None,
    ) -> bytes | None:
        """Our pass of this version, where it is stored already; then it is in every source."""
        wanted = (application.pipeline.name, application.stage.name, self._cluster)
        for kept in self._statements.find(ran.image, ran.digest, STAGE_PASSED):
            predicate = kept.statement.predicate
            try:
                claim = StagePassed.parse(predicate)
            except AttestationError:
                continue
            place = (claim.pipeline, claim.stage, claim.environment.cluster)
            is_it = _commit(predicate) == version.commit and claim.release == release
            if place == wanted and is_it:
                self._statements.complete(kept, ran.image, ran.digest, STAGE_PASSED, now)
                return kept.data
        return None

    def _judge(
        self,
        application: Application,
        policy: PolicySet,
        ran: Ran,
        bundle: bytes,
        now: datetime,
        release: NamedRelease | None,
    ) -> None:
        """The next stages must take it, or it was signed for nothing: say so now, not there."""
        here, verifier = application.stage.name, Verifier(policy, [_Given(bundle)])
        about = {f"passed {here}@{self._cluster}", f"passed {here}@any"}
        image = ImageRef.parse(f"{ran.image.name}@{ran.digest}")
        for stage in application.pipeline.stages:
            literal = [n.text for n in stage.namespaces if n.is_literal]
            if not literal or here not in {edge.stage for edge in stage.after}:
                continue
            place, deadline = Place(stage.clusters[0], literal[0]), Deadline.after(_SECONDS)
            claims: dict[str, Claim] = {}
            if release is not None:  # there it will be another release, of the same images
                claims[application.pipeline.name] = Attested(release.digest, release.image_set)
            decision = verifier.decide(image, place, now=now, deadline=deadline, claims=claims)
            said = [v.message for v in decision.violations if v.requirement in about]
            if said:
                message = f"stage {stage.name!r} would not take the pass: {'; '.join(said)}"
                raise Failure(Reason.PASS_REFUSED, message)


@dataclass(frozen=True, slots=True)
class _Given:
    """An evidence source that holds one bundle, about whatever it is asked."""

    bundle: bytes

    def batches(
        self,
        image: ImageRef,  # noqa: ARG002
        digest: Digest,  # noqa: ARG002
        wanted: frozenset[str],  # noqa: ARG002
        deadline: Deadline,  # noqa: ARG002
    ) -> Iterator[Sequence[Candidate]]:
        """See `EvidenceSource`."""
        yield [Candidate(self.bundle, "signed here")]


def _commit(predicate: Mapping[str, Any]) -> object:
    source = predicate.get("source")
    digest = source.get("digest") if isinstance(source, dict) else None
    return digest.get("gitCommit") if isinstance(digest, dict) else None
