"""A Sigstore trusted root for people: its authorities and logs, and what changed between two."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from stagepass.clock import format_time
from stagepass.trustroot import Authority, EntryLog, Log, TrustedRoot

_LOGS = {"ctlogs": "certificate log", "tlogs": "transparency log"}
_CERTIFIES, _STAMPS = "certificate authority", "time stamp authority"


@dataclass(frozen=True, slots=True)
class Trusted:
    """
    One authority or log. `until` is None where it has no end.

    `id` is what a log's entries carry (base64), of an authority the SHA-256 of its root certificate (hex).
    `sha256` (hex) is of all that is relied on: an authority's certificates in DER, one after the other, or
    a log's key. `id_matches_key` is None of an authority, and where a log's id may follow from a name that
    the file does not have. `entry` is a digest of everything that the file says of it.
    """

    kind: str
    name: str
    id: str
    sha256: str
    since: datetime
    until: datetime | None
    id_matches_key: bool | None
    entry: bytes = field(repr=False)

    @property
    def doubt(self) -> str:
        """What is to be said of a log's id; empty where nothing is."""
        if self.id_matches_key or self.kind not in _LOGS.values():
            return ""
        said = f"{self.kind} {self.name}: its id is not the SHA-256 of its key"
        if self.id_matches_key is None:
            said += ", nor made of its URL and key: compare it with what its operator publishes"
        return said

    def to_json(self) -> dict[str, str | bool | None]:
        """Its fields, times in RFC 3339."""
        until = None if self.until is None else format_time(self.until)
        named = {"kind": self.kind, "name": self.name, "id": self.id, "sha256": self.sha256}
        span = {"since": format_time(self.since), "until": until}
        return {**named, **span, "idMatchesKey": self.id_matches_key}


def listed(data: bytes) -> list[Trusted]:
    """What a trusted root's file lists, in its order. Raises `InputError`."""
    root = TrustedRoot.parse(data)
    document = json.loads(data)

    def entries(name: str) -> list[bytes]:
        texts = (json.dumps(entry, sort_keys=True) for entry in document.get(name, []))
        return [hashlib.sha256(text.encode()).digest() for text in texts]

    certifying = zip(root.certificate_authorities, entries("certificateAuthorities"), strict=True)
    stamping = zip(root.timestamp_authorities, entries("timestampAuthorities"), strict=True)
    return [
        *(_authority(_CERTIFIES, each, entry) for each, entry in certifying),
        *(_log("ctlogs", *each) for each in zip(root.ct_logs, entries("ctlogs"), strict=True)),
        *(_log("tlogs", *each) for each in zip(root.logs, entries("tlogs"), strict=True)),
        *(_authority(_STAMPS, each, entry) for each, entry in stamping),
    ]


def changes(old: Iterable[Trusted], new: Iterable[Trusted]) -> list[str]:
    """What one root has that the other had not, in words; empty where they trust the same."""
    # By whole entries first: an authority may be listed twice, under one name and one root certificate.
    gone, come = Counter(old), Counter(new)
    gone, come = gone - come, come - gone
    moved = []
    for each in list(come.elements()):
        had = next((had for had in gone.elements() if _key(had) == _key(each)), None)
        if had is not None:
            gone[had] -= 1
            come[each] -= 1
            moved.append(f"changed: {each.kind} {each.name}, {_difference(had, each)}")
    return [
        *(f"no longer: {each.kind} {each.name}, sha256 {each.sha256}" for each in gone.elements()),
        *(f"new: {each.kind} {each.name}, sha256 {each.sha256}" for each in come.elements()),
        *moved,
    ]


def _key(each: Trusted) -> tuple[str, str, str]:
    return each.kind, each.name, each.id


def _difference(old: Trusted, new: Trusted) -> str:
    told = []
    if _span(old) != _span(new):
        told.append(f"{_span(old)} -> {_span(new)}")
    if old.sha256 != new.sha256:
        told.append(f"sha256 {old.sha256} -> {new.sha256}")
    return ", ".join(told) or "in what is not shown: compare the files"


def _span(each: Trusted) -> str:
    until = "open" if each.until is None else format_time(each.until)
    return f"{format_time(each.since)} to {until}"


def _authority(kind: str, found: Authority, entry: bytes) -> Trusted:
    # DER says where it ends, so that certificates one after the other can be read in one way only.
    chain = b"".join(each.public_bytes(Encoding.DER) for each in found.chain)
    return Trusted(
        kind=kind,
        name=found.uri or found.name,
        id=found.chain[-1].fingerprint(hashes.SHA256()).hex(),
        sha256=hashlib.sha256(chain).hexdigest(),
        since=found.valid.start,
        until=found.valid.end,
        id_matches_key=None,
        entry=entry,
    )


def _log(part: str, found: Log, entry: bytes) -> Trusted:
    return Trusted(
        kind=_LOGS[part],
        name=found.url,
        id=base64.b64encode(found.key_id).decode(),
        sha256=hashlib.sha256(found.key).hexdigest(),
        since=found.valid.start,
        until=found.valid.end,
        id_matches_key=_matches(found),
        entry=entry,
    )


def _matches(log: Log) -> bool | None:
    """
    Whether a log's id is the one that its key gives, None where this cannot be said.

    RFC 6962 section 3.2 and Rekor 1 hash the key (SPKI). So does Rekor 2 with an ECDSA key; with others
    it hashes name, type and key, as the signed notes of its checkpoints do.
    """
    try:
        key = load_der_public_key(log.key)
    except (ValueError, UnsupportedAlgorithm):
        return False
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if log.key_id == hashlib.sha256(spki).digest():
        return True
    if not isinstance(log, EntryLog) or isinstance(key, EllipticCurvePublicKey):
        return False
    if isinstance(key, Ed25519PublicKey):
        url, raw = urlsplit(log.url), key.public_bytes_raw()
        # Rekor 2 takes its host for the name; others the URL without its scheme (C2SP tlog-checkpoint).
        names = (url.hostname or "", url.netloc + url.path.rstrip("/"))
        notes = (name.encode() + b"\n\x01" + raw for name in names)
        if any(log.key_id == hashlib.sha256(note).digest() for note in notes):
            return True
    return None
