"""What came of a load: every request in exactly one of a few columns."""

from __future__ import annotations

import json
import threading
import time
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
class Said:
    """
    A verdict. `text` is the whole answer; `begun` and `ended` are of the monotonic clock.

    `decision` is "" where an answer does not say it.
    """

    kind: Kind
    allowed: bool
    decision: str
    codes: str
    revision: str
    text: str
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What makes an answer right.

    `hidden`: the registry itself says there is nothing, so what it attests may be denied.
    `stricter`: revisions of the policy set under which every image must be denied.
    `known`: the only revisions there are; empty: any.
    """

    hidden: bool = False
    stricter: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def problem(self, said: Said) -> str:
        """What is wrong with it, "" for nothing. That the gate could not find out is never wrong."""
        if self.known and said.revision not in self.known:
            return f"judged by the set {said.revision!r}, which nobody wrote"
        must_be_denied = said.kind is Kind.UNATTESTED or said.revision in self.stricter
        if said.allowed:
            return "allowed" if must_be_denied else ""
        may_be_denied = must_be_denied or (said.kind is Kind.REGISTRY and self.hidden)
        return "" if may_be_denied or said.decision == "undetermined" else "denied"


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
            said = _said(kind, response, time.monotonic(), took)
            self.revisions.add(said.revision)
            if not said.allowed and said.decision == "undetermined":
                self.undetermined += 1
                self.held += kind is Kind.DIRECTORY
            if problem := self.rules.problem(said):
                self.wrong.append(f"{kind.value}: {problem}: {said.text[:400]}")

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


def _said(kind: Kind, response: dict[str, Any], ended: float, took: float) -> Said:
    notes = response.get("auditAnnotations", {})
    return Said(
        kind,
        response["allowed"],
        notes.get("decision", ""),
        notes.get("codes", ""),
        notes.get("policy-revision", ""),
        json.dumps(response),
        ended - took,
        ended,
    )


def _response(uid: str, status: int, body: bytes) -> dict[str, Any] | None:
    """The verdict on the review `uid`, None where this is none."""
    try:
        response = json.loads(body)["response"]
    except (ValueError, KeyError, TypeError):
        return None
    whole = status == 200 and response.get("uid") == uid and type(response.get("allowed")) is bool
    return dict(response) if whole else None
