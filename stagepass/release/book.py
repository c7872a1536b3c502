"""
The releases that a stage lists, each verified once: from sources, newest first where those say so.

A book is of one policy set, whose word it takes on whose signature counts.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline, EvidenceSource, Rejection
from stagepass.flights import Flights
from stagepass.policy.model import Pipeline, PolicySet, Stage
from stagepass.policy.releases import ReleaseRule
from stagepass.policy.signers import signing_option
from stagepass.release.artifact import line_digest
from stagepass.release.listed import Listed, Signature, listed
from stagepass.release.shelf import PATIENCE_SECONDS, Opened, Shelf
from stagepass.release.store import NOWHERE, Blobs, ReleaseSource, repository_of

# As many as two sources may hold (T8).
_MAX_KNOWN = 100


class ReleaseStore(EvidenceSource, Blobs, Protocol):
    """A source that can be given bundles and blobs. Whatever it returns is verified like any other's."""

    def keep(self, digest: Digest, bundles: Sequence[bytes]) -> None:
        """Keep bundles that verified for `digest`. Never raises."""
        ...

    def holds_blob(self, digest: Digest) -> bool:
        """Whether it seems to have the objects of a release. Never raises."""
        ...

    def keep_blob(self, data: bytes) -> None:
        """Keep the objects of a release. Never raises."""
        ...


class ReleaseBook:
    """What each line says, under one policy set. Thread-safe."""

    def __init__(
        self,
        policy: PolicySet,
        sources: Sequence[ReleaseSource],
        shelf: Shelf,
        store: ReleaseStore | None = None,
    ) -> None:
        """`store` is asked before all sources, and given what remote ones prove."""
        self._policy, self._shelf, self._store = policy, shelf, store
        self._sources = (*([ReleaseSource(store, store)] if store else ()), *sources)
        self._lines: dict[tuple[str, str], OrderedDict[Digest, Listed | Rejection]] = {}
        self._lock = threading.Lock()
        self._flights = Flights()

    def listed(
        self, pipeline: Pipeline, stage: Stage, now: datetime, deadline: Deadline
    ) -> Iterator[Listed]:
        """
        Every release of the stage that counts: those that are open, then what the sources list
        besides, and last those that are known and would have to be read; what lies in the store, a
        directory or mirror is read there before the next source is asked.

        A caller stops when it has what it wants, so nothing is asked for what is known; and a new
        release is found before fifty old ones are read. Raises `Unavailable` at the end, where a source
        could not be read.
        """
        line = self._line(pipeline, stage)
        with self._lock:
            known = [each for each in reversed(line.values()) if isinstance(each, Listed)]
        counting = [found for each in known if (found := each.at(now)) is not None]
        opened = [each for each in counting if self._shelf.holds(each)]
        yield from opened
        seen = {each.signature for each in known}
        done = {each.signature for each in opened}
        failures: list[Unavailable] = []
        for source in self._asked(stage):
            here: set[Signature] = set()
            try:
                for each in self._read(line, source, pipeline, stage, deadline):
                    if each.signature not in seen and (found := each.at(now)) is not None:
                        yield found
                    seen.add(each.signature)
                    here.add(each.signature)
            except Unavailable as error:
                failures.append(error)
            if not source.is_remote:
                here -= done
                near = [e for e in counting if e.signature in here and self._reads(source, e)]
                yield from near
                done |= {each.signature for each in near}
        yield from (each for each in counting if each.signature not in done)
        if failures:
            raise failures[0]

    def rejections(self, pipeline: Pipeline, stage: Stage) -> list[Rejection]:
        """Why what the line holds besides does not count."""
        line = self._line(pipeline, stage)
        with self._lock:
            return [each for each in line.values() if isinstance(each, Rejection)]

    def signing_option(self, rule: ReleaseRule, now: datetime) -> str:
        """The option by which a signer of releases under `rule` signs one at `now`."""
        return signing_option(self._policy.entries(rule.signers), now)

    def opened(self, release: Listed, stage: Stage, deadline: Deadline) -> Opened:
        """With its objects. Raises `Unavailable`; `AttestationError` where they are not what is signed."""
        return self._shelf.opened(release, lambda: self._blob(release, stage, deadline), deadline)

    def _reads(self, source: ReleaseSource, release: Listed) -> bool:
        """The store may hold bundles without their objects, which a registry would be asked for."""
        store = self._store
        if store is None or source.blobs is not store:
            return True
        return store.holds_blob(release.statement.objects)

    def _asked(self, stage: Stage) -> list[ReleaseSource]:
        """Without registries, where the policy names no repository."""
        nowhere = repository_of(stage.release) == NOWHERE
        return [source for source in self._sources if not (source.is_remote and nowhere)]

    def _line(self, pipeline: Pipeline, stage: Stage) -> OrderedDict[Digest, Listed | Rejection]:
        with self._lock:
            return self._lines.setdefault((pipeline.name, stage.name), OrderedDict())

    def _read(
        self,
        line: OrderedDict[Digest, Listed | Rejection],
        source: ReleaseSource,
        pipeline: Pipeline,
        stage: Stage,
        deadline: Deadline,
    ) -> Iterator[Listed]:
        """
        One reader of a line at a time: who comes second finds read what the first has read.

        Raises `Unavailable` past the deadline, after what was judged by then.
        """
        digest = line_digest(pipeline.name, stage.name)
        deadline.remaining()
        deadline.used = True
        batches = source.candidates(repository_of(stage.release), digest, deadline)
        is_first = True
        while True:
            with self._flights.one((digest, id(source)), deadline, PATIENCE_SECONDS):
                batch = next(batches, None)
            if batch is None:
                return
            judged, missed = self._judged(line, pipeline, stage, batch, deadline)
            self._keep(source, digest, line, judged, is_first=is_first)
            yield from (each for _, each in judged.values() if isinstance(each, Listed))
            if missed is not None:
                raise missed
            is_first = False

    def _judged(
        self,
        line: OrderedDict[Digest, Listed | Rejection],
        pipeline: Pipeline,
        stage: Stage,
        batch: Sequence[Candidate],
        deadline: Deadline,
    ) -> tuple[dict[Digest, tuple[Candidate, Listed | Rejection]], Unavailable | None]:
        """
        What the batch holds, in its order, and the deadline where that left some of it unread.

        What is known takes no time, and one of the rest is read in any case: so whoever asks again
        comes to the end of it.
        """
        candidates = {Digest.of(each.data): each for each in batch}
        with self._lock:
            found = {key: line[key] for key in candidates if key in line}
        new = [key for key in candidates if key not in found]
        missed: Unavailable | None = None
        try:
            for key in deadline.each(new):
                found[key] = listed(self._policy, pipeline, stage, candidates[key])
        except Unavailable as error:
            missed = error
        return {key: (candidates[key], found[key]) for key in candidates if key in found}, missed

    def _keep(
        self,
        source: ReleaseSource,
        digest: Digest,
        line: OrderedDict[Digest, Listed | Rejection],
        judged: dict[Digest, tuple[Candidate, Listed | Rejection]],
        *,
        is_first: bool,
    ) -> None:
        """The first batch is the newest: it goes to the end, and what comes after it to the front."""
        with self._lock:
            new = [key for key in judged if key not in line]
            for key in reversed(new) if is_first else new:
                line[key] = judged[key][1]
                line.move_to_end(key, last=is_first)
            while len(line) > _MAX_KNOWN:
                line.popitem(last=False)
        good = [judged[key][0].data for key in new if isinstance(judged[key][1], Listed)]
        if good and source.is_remote and self._store is not None:
            self._store.keep(digest, good)

    def _blob(self, release: Listed, stage: Stage, deadline: Deadline) -> bytes:
        """From the first source that has it."""
        failure = Unavailable(Code.REGISTRY_UNAVAILABLE, "no source holds the objects of a release")
        wanted = release.statement.objects
        for source in self._asked(stage):
            try:
                data = source.blobs.blob(repository_of(stage.release), wanted, deadline)
            except Unavailable as error:
                failure = error
                continue
            if source.is_remote and self._store is not None:
                self._store.keep_blob(data)
            return data
        raise failure
