"""What came of a load: every request in exactly one of a few columns."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

GRANTED_SECONDS = 10.0
"""What a client grants an answer: `?timeout=10s`, and no API server waits longer."""
_NOTICE_SECONDS = 1.0
"""That a client on a busy machine may need to see that its connection has ended."""

Window = tuple[float, float]
"""From when to when a fault cuts connections, in seconds of the monotonic clock."""


class Kind(Enum):
    """What is known of an image, and so what an answer about it may be."""

    DIRECTORY = "attested by directory"
    REGISTRY = "attested in the registry"
    UNATTESTED = "unattested"


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What else makes an answer right.

    `hidden`: the registry itself says there is nothing, so what it attests may be denied.
    `stricter`: revisions of the policy set under which every image must be denied.
    `known`: the only revisions there are; empty: any.
    """

    hidden: bool = False
    stricter: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()


@dataclass(slots=True)
class Tally:
    """
    Thread-safe. `slowest` in seconds, of the explicit answers; instants are of the monotonic clock.

    `held`: images attested by directory of which the gate said it could not find out. `broken`: when
    the connection of a failed request was begun, when it failed, and how.
    """

    rules: Rules = field(default_factory=Rules)
    sent: int = 0
    explicit: int = 0
    undetermined: int = 0
    held: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    broken: list[tuple[float, float, str]] = field(default_factory=list)
    revisions: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, kind: Kind, uid: str, status: int, body: bytes, took: float) -> None:
        """Count an HTTP answer that took `took` seconds; what is no verdict on `uid` is odd."""
        response = _response(uid, status, body)
        with self._lock:
            if response is None or took > GRANTED_SECONDS:
                self.odd.append(f"{status} after {took:.1f} s: {body[:200]!r}")
                return
            self.explicit += 1
            self.slowest = max(self.slowest, took)
            notes = response.get("auditAnnotations", {})
            self.revisions.add(notes.get("policy-revision", ""))
            if problem := self._judge(kind, response["allowed"], notes):
                self.wrong.append(f"{kind.value}: {problem}: {json.dumps(response)[:400]}")

    def failed(self, begun: float, at: float, error: Exception) -> None:
        """Count a request that got no answer."""
        with self._lock:
            self.broken.append((begun, at, f"{type(error).__name__}: {error}"))

    def cut(self, windows: Iterable[Window]) -> int:
        """How many failed in one of `windows`, or just after, on a connection that it found open."""
        spans = list(windows)
        return sum(
            any(begun <= end and start <= at <= end + _NOTICE_SECONDS for start, end in spans)
            for begun, at, _ in self.broken
        )

    def _judge(self, kind: Kind, allowed: bool, notes: dict[str, str]) -> str:
        revision, decision = notes.get("policy-revision", ""), notes.get("decision")
        if self.rules.known and revision not in self.rules.known:
            return f"judged by the set {revision!r}, which nobody wrote"
        if allowed:
            bad = kind is Kind.UNATTESTED or revision in self.rules.stricter
            return "allowed" if bad else ""
        if decision == "undetermined":
            self.undetermined += 1
            self.held += kind is Kind.DIRECTORY
            return ""
        may_be_denied = (
            kind is Kind.UNATTESTED
            or revision in self.rules.stricter
            or (kind is Kind.REGISTRY and self.rules.hidden)
        )
        return "" if may_be_denied else "denied"


def _response(uid: str, status: int, body: bytes) -> dict[str, Any] | None:
    """The verdict on the review `uid`, None where this is none."""
    try:
        response = json.loads(body)["response"]
    except (ValueError, KeyError, TypeError):
        return None
    whole = status == 200 and response.get("uid") == uid and type(response.get("allowed")) is bool
    return dict(response) if whole else None
