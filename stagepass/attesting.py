"""A predicate made into a signed bundle, and judged by the verifier before anybody sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stagepass import strictjson
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.identity import Certified
from stagepass.signing import Signer
from stagepass.statement import MAX_BYTES, MAX_DEPTH, compose


@dataclass(frozen=True, slots=True)
class Signed:
    """A bundle over one statement about `image`@`digest`; `certified` is its signer, None of a key."""

    image: ImageRef
    digest: Digest
    predicate_type: str
    payload_digest: Digest
    bundle: bytes
    certified: Certified | None = None


def read_back(predicate: bytes, parse: Callable[[Mapping[str, Any]], object]) -> None:
    """
    Read what was composed as its reader will, before it is signed: an empty name or reason is none.

    Raises `AttestationError`.
    """
    parse(strictjson.loads_object(predicate, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH))


def sign(
    image: ImageRef, digest: Digest, signer: Signer, predicate_type: str, predicate: bytes
) -> Signed:
    """Sign, then read the result back through the verifier that will judge it (W9)."""
    payload = compose(
        name=image.name, digest=digest, predicate_type=predicate_type, predicate=predicate
    )
    bundle = seal(payload, signer, [digest], where=predicate_type)
    return Signed(image, digest, predicate_type, Digest.of(payload), bundle, signer.certified)


def seal(payload: bytes, signer: Signer, subjects: Sequence[Digest], *, where: str) -> bytes:
    """
    The bundle over a statement, which verifies about each of `subjects` as this signer's.

    Raises `InputError`, and `Unavailable` as the signer does.
    """
    if not subjects:
        raise ValueError("nothing that the bundle could be read back about")
    bundle, ring = signer.seal(payload), signer.ring
    for digest in subjects:
        verified = ring.verify(Candidate(bundle, "the bundle just signed"), digest)
        if isinstance(verified, Rejection):
            raise InputError(f"would be refused: {verified.message}", where=where)
        _expect(verified, payload, signer, where)
    return bundle


def _expect(verified: Attestation, payload: bytes, signer: Signer, where: str) -> None:
    """Raises `InputError` for a bundle that verifies, but not as what was asked for."""
    if (verified.statement.payload, verified.key_id) != (payload, signer.key_id):
        raise InputError("the bundle holds another statement, or is of another signer", where=where)
