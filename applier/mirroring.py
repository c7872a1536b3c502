"""
The evidence of what an application brings, put into the cluster, where the gate needs no registry for it.

Off unless asked for. Whatever goes wrong with it is told and holds nobody up: it saves the gate a trip,
and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from applier import metrics
from applier.application import Application
from applier.cluster import Cluster
from applier.deciding import questions_of
from applier.delivery import Delivery
from applier.failure import Failure
from applier.goal import Rendered
from applier.mirror_name import PREFIX, mirror_name
from applier.state import State, Version
from stagepass import log
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError, Unavailable
from stagepass.evidence import Attestation, Deadline, EvidenceSource
from stagepass.packed_evidence import SUFFIX, pack
from stagepass.policy.evaluate import wanted
from stagepass.policy.model import PolicySet
from stagepass.policy.outlook import Question
from stagepass.predicates.members import STAGE_ENTERED
from stagepass.predicates.release import RELEASE
from stagepass.release.artifact import line_digest
from stagepass.release.listed import Listed
from stagepass.release.store import repository_of
from stagepass.verifier import Verifier

_SECONDS = 30.0
_SOON = timedelta(seconds=10)
"""A registry's listing may be 2 s old, and the receipt that was just stored not be on it."""
_LATER = timedelta(hours=1)
_MAX_OLDER = 2

Sources = Callable[[PolicySet], Sequence[EvidenceSource]]
"""Where evidence lies, under a policy set."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """For which versions, the target first, and policy revision, and when to do it again."""

    versions: tuple[Version, ...]
    revision: str
    again: datetime


class Mirroring:
    """Of all applications; one call at a time for each, which is the caller's to keep."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        sources: Sources,
        rendered: Callable[[Application, Version], Rendered],
        *,
        is_wanted: bool,
    ) -> None:
        """`namespace` is the gate's; `rendered` gives an older version, or raises `Failure`."""
        self._cluster, self._namespace, self._sources = cluster, namespace, sources
        self._rendered, self._is_wanted = rendered, is_wanted
        self._kept: dict[str, _Kept] = {}
        self._told: dict[str, str] = {}

    def keep(
        self,
        application: Application,
        verifier: Verifier,
        target: Rendered,
        state: State,
        now: datetime,
    ) -> None:
        """
        Write what admits `target` here, unless that was done lately. Never raises.

        Until it has passed, what ran before may have to start again, and is kept as well.
        """
        kept, name = self._kept.get(application.name), application.name
        older = to_keep(target.version, state, kept.versions if kept else ())
        given = (target.version, *older), verifier.policy.revision
        is_same = kept is not None and (kept.versions, kept.revision) == given
        if not self._is_wanted or (kept is not None and is_same and now < kept.again):
            return
        self._kept[name] = _Kept(*given, now + (_LATER if is_same else _SOON))
        problem = self._write(application, verifier, target, older, now)
        if problem:
            metrics.MIRROR_FAILED.labels(name).inc()
            if self._told.get(name) != problem:
                log.error("evidence.not_mirrored", application=name, error=problem)
        self._told[name] = problem

    def _write(
        self,
        application: Application,
        verifier: Verifier,
        target: Rendered,
        older: Sequence[Version],
        now: datetime,
    ) -> str:
        """Why it could not be done, "" where it was."""
        sources = self._sources(verifier.policy)
        collecting = Collecting(application, verifier, tuple(sources), now)
        try:
            packed, left_out = collecting.packed(
                target, older, lambda version: self._rendered(application, version)
            )
        except (AttestationError, InputError, Unavailable) as error:
            return str(error)
        if left_out:
            log.info("evidence.partly_mirrored", application=application.name, without=left_out)
        key = f"{mirror_name(application)}{SUFFIX}"
        name = f"{PREFIX}{mirror_name(application)}"
        try:
            Delivery(self._cluster, self._namespace, name, key).write(packed)
        except Failure as failure:
            return str(failure)
        metrics.MIRROR_BYTES.labels(application.name).set(len(packed))
        return ""


def to_keep(target: Version, state: State, kept: Sequence[Version]) -> tuple[Version, ...]:
    """
    Of what ran before `target`, at most two, what passed last first; () once `target` has passed.

    `kept` are the versions that were kept last, their target first. Pods of one before run until the
    roll-out is over, and are made anew where a node fails.
    """
    if state.passed == target:
        return ()
    older = kept[1:] if kept and kept[0] == target else ()
    found = dict.fromkeys((state.passed, *older, state.applied))
    return tuple(each for each in found if each is not None and each != target)[:_MAX_OLDER]


@dataclass(frozen=True, slots=True)
class Collecting:
    """Evidence of an application's versions, from `sources`."""

    application: Application
    verifier: Verifier
    sources: tuple[EvidenceSource, ...]
    now: datetime

    def packed(
        self,
        target: Rendered,
        older: Iterable[Version],
        rendered: Callable[[Version], Rendered],
    ) -> tuple[bytes, str]:
        """
        What admits `target`, and those of `older` that fit; and why others were left out, "" for none.

        Raises what `pack` and the sources raise for the target alone.
        """
        bundles, blobs = self._evidence(target)
        found, left_out = pack(bundles, blobs), []
        for version in older:
            try:
                more, others = self._evidence(rendered(version))
                found = pack(bundles | more, blobs | others)
            except (AttestationError, Failure, InputError, Unavailable) as error:
                left_out.append(f"{version.commit}: {error}")
                continue
            bundles, blobs = bundles | more, blobs | others
        return found, "; ".join(left_out)

    def _evidence(self, target: Rendered) -> tuple[set[tuple[Digest, bytes]], set[bytes]]:
        """Bundles by what they are about, and blobs. Raises what the sources raise."""
        application, verifier, sources = self.application, self.verifier, self.sources
        released, questions = questions_of(
            application, verifier, target.objects, self.now, commit=target.version.commit
        )
        policy, deadline = verifier.policy, Deadline.after(_SECONDS)
        bundles = set(_proofs(policy, sources, questions, self.now, deadline))
        if released.signed is None:
            return bundles, set()
        bundles |= set(_of_release(application, policy, sources, released.signed, deadline))
        opened = verifier.releases.opened(released.signed, application.stage, deadline)
        return bundles, {opened.release.data}


def _proofs(
    policy: PolicySet,
    sources: Iterable[EvidenceSource],
    questions: Iterable[Question],
    now: datetime,
    deadline: Deadline,
) -> Iterator[tuple[Digest, bytes]]:
    """
    By what they are about: the bundles by which the answers were met, and every receipt.

    With those what runs stays admitted, whatever ends (*Entry and stay*).
    """
    asked: dict[ImageRef, tuple[set[str], set[str]]] = {}
    for question in questions:
        types, needed = asked.setdefault(question.image, (set(), set()))
        types |= wanted(policy, question.image, question.place)
        needed |= {m.payload_digest for m in question.at(now).met if m.predicate_type != RELEASE}
    for image, (types, needed) in asked.items():
        if image.digest is None or not types:
            continue
        kinds = frozenset(types)
        for read, data in _read(sources, image, image.digest, kinds, policy, deadline):
            payload = str(read.statement.payload_digest)
            if payload in needed or read.statement.predicate_type == STAGE_ENTERED:
                needed.discard(payload)
                yield image.digest, data
        if needed:
            raise InputError(f"{len(needed)} proofs of {image} were read once, and are no more")


def _read(
    sources: Iterable[EvidenceSource],
    about: ImageRef,
    digest: Digest,
    types: frozenset[str],
    policy: PolicySet,
    deadline: Deadline,
) -> Iterator[tuple[Attestation, bytes]]:
    """What verifies, as far as it can be read: the caller knows what it needs."""
    for source in sources:
        with suppress(Unavailable):
            for batch in source.batches(about, digest, types, deadline):
                for candidate in deadline.each(batch):
                    read = policy.keys.verify(candidate, digest)
                    if isinstance(read, Attestation):
                        yield read, candidate.data


def _of_release(
    application: Application,
    policy: PolicySet,
    sources: Iterable[EvidenceSource],
    listed: Listed,
    deadline: Deadline,
) -> Iterator[tuple[Digest, bytes]]:
    """The bundle of the release, beside the line, where the gate looks for it."""
    line = line_digest(application.pipeline.name, application.stage.name)
    where = repository_of(application.stage.release)
    for read, data in _read(sources, where, line, frozenset({RELEASE}), policy, deadline):
        if read.statement.payload_digest == listed.payload_digest:
            yield line, data
            return
    raise InputError(f"the bundle of release {listed.digest} was read once, and is no more")
