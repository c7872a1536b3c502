"""
`Verifier.decide`: gather, verify, evaluate. The webhook, the applier and the CLI all use this one.

Sources are asked in order, and only while something is unmet: more evidence never turns admitted
into denied, so the first batch that suffices ends the search, and an outage of the registry stops
nothing that a directory already proves. What break-glass alone admits is searched on for a moment:
where the full evidence is found, no alarm rings. A store is asked before all of them, and given what they
prove.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from stagepass.cache import DecisionCache
from stagepass.decision import Answer, Code, Decision
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import (
    Attestation,
    Candidate,
    Deadline,
    DirectorySource,
    Evidence,
    EvidenceSource,
    Rejection,
)
from stagepass.policy.evaluate import wanted
from stagepass.policy.model import PolicySet
from stagepass.policy.outlook import Question
from stagepass.policy.releases import NO_CLAIMS, Claim
from stagepass.release.book import ReleaseBook
from stagepass.release.shelf import Shelf
from stagepass.stage import Place

EMERGENCY_SECONDS = 1.0
"""How long the full evidence is looked for, at most, once somebody broke the glass."""


Hear = Callable[[Question], None]


def _nobody(_: Question) -> None:
    """Hears, and does nothing."""


class EvidenceStore(EvidenceSource, Protocol):
    """A source that can be given bundles. Whatever it returns is verified like any other's."""

    def keep(self, digest: Digest, bundles: Sequence[bytes]) -> None:
        """Keep bundles that verified for `digest`. Never raises."""
        ...


class Verifier:
    """One policy set over some evidence sources. Thread-safe; make a new one for a new set."""

    def __init__(
        self,
        policy: PolicySet,
        sources: Sequence[EvidenceSource],
        cache: DecisionCache | None = None,
        store: EvidenceStore | None = None,
        objects: DecisionCache | None = None,
        hear: Hear = _nobody,
        releases: ReleaseBook | None = None,
    ) -> None:
        """
        `objects` keeps whole objects' decisions, so that they push out none of `cache`'s images.

        Without `releases` there is none, and no manifest is admitted where one is required.
        """
        self.policy = policy
        self.releases = releases or ReleaseBook(policy, (), Shelf())
        self._sources = (*([store] if store else ()), *sources)
        self._cache, self._store, self._objects = cache, store, objects or cache
        self._hear = hear

    def telling(self, hear: Hear, *, cached: bool = True) -> Verifier:
        """
        The same verifier; `hear` is told, by several threads, of all that it judges.

        Of each image the last is on all evidence. Of what a cache answers it hears nothing: without
        `cached` it starts with an empty one, and hears of each image under each claim.
        """
        told = copy(self)  # of whatever class: some decide in another way
        told._hear = hear  # noqa: SLF001  # its own class
        if not cached:
            told._cache = told._objects = DecisionCache()  # noqa: SLF001
        return told

    def tell(self, questions: Iterable[Question]) -> None:
        """Whoever hears of what is judged here of these as well, which `telling` told another."""
        for question in questions:
            self._hear(question)

    def decide(
        self,
        image: ImageRef,
        place: Place,
        *,
        now: datetime,
        deadline: Deadline,
        claims: Mapping[str, Claim] = NO_CLAIMS,
    ) -> Decision:
        """
        Whether `image` may run in `place` at `now`. Never raises for want of evidence.

        `claims` says by pipeline what is known of the manifest that names the image.
        *Undetermined* carries the code of what kept us from knowing; what was missing by then is
        listed beside it.
        """
        if image.digest is None:
            return self._decide(image, place, now, deadline, claims)
        return self._kept(
            self._cache,
            _key(image, place, claims),
            now,
            deadline,
            lambda: self._decide(image, place, now, deadline, claims),
        )

    def known(
        self,
        image: ImageRef,
        place: Place,
        *,
        now: datetime,
        claims: Mapping[str, Claim] = NO_CLAIMS,
    ) -> Decision | None:
        """What `decide` would answer from its cache, None where it would search."""
        if self._cache is None or image.digest is None:
            return None
        return self._cache.get((_key(image, place, claims), self.policy.revision), now)

    def remembered(
        self, key: Hashable, now: datetime, deadline: Deadline, decide: Callable[[], Decision]
    ) -> Decision:
        """What `decide` answered for an object, `key`, under this set, if it admitted and still holds."""
        return self._kept(self._objects, key, now, deadline, decide)

    def _kept(
        self,
        cache: DecisionCache | None,
        key: Hashable,
        now: datetime,
        deadline: Deadline,
        decide: Callable[[], Decision],
    ) -> Decision:
        if cache is None:
            return decide()
        try:
            return cache.get_or_decide((key, self.policy.revision), now, deadline, decide)
        except Unavailable:  # the deadline passed behind another's search; `decide` says so
            return decide()

    def _decide(
        self,
        image: ImageRef,
        place: Place,
        now: datetime,
        deadline: Deadline,
        claims: Mapping[str, Claim],
    ) -> Decision:
        decision = self._judge(Question(self.policy, image, place, Evidence(), claims), now)
        types = wanted(self.policy, image, place)
        if image.digest is None or decision.answer is not Answer.DENIED or not types:
            return decision
        gathered: dict[bytes, Attestation | Rejection] = {}
        failures: list[Unavailable] = []
        deadline.used |= bool(self._sources)
        search = replace(deadline)
        is_broken = False
        for source, batch in self._batches(image, image.digest, types, search, failures):
            new = {c.data: c for c in batch if c.data not in gathered}
            found = self._verified(new.values(), image.digest, search, failures)
            gathered |= found
            self._keep(source, image.digest, found)
            evidence = _evidence(gathered.values())
            decision = self._judge(Question(self.policy, image, place, evidence, claims), now)
            if decision.answer is not Answer.ADMITTED:
                continue
            if Code.BREAK_GLASS not in decision.notes:
                return decision
            if not is_broken:
                search.at, is_broken = _hurried(search.at), True
        return self._undetermined(decision, failures) if failures else decision

    def _verified(
        self,
        candidates: Iterable[Candidate],
        digest: Digest,
        deadline: Deadline,
        failures: list[Unavailable],
    ) -> dict[bytes, Attestation | Rejection]:
        """Each by its bytes. Those that the deadline leaves no time for are noted as a failure."""
        found: dict[bytes, Attestation | Rejection] = {}
        try:
            for candidate in deadline.each(candidates):
                found[candidate.data] = self.policy.keys.verify(candidate, digest)
        except Unavailable as error:
            failures.append(error)
        return found

    def _keep(
        self, source: EvidenceSource, digest: Digest, found: Mapping[bytes, Attestation | Rejection]
    ) -> None:
        """Give the store what verified, unless it lies on a disk already."""
        if self._store is None or source is self._store or isinstance(source, DirectorySource):
            return
        if bundles := [data for data, item in found.items() if isinstance(item, Attestation)]:
            self._store.keep(digest, bundles)

    def _batches(
        self,
        image: ImageRef,
        digest: Digest,
        types: frozenset[str],
        deadline: Deadline,
        failures: list[Unavailable],
    ) -> Iterator[tuple[EvidenceSource, Sequence[Candidate]]]:
        """Every source in turn; one that fails is noted and the next one asked."""
        for source in self._sources:
            try:
                deadline.remaining()
                for batch in source.batches(image, digest, types, deadline):
                    yield source, batch
            except Unavailable as error:
                failures.append(error)

    def _judge(self, question: Question, now: datetime) -> Decision:
        self._hear(question)
        return question.at(now)

    def _undetermined(self, decision: Decision, failures: Sequence[Unavailable]) -> Decision:
        """The same decision, not known: evidence that could not be read might have met it."""
        if decision.answer is Answer.ADMITTED:
            return decision
        first = decision.violations[0]
        unknown = {
            replace(
                first,
                requirement="",
                code=Code(f.code),
                message=f"could not find out: {f.message}",
                fix="",
            )
            for f in failures
        }
        # No evidence lists an image: beside that, what could not be read is told and changes nothing.
        certain = any(v.code is Code.UNLISTED for v in decision.violations)
        answer = Answer.DENIED if certain else Answer.UNDETERMINED
        violations = tuple(sorted({*decision.violations, *unknown}))
        return replace(decision, answer=answer, violations=violations)


def _key(image: ImageRef, place: Place, claims: Mapping[str, Claim]) -> Hashable:
    key: Hashable = (image.name, image.digest, place)
    if claims:  # names are unique, so claims themselves are never compared
        key = (key, tuple(sorted(claims.items())))
    return key


def _hurried(at: float) -> float:
    """A quarter of the time left until `at`: several images share one, and each must be answered."""
    now = time.monotonic()
    return now + max(0.0, min(EMERGENCY_SECONDS, (at - now) / 4))


def _evidence(gathered: Collection[Attestation | Rejection]) -> Evidence:
    return Evidence(
        tuple(item for item in gathered if isinstance(item, Attestation)),
        tuple(item for item in gathered if isinstance(item, Rejection)),
    )
