"""Taking evidence from one place to another, unchanged: a second registry, a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from stagepass.bundle import Bundle
from stagepass.digest import Digest, ImageRef
from stagepass.envelope import Envelope
from stagepass.errors import AttestationError, Unavailable
from stagepass.evidence import Candidate, Deadline, EvidenceSource
from stagepass.registry.claims import Claim

Put = Callable[[bytes, str], str]
"""Stores a bundle of a predicate type and says where, for people. Raises `Unavailable`."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """
    One bundle on its way.

    `stored` says where it lies now, "" where the target had it already. What no policy would accept
    is left behind: `code` and `message` say why, "" for the rest.
    """

    origin: str
    claim: Claim
    stored: str = ""
    code: str = ""
    message: str = ""


def gather(
    image: ImageRef, digest: Digest, sources: Iterable[EvidenceSource], seconds: float
) -> tuple[list[Candidate], list[Unavailable]]:
    """
    Everything that lies in the sources, each bundle once, and why some could not be read.

    `seconds` is the time limit for each source.
    """
    found: dict[bytes, Candidate] = {}
    failures: list[Unavailable] = []
    for source in sources:
        try:
            for batch in source.batches(image, digest, frozenset(), Deadline.after(seconds)):
                for candidate in batch:
                    found.setdefault(candidate.data, candidate)
        except Unavailable as error:
            failures.append(error)
    return list(found.values()), failures


def transfer(
    candidates: Iterable[Candidate], digest: Digest, put: Put, present: Iterable[Candidate]
) -> Iterator[Transfer]:
    """
    `put` what is about `digest`, unless its envelope is among those `present` in the target.

    An envelope lies in a registry twice where it is kept for cosign 2 as well. Raises `Unavailable`.
    """
    there = {envelope for each in present if (envelope := _envelope(each.data))}
    for candidate in candidates:
        try:
            claim = Claim.read(candidate.data, digest)
        except AttestationError as error:
            yield Transfer(candidate.origin, Claim(), code=error.code, message=error.message)
            continue
        envelope, stored = _envelope(candidate.data), ""
        if envelope and envelope not in there:
            stored = put(candidate.data, claim.predicate_type)
            there.add(envelope)
        yield Transfer(candidate.origin, claim, stored)


def _envelope(data: bytes) -> Envelope | None:
    try:
        return Bundle.parse(data).envelope
    except AttestationError:
        return None
