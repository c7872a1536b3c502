"""A predicate made into a signed bundle, and judged by the verifier before anybody sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stagepass import strictjson
from stagepass.attestor import KeyRing
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Candidate, Rejection
from stagepass.signing import PrivateKey
from stagepass.statement import MAX_BYTES, MAX_DEPTH, compose


@dataclass(frozen=True, slots=True)
class Signed:
    """A bundle over one statement about `image`@`digest`."""

    image: ImageRef
    digest: Digest
    predicate_type: str
    payload_digest: Digest
    bundle: bytes


def read_back(predicate: bytes, parse: Callable[[Mapping[str, Any]], object]) -> None:
    """
    Read what was composed as its reader will, before it is signed: an empty name or reason is none.

    Raises `AttestationError`.
    """
    parse(strictjson.loads_object(predicate, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH))


def sign(
    image: ImageRef, digest: Digest, key: PrivateKey, predicate_type: str, predicate: bytes
) -> Signed:
    """Sign, then read the result back through the verifier that will judge it (W9)."""
    payload = compose(
        name=image.name, digest=digest, predicate_type=predicate_type, predicate=predicate
    )
    bundle = seal(payload, key, [digest], where=predicate_type)
    return Signed(image, digest, predicate_type, Digest.of(payload), bundle)


def seal(payload: bytes, key: PrivateKey, subjects: Sequence[Digest], *, where: str) -> bytes:
    """The bundle over a statement, which verifies about each of `subjects`. Raises `InputError`."""
    bundle = key.sign(payload).to_bytes()
    ring = KeyRing.of([(key.public, "")])
    for digest in subjects:
        verified = ring.verify(Candidate(bundle, "the bundle just signed"), digest)
        if isinstance(verified, Rejection):
            raise InputError(f"would be refused: {verified.message}", where=where)
    return bundle
