"""This cluster's own signed statements: found in every source, completed, and put there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from applier.failure import Failure, Reason
from stagepass.attesting import Signed, read_back, sign
from stagepass.attestor import KeyRing
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError, Unavailable
from stagepass.evidence import Attestation, Deadline, EvidenceSource
from stagepass.signing import PrivateKey
from stagepass.statement import Statement

_SECONDS = 30.0

Sources = Callable[[ImageRef], Sequence[EvidenceSource]]
"""Where statements about an image are looked for."""
Store = Callable[[Signed, datetime, Deadline, Collection[int] | None], None]
"""
Puts a bundle where the other clusters look, and reads it back: into all sources, or those numbers.
Raises `StagepassError`.
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement of ours, as it was found, and the numbers of the sources that hold it."""

    data: bytes
    statement: Statement
    sources: set[int]


class OwnStatements:
    """What one key signed, and where it lies. Thread-safe. Every method raises `Failure` SIGNING_FAILED."""

    def __init__(self, key: PrivateKey, sources: Sources, store: Store) -> None:
        self._key, self._sources, self._store = key, sources, store

    def find(self, image: ImageRef, digest: Digest, kind: str) -> list[Kept]:
        """
        All of that predicate type about the image, or the newest where a source holds too many to read.

        An image outlives many releases: to sign one of them again is better than never to sign again.
        """
        ring, deadline = KeyRing.of([(self._key.public, "")]), Deadline.after(_SECONDS)
        found: dict[bytes, Kept] = {}
        for number, source in enumerate(self._sources(image)):
            try:
                for batch in source.batches(image, digest, frozenset({kind}), deadline):
                    for candidate in deadline.each(batch):
                        read = ring.verify(candidate, digest)
                        if not isinstance(read, Attestation):
                            continue
                        if read.statement.predicate_type == kind:
                            new = Kept(candidate.data, read.statement, set())
                            found.setdefault(candidate.data, new).sources.add(number)
            except Unavailable as error:
                if error.code == Code.EVIDENCE_LIMIT:
                    continue
                raise Failure(Reason.SIGNING_FAILED, f"cannot look for it: {error}") from error
        return list(found.values())

    def complete(
        self, kept: Kept, image: ImageRef, digest: Digest, kind: str, now: datetime
    ) -> None:
        """Into the sources that lack it: a crash came between the first and the last of them."""
        missing = set(range(len(self._sources(image)))) - kept.sources
        if missing:
            signed = Signed(image, digest, kind, kept.statement.payload_digest, kept.data)
            self._keep(signed, now, missing)

    def publish(
        self,
        image: ImageRef,
        digest: Digest,
        kind: str,
        text: bytes,
        parse: Callable[..., object],
        now: datetime,
    ) -> Signed:
        """Sign the predicate `text`, once `parse` has read it as its reader will, and store it."""
        try:
            read_back(text, parse)
            signed = sign(image, digest, self._key, kind, text)
        except (AttestationError, InputError) as error:
            raise Failure(Reason.SIGNING_FAILED, f"{image.name}@{digest}: {error}") from error
        self._keep(signed, now)
        return signed

    def _keep(self, signed: Signed, now: datetime, only: Collection[int] | None = None) -> None:
        try:
            self._store(signed, now, Deadline.after(_SECONDS), only)
        except (AttestationError, InputError, Unavailable) as error:
            name = f"{signed.image.name}@{signed.digest}"
            raise Failure(Reason.SIGNING_FAILED, f"{name}: {error}") from error
