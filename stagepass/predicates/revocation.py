"""`revocation-list/v1`: what no longer counts, in a list with a sequence and an end."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stagepass import canonical, strictjson
from stagepass.clock import format_time
from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.identity import Glob
from stagepass.predicates.members import invalid, number, refuse_unknown_critical, text, time

KINDS = ("artifact", "attestation", "key", "identity")
_SIGNERS, _OF_ISSUERS = ("key", "identity"), ("identity",)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One thing revoked. `value` is a sha256 hex digest (artifact, attestation: of the payload), a key
    id (base64 of the SPKI's SHA-256), or an identity's subject: whole, or a pattern (`identity.Glob`).

    `issuer` is an identity's, "" for whichever. What a key or identity is proven to have signed before
    `compromised_since` still counts; None: nothing does.
    """

    kind: str
    value: str
    reason: str
    issuer: str = ""
    compromised_since: datetime | None = None

    @classmethod
    def parse(cls, entry: object) -> Entry:
        """From a member of `entries`. Raises `AttestationError`."""
        if not isinstance(entry, dict) or entry.get("kind") not in KINDS:
            raise invalid(f"an entry's kind is none of {', '.join(KINDS)}")
        value = text(entry, "value", "entries.")
        if entry["kind"] in ("artifact", "attestation"):
            value = _hex(value)
        elif entry["kind"] == "key" and not _is_key_id(value):
            raise invalid(f"{value!r} is not the id of a key: base64 of 32 bytes")
        elif entry["kind"] == "identity":
            _refuse_no_glob(value)
        for member, kinds in (("issuer", _OF_ISSUERS), ("compromisedSince", _SIGNERS)):
            if member in entry and entry["kind"] not in kinds:
                raise invalid(f"{member} is of no {entry['kind']}, but of {' or '.join(kinds)}")
        return cls(
            entry["kind"],
            value,
            text(entry, "reason", "entries."),
            text(entry, "issuer", "entries.") if "issuer" in entry else "",
            time(entry, "compromisedSince", "entries.") if "compromisedSince" in entry else None,
        )

    def to_json(self) -> dict[str, Any]:
        """As written."""
        written = {"kind": self.kind, "value": self.value, "reason": self.reason}
        if self.issuer:
            written["issuer"] = self.issuer
        if self.compromised_since is not None:
            written["compromisedSince"] = format_time(self.compromised_since)
        return written


@dataclass(frozen=True, slots=True)
class RevocationList:
    """
    `sequence` only grows: an older list is not put in force again.

    `digest` is the subject of the statement: of the RFC 8785 form of `entries`, as they are written.
    """

    sequence: int
    issued: datetime
    expires: datetime
    entries: tuple[Entry, ...]
    digest: Digest

    @classmethod
    def of(
        cls, sequence: int, issued: datetime, expires: datetime, entries: tuple[Entry, ...]
    ) -> RevocationList:
        """A list of our own making."""
        written = [entry.to_json() for entry in entries]
        return cls(sequence, issued, expires, entries, Digest.of(canonical.dumps(written)))

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> RevocationList:
        """From a verified predicate; the subject is the caller's to compare with `digest`."""
        refuse_unknown_critical(predicate)
        entries = predicate.get("entries")
        if not isinstance(entries, list):
            raise invalid("entries is not a list")
        try:
            digest = Digest.of(canonical.dumps(entries))
        except InputError as error:
            raise invalid(f"entries: {error.message}") from error
        return cls(
            sequence=number(predicate, "sequence"),
            issued=time(predicate, "issued"),
            expires=time(predicate, "expires"),
            entries=tuple(map(Entry.parse, entries)),
            digest=digest,
        )

    def compose(self) -> bytes:
        """The predicate's text."""
        return strictjson.dumps(
            {
                "sequence": self.sequence,
                "issued": format_time(self.issued),
                "expires": format_time(self.expires),
                "entries": [entry.to_json() for entry in self.entries],
                "critical": [],
            }
        )


def _hex(value: str) -> str:
    """Of a digest with or without its algorithm. Another spelling would match nothing, unnoticed."""
    try:
        return Digest.parse(value if ":" in value else f"sha256:{value}").hex
    except InputError as error:
        raise invalid(error.message) from error


def _refuse_no_glob(value: str) -> None:
    try:
        Glob.parse(value)
    except InputError as error:
        raise invalid(error.message) from error


def _is_key_id(value: str) -> bool:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 32 and base64.b64encode(raw).decode() == value
