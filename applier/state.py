"""
What the applier knows of one application between two steps, as data. Pure.

It lies in an object of the applier's own namespace, never where a tenant writes. Times are whole
seconds, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from applier.failure import Failure, Missing, Reason
from applier.inventory import Inventory
from applier.soak import Soak
from stagepass import strictjson
from stagepass.clock import format_time, parse_time
from stagepass.errors import AttestationError, InputError
from stagepass.predicates.named_release import NamedRelease

_FORMAT = 1
_MAX_BYTES = 8 << 20
_MAX_DEPTH = 12
MAX_SUPERSEDED = 50
"""How many overtaken revisions are listed; the Git history has them all."""


@dataclass(frozen=True, slots=True)
class Version:
    """A revision as an application sees it: the commit, and the tree of its directory there."""

    commit: str
    tree: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A revision that was overtaken before it passed, by which commit and when."""

    version: Version
    by: str
    at: datetime
    phase: str

    def to_document(self) -> dict[str, Any]:
        """One flat object: the version's members, `by`, `at` and `phase`."""
        found = _version(self.version) or {}
        return {**found, "by": self.by, "at": format_time(self.at), "phase": self.phase}


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    Why the application stands still. `attempts` counts only failures, never waiting.

    `retry` is when it is tried again, None where only an event can change it. `dead` says that a dead
    letter was written for `version`.
    """

    reason: Reason
    message: str
    objects: tuple[str, ...]
    version: Version
    attempts: int
    first: datetime
    last: datetime
    retry: datetime | None = None
    dead: bool = False
    missing: tuple[Missing, ...] = ()

    @classmethod
    def of(
        cls, failure: Failure, version: Version, now: datetime, before: Trouble | None
    ) -> Trouble:
        """The next one after `before`: the same reason on the same version counts on."""
        same = before is not None and (before.reason, before.version) == (failure.reason, version)
        return cls(
            reason=failure.reason,
            message=failure.message,
            objects=failure.objects,
            version=version,
            attempts=(before.attempts if before and same else 0) + 1,
            first=before.first if before and same else now,
            last=now,
            dead=before.dead if before and same else False,
            missing=failure.missing,
        )


@dataclass(frozen=True, slots=True)
class State:
    """
    `applied` is what was applied whole, at `applied_at`; `attempted` what the last attempt was for.

    `native` says that every image of `applied` was admitted by its evidence, without an exception.
    `healthy_since` is the start of unbroken health, None while there is none, and `soak` what ran
    meanwhile, without the time of the last look. `passed` is the version
    for which every pass is signed and read back. `apply` is the source's rule for one invalid object
    among many, "" before the first step. `admitted_until` is when the evidence of `applied` no longer
    admits it, receipts counted in, as far as that was foreseen; None where it sees no end. `release`
    is the signed one of `applied`, where its stage looks at releases and one was found; `unreleased`
    says why none was.
    """

    inventory: Inventory = field(default_factory=Inventory)
    applied: Version | None = None
    applied_at: datetime | None = None
    attempted: Version | None = None
    native: bool = False
    healthy_since: datetime | None = None
    soak: Soak = field(default_factory=Soak)
    passed: Version | None = None
    passed_at: datetime | None = None
    trouble: Trouble | None = None
    superseded: tuple[Superseded, ...] = ()
    apply: str = ""
    admitted_until: datetime | None = None
    release: NamedRelease | None = None
    unreleased: str = ""

    def overtaken(self, version: Version, by: Version, now: datetime, phase: str) -> State:
        """With one more overtaken revision on its list; each stands there once."""
        if any(entry.version.commit == version.commit for entry in self.superseded):
            return self
        entry = Superseded(version, by.commit, now, phase)
        return replace(self, superseded=(*self.superseded, entry)[-MAX_SUPERSEDED:])

    def to_json(self) -> str:
        """One line, the same for the same state."""
        return strictjson.dumps(
            {
                "format": _FORMAT,
                "inventory": self.inventory.to_json(),
                "applied": _version(self.applied),
                "appliedAt": _time(self.applied_at),
                "attempted": _version(self.attempted),
                "native": self.native,
                "healthySince": _time(self.healthy_since),
                "soak": self.soak.to_json(),
                "passed": _version(self.passed),
                "passedAt": _time(self.passed_at),
                "trouble": _trouble(self.trouble),
                "superseded": [entry.to_document() for entry in self.superseded],
                "apply": self.apply,
                "admittedUntil": _time(self.admitted_until),
                "release": self.release.to_json() if self.release else None,
                "unreleased": self.unreleased,
            }
        ).decode()

    @classmethod
    def from_json(cls, text: str) -> State:
        """Raises `InputError`: a state that cannot be read is never taken for an empty one."""
        document = strictjson.loads_object(
            text.encode(), max_bytes=_MAX_BYTES, max_depth=_MAX_DEPTH
        )
        if document.get("format") != _FORMAT:
            raise InputError(f"a state of another format than {_FORMAT}")
        try:
            return cls(
                inventory=Inventory.from_json(document["inventory"]),
                applied=_read_version(document["applied"]),
                applied_at=_read_time(document["appliedAt"]),
                attempted=_read_version(document["attempted"]),
                native=document["native"] is True,
                healthy_since=_read_time(document["healthySince"]),
                soak=Soak.from_json(document["soak"]),
                passed=_read_version(document["passed"]),
                passed_at=_read_time(document["passedAt"]),
                trouble=_read_trouble(document["trouble"]),
                superseded=tuple(map(_read_superseded, document["superseded"])),
                apply=document.get("apply", ""),
                admitted_until=_read_time(document.get("admittedUntil")),
                release=_read_release(document),
                unreleased=document.get("unreleased", ""),
            )
        except (AttestationError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"a state without a whole {error}") from error


def _version(version: Version | None) -> dict[str, str] | None:
    if version is None:
        return None
    return {"commit": version.commit, "tree": version.tree, "subject": version.subject}


def _read_version(value: Mapping[str, Any] | None) -> Version | None:
    return None if value is None else Version(value["commit"], value["tree"], value["subject"])


def _read_release(document: Mapping[str, Any]) -> NamedRelease | None:
    return NamedRelease.parse(document) if document.get("release") is not None else None


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _read_time(value: Any) -> datetime | None:
    return None if value is None else parse_time(value)


def _trouble(trouble: Trouble | None) -> dict[str, Any] | None:
    if trouble is None:
        return None
    return {
        "reason": trouble.reason.name,
        "message": trouble.message,
        "objects": list(trouble.objects),
        "version": _version(trouble.version),
        "attempts": trouble.attempts,
        "first": _time(trouble.first),
        "last": _time(trouble.last),
        "retry": _time(trouble.retry),
        "dead": trouble.dead,
        "missing": [each.to_document() for each in trouble.missing],
    }


def _read_trouble(value: Mapping[str, Any] | None) -> Trouble | None:
    if value is None:
        return None
    return Trouble(
        reason=Reason[value["reason"]],
        message=value["message"],
        objects=tuple(value["objects"]),
        version=Version(**value["version"]),
        attempts=value["attempts"],
        first=parse_time(value["first"]),
        last=parse_time(value["last"]),
        retry=_read_time(value["retry"]),
        dead=value["dead"] is True,
        missing=tuple(Missing(**each) for each in value.get("missing", ())),
    )


def _read_superseded(value: Mapping[str, Any]) -> Superseded:
    version = Version(value["commit"], value["tree"], value["subject"])
    return Superseded(version, value["by"], parse_time(value["at"]), value["phase"])
