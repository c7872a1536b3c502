"""
Dead letters: versions that were given up, as data, and when one has lost its cause. Pure.

The name comes from what the letter is about alone, so that writing it again, after a kill or a lost
answer, neither doubles nor loses one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from applier.failure import Kind, Phase, Reason
from applier.rules import members
from applier.state import State, Trouble, Version
from stagepass.clock import format_time, parse_time
from stagepass.errors import InputError

_UNSAFE = re.compile(r"[^a-z0-9]+", re.ASCII)
_ORDER = tuple(Phase)
_MAX_BECAUSE = 512


class LetterState(StrEnum):
    """Whether anybody has to look."""

    OPEN = "Open"
    RESOLVED = "Resolved"
    CLOSED = "Closed"


@dataclass(frozen=True, slots=True)
class Letter:
    """
    One version of one application that was given up for one reason.

    `redrive` is what a person asked for last, `redriven` what was acted on last; `closing` is a
    person's reason to close it. `because` says why it is not open any more.
    """

    application: str
    reason: Reason
    version: Version
    state: LetterState
    message: str
    objects: tuple[str, ...]
    attempts: int
    first: datetime
    last: datetime
    because: str = ""
    redrive: str = ""
    redriven: str = ""
    closing: str = ""

    @classmethod
    def of(cls, application: str, trouble: Trouble) -> Letter:
        """A new one."""
        return cls(
            application=application,
            reason=trouble.reason,
            version=trouble.version,
            state=LetterState.OPEN,
            message=trouble.message,
            objects=trouble.objects,
            attempts=trouble.attempts,
            first=trouble.first,
            last=trouble.last,
        )

    @property
    def name(self) -> str:
        """The name of its object: readable, and never the same for two."""
        told = "\0".join(
            (self.application, self.reason.name, self.version.commit, self.version.tree)
        )
        digest = hashlib.sha256(told.encode()).hexdigest()[:10]
        safe = _UNSAFE.sub("-", f"{self.application}-{self.reason.name}".lower())[:60].strip("-")
        return f"{safe}-{self.version.commit[:7] or 'none'}-{digest}"

    @property
    def is_open(self) -> bool:
        """Whether it waits for somebody: not once a person closed it, noted already or not."""
        return self.state is LetterState.OPEN and not self.closing

    @property
    def is_redriven(self) -> bool:
        """Whether somebody asked for another try that was not begun yet."""
        return self.is_open and bool(self.redrive) and self.redrive != self.redriven

    def again(self, before: Letter | None) -> Letter:
        """As it is to be kept where `before` is there already; what was closed stays as it is."""
        if before is None:
            return self
        if before.closing or before.state is LetterState.CLOSED:
            return before
        first = min(self.first, before.first)
        return replace(self, first=first, redrive=before.redrive, redriven=before.redriven)

    def resolved(self, because: str) -> Letter:
        """Without a cause from now on."""
        return replace(self, state=LetterState.RESOLVED, because=because[:_MAX_BECAUSE])

    def closed(self) -> Letter:
        """As the person wished who wrote `closing`."""
        return replace(self, state=LetterState.CLOSED, because=self.closing[:_MAX_BECAUSE])

    def spec(self) -> dict[str, Any]:
        """What it is about; nothing in it ever changes."""
        version = self.version
        return {
            "application": self.application,
            "phase": str(self.reason.phase),
            "reason": self.reason.name,
            "revision": {
                "commit": version.commit,
                "tree": version.tree,
                "subject": version.subject,
            },
        }

    def status(self) -> dict[str, Any]:
        """What became of it, without conditions."""
        found = {
            "state": str(self.state),
            "message": self.message,
            "objects": list(self.objects),
            "attempts": self.attempts,
            "firstSeen": format_time(self.first),
            "lastSeen": format_time(self.last),
            "because": self.because,
            "redriven": self.redriven,
        }
        return {key: value for key, value in found.items() if value not in ("", [])}

    def to_document(self) -> dict[str, Any]:
        """For people and programs: everything, in one object."""
        document = {"name": self.name, **self.spec(), **self.status()}
        if self.is_redriven:
            document["redrive"] = self.redrive
        if self.closing:
            document["state"], document["because"] = str(LetterState.CLOSED), self.closing
        return document

    @classmethod
    def read(cls, spec: Mapping[str, Any], status: Mapping[str, Any]) -> Letter:
        """
        From the two halves of an object.

        A letter whose writing was cut off has no status yet: open, and without details. Raises
        `InputError` for what the applier never wrote.
        """
        try:
            revision = spec["revision"]
            first = parse_time(status.get("firstSeen", "1970-01-01T00:00:00Z"))
            return cls(
                application=spec["application"],
                reason=Reason[spec["reason"]],
                version=Version(
                    revision["commit"], revision["tree"], revision.get("subject") or ""
                ),
                state=LetterState(status.get("state", "Open")),
                message=status.get("message") or "",
                objects=tuple(status.get("objects") or ()),
                attempts=status.get("attempts") or 0,
                first=first,
                last=parse_time(status["lastSeen"]) if "lastSeen" in status else first,
                because=status.get("because") or "",
                redrive=spec.get("redrive") or "",
                redriven=status.get("redriven") or "",
                closing=members(spec.get("close")).get("reason") or "",
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a dead letter without a usable {error}") from error


def why_gone(letter: Letter, state: State) -> str:
    """Why the letter has no cause any more by what its application is now; "" where it has one."""
    trouble, version = state.trouble, letter.version
    by = next((s.by for s in state.superseded if s.version.commit == version.commit), None)
    if by is not None:
        return f"overtaken by {by}"
    if trouble is None:
        return "the application is as it should be" if state.applied is not None else ""
    if trouble.version != version:
        # Of all that stands in the way, waiting for what runs is told of last.
        is_last = trouble.reason.phase is Phase.WATCH and trouble.reason.kind is Kind.BLOCKED
        watched = is_last and trouble.version == state.applied
        return f"{trouble.version.commit} runs instead" if watched else ""
    if trouble.reason.kind is Kind.TRANSIENT or trouble.reason is letter.reason:
        return ""
    healthy = trouble.reason in (Reason.SOAKING, Reason.NOTHING_RAN, Reason.NOT_AS_RELEASED)
    later = _ORDER.index(trouble.reason.phase) > _ORDER.index(letter.reason.phase)
    return "another try got further" if later or healthy else ""
