"""
Adding to a list that lies under a tag, where every writer replaces the whole of it.

Registries cannot compare and swap (docker-registry 2.8.2 ignores If-Match), so of two writers that
read the same list the later one takes away what the earlier added: 8 parallel `cosign attest` left
2 to 4 of 8 (cosign-proof section 1.7). So each writer puts back whatever it ever saw there, and
goes away only after nobody has changed the list for longer than a writer takes from GET to PUT.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from stagepass.evidence import Deadline
from stagepass.registry.replies import ServerError, unavailable

Entry = dict[str, Any]
"""A descriptor as JSON, whole: what we do not understand in another's entry is not ours to drop."""
Document = dict[str, Any]
"""An index or a manifest, whole for the same reason; empty where there is no such tag."""

# Seconds. A list is settled when it has not changed for `_QUIET`, or for `_CALM` times the slowest
# GET and PUT of ours where that is longer; what was read more than `_FRESH` ago is read again
# before it is written over.
_QUIET, _CALM, _FRESH = 1.0, 4.0, 0.05
_SHORTEST_PAUSE, _JITTER = 0.05, 0.2
# docker-registry answers 500 for a tag that is being written just now: its files are not replaced
# but emptied and filled.
_MAX_ERRORS = 8


class TaggedList(Protocol):
    """A document under a tag, and the list in it. Methods raise `Unavailable`."""

    def __str__(self) -> str:
        """What it is, for messages."""
        ...

    def read(self, deadline: Deadline) -> tuple[Document, list[Entry]]:
        """The document and its list. Raises for what is no such document: it is not written over."""
        ...

    def prepare(self, document: Document, entries: list[Entry], deadline: Deadline) -> bytes:
        """The document with this list in place of its own; what it names is stored afterwards."""
        ...

    def write(self, body: bytes, deadline: Deadline) -> None:
        """Put a document in place of the one that is there."""
        ...


def append(target: TaggedList, entry: Entry, deadline: Deadline) -> None:
    """
    Add `entry` (with a digest) and return once it is there and nothing that was there is lost.

    Takes a second at least, unless the entry was there already. Raises `Unavailable`, also where the
    entry is not there when the deadline has passed.
    """
    writer = _Writer(target, {_key(entry): entry})
    if writer.look(deadline):
        return
    while not writer.is_done(deadline):
        time.sleep(_SHORTEST_PAUSE + _JITTER * secrets.randbelow(1000) / 1000)
        writer.look(deadline)


@dataclass(slots=True)
class _Writer:
    """
    `seen` is every entry there ever was, and ours; `there` are the keys found at the last look.

    `changed_at` (monotonic) is when the list last changed; `slowest` (seconds) is our slowest GET
    together with the PUT after it, `errors` how many looks in a row the registry has failed.
    """

    target: TaggedList
    seen: dict[str, Entry]
    there: frozenset[str] = frozenset()
    changed_at: float = field(default_factory=time.monotonic)
    slowest: float = 0.0
    errors: int = 0

    def look(self, deadline: Deadline) -> bool:
        """Read the list and put back what is lost; whether nothing was. Raises `Unavailable`."""
        started = time.monotonic()
        try:
            is_whole = self._mend(deadline)
            self.errors = 0
        except ServerError:
            is_whole, self.errors = False, self.errors + 1
            self.there, self.changed_at = frozenset(), time.monotonic()
            if self.errors >= _MAX_ERRORS:
                raise
        self.slowest = max(self.slowest, time.monotonic() - started)
        return is_whole

    def is_done(self, deadline: Deadline) -> bool:
        """
        Whether nobody has changed the list for long enough, or there is no more time to wait.

        Raises `Unavailable` where there is none, and the list is not whole.
        """
        is_whole = self.seen.keys() <= self.there
        quiet = max(_QUIET, _CALM * self.slowest)
        if time.monotonic() + _SHORTEST_PAUSE + _JITTER + self.slowest < deadline.at:
            return is_whole and time.monotonic() - self.changed_at >= quiet
        if is_whole:
            return True
        raise unavailable(f"{self.target} is overwritten again and again: not all of it is there")

    def _read(self, deadline: Deadline) -> tuple[Document, dict[str, Entry]]:
        document, entries = self.target.read(deadline)
        found = {_key(entry): entry for entry in entries}
        self.seen = {**self.seen, **found}
        if found.keys() != self.there:
            self.there, self.changed_at = frozenset(found), time.monotonic()
        return document, found

    def _mend(self, deadline: Deadline) -> bool:
        document, found = self._read(deadline)
        lost = sorted(self.seen.keys() - found.keys())
        if not lost:
            return True
        read_at = time.monotonic()
        entries = [*found.values(), *(self.seen[key] for key in lost)]
        body = self.target.prepare(document, entries, deadline)
        if time.monotonic() - read_at < _FRESH or self._read(deadline)[1].keys() == found.keys():
            self.target.write(body, deadline)
            self.changed_at = time.monotonic()
        return False


def _key(entry: Entry) -> str:
    return str(entry.get("digest"))
