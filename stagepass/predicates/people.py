"""What people sign: `approval/v1` and `break-glass/v1`. The signer is who approves, never a field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stagepass import strictjson
from stagepass.clock import format_time
from stagepass.digest import Digest
from stagepass.predicates.members import Scope, refuse_unknown_critical, text, time
from stagepass.predicates.named_release import release_digest, release_member

APPROVED = "APPROVED"


@dataclass(frozen=True, slots=True)
class Approval:
    """Counted by distinct owner of the signing key."""

    decision: str
    scope: Scope
    time_approved: datetime
    expires: datetime
    reason: str = ""
    release: Digest | None = None

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> Approval:
        """From a verified predicate."""
        refuse_unknown_critical(predicate)
        return cls(
            decision=text(predicate, "decision"),
            scope=Scope.parse(predicate),
            time_approved=time(predicate, "timeApproved"),
            expires=time(predicate, "expires"),
            release=release_digest(predicate),
        )

    def compose(self) -> bytes:
        """The predicate's text."""
        reason = {"reason": self.reason} if self.reason else {}
        release = {"release": release_member(self.release)} if self.release else {}
        return strictjson.dumps(
            {
                "decision": self.decision,
                "scope": self.scope.to_json(),
                **release,
                **reason,
                "timeApproved": format_time(self.time_approved),
                "expires": format_time(self.expires),
                "critical": [],
            }
        )


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """An emergency, bounded in time and scope; every use of it is told."""

    scope: Scope
    reason: str
    issued: datetime
    expires: datetime
    incident: str = ""

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> BreakGlass:
        """From a verified predicate."""
        refuse_unknown_critical(predicate)
        incident = predicate.get("incident")
        return cls(
            scope=Scope.parse(predicate),
            reason=text(predicate, "reason"),
            issued=time(predicate, "issued"),
            expires=time(predicate, "expires"),
            incident=incident if isinstance(incident, str) else "",
        )

    def compose(self) -> bytes:
        """The predicate's text."""
        incident = {"incident": self.incident} if self.incident else {}
        return strictjson.dumps(
            {
                "scope": self.scope.to_json(),
                "reason": self.reason,
                "issued": format_time(self.issued),
                "expires": format_time(self.expires),
                **incident,
                "critical": [],
            }
        )
