"""
in-toto statements: what is claimed, about which digests.

`parse` reads v1 and v0.1 (cosign still writes v0.1); we write v1. The parsed form keeps the exact
bytes, because those are what a signature covers: nothing is ever serialised again to be verified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stagepass import strictjson
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.errors import AttestationError, InputError

V1 = "https://in-toto.io/Statement/v1"
V0_1 = "https://in-toto.io/Statement/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

MAX_BYTES = 1 << 20
# cosign takes a predicate of 200 levels (cosign-proof section 5); past our cap the reason says so.
MAX_DEPTH = 256
# The limits of sigstore-go, counted by test in cosign-proof section 5.
MAX_SUBJECTS, MAX_DIGESTS = 1024, 32

_MEMBERS = {"_type", "subject", "predicateType", "predicate"}
_SUBJECT_MEMBERS = {
    "name",
    "uri",
    "digest",
    "content",
    "downloadLocation",
    "mediaType",
    "annotations",
}
_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Statement:
    """One parsed statement. `payload` is the text as signed, `digests` every subject's sha256."""

    payload: bytes
    digests: frozenset[Digest]
    predicate_type: str
    predicate: Mapping[str, Any]

    @classmethod
    def parse(cls, payload: bytes) -> Statement:
        """Read signed bytes. Raises `AttestationError` with `STATEMENT_INVALID`."""
        try:
            document = strictjson.loads_object(payload, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
        except InputError as error:
            raise _invalid(str(error)) from error
        if unknown := document.keys() - _MEMBERS:
            raise _invalid(f"unknown members {sorted(unknown)}")
        if document.get("_type") not in (V1, V0_1):
            raise _invalid(f"_type is {document.get('_type')!r}, not a statement v1 or v0.1")
        predicate_type = document.get("predicateType")
        if not isinstance(predicate_type, str) or not predicate_type:
            raise _invalid("predicateType is missing")
        predicate = _object_or_absent(document.get("predicate"))
        if predicate is None:
            raise _invalid("the predicate is not an object")
        return cls(payload, _digests(document.get("subject")), predicate_type, predicate)

    @property
    def payload_digest(self) -> Digest:
        """With the signer, an attestation's identity: bundles of the same bytes are the same claim."""
        return Digest.of(self.payload)


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that a statement is about. `digests` is algorithm → hex."""

    name: str
    digests: Mapping[str, str]

    @classmethod
    def of(cls, name: str, digest: Digest) -> Subject:
        """By its sha256."""
        return cls(name, {"sha256": digest.hex})

    def to_json(self) -> dict[str, Any]:
        """As written."""
        return {"name": self.name, "digest": dict(self.digests)}


def compose(
    *,
    name: str,
    digest: Digest,
    predicate_type: str,
    predicate: bytes,
    others: Sequence[Subject] = (),
) -> bytes:
    """
    The payload of a v1 statement about one subject, and `others` after it.

    `predicate` is the text of a JSON object and goes in unchanged: re-writing numbers would sign
    something else than the author wrote (cosign attest does, cosign-proof section 1.4).
    """
    subjects = [each.to_json() for each in (Subject.of(name, digest), *others)]
    head = {"_type": V1, "subject": subjects}
    opened = strictjson.dumps({**head, "predicateType": predicate_type})[:-1]
    return opened + b',"predicate":' + predicate.strip() + b"}"


def _digests(subjects: object) -> frozenset[Digest]:
    if not isinstance(subjects, list) or not 1 <= len(subjects) <= MAX_SUBJECTS:
        raise _invalid(f"subject is not a list of 1 to {MAX_SUBJECTS} entries")
    return frozenset(d for subject in subjects if (d := _digest(subject)) is not None)


def _digest(subject: object) -> Digest | None:
    if not isinstance(subject, dict) or not subject or subject.keys() - _SUBJECT_MEMBERS:
        raise _invalid("a subject is not an object of the members in-toto names")
    digests = _object_or_absent(subject.get("digest"))
    if digests is None or len(digests) > MAX_DIGESTS:
        raise _invalid(f"a subject's digest is not an object of at most {MAX_DIGESTS} members")
    if not all(isinstance(value, str) for value in digests.values()):
        raise _invalid("a subject's digest is not text")
    if "sha256" not in digests:
        return None
    sha256: str = digests["sha256"]
    # Lower case only: cosign refuses upper case as well, and one spelling leaves nothing to compare.
    if not _HEX64.fullmatch(sha256):
        raise _invalid("a subject's sha256 is not 64 lower-case hex digits")
    return Digest(sha256)


def _object_or_absent(value: object) -> dict[str, Any] | None:
    """An object, the empty one where there is null or nothing, and None for anything else."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else None


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.STATEMENT_INVALID, message)
