"""
What `Application` objects ask for, and which of several for the same stage counts. Pure.

They can hold an application up, slow it down and ask for more health: what is applied comes from
policy alone (DESIGN section 8).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from applier.application import name_of
from applier.failure import Reason
from applier.health_status import text, whole
from applier.rules import entries, members
from stagepass.clock import parse_duration
from stagepass.errors import InputError

_SHORTEST, _LONGEST = timedelta(seconds=5), timedelta(hours=1)
_MAX_CHECKS = 20


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """An object that must be healthy too."""

    api_version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """What people want of an application. Without any object: nothing special."""

    suspended: bool = False
    interval: timedelta | None = None
    checks: tuple[HealthCheck, ...] = ()
    redriven: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One `Application` object; `status` is the one it has."""

    name: str
    uid: str
    created: str
    generation: int
    pipeline: str
    stage: str
    wishes: Wishes
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def application(self) -> str:
        """The application it is about, should there be one."""
        return name_of(self.pipeline, self.stage)

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Record:
        """From the object. What the schema would refuse is not obeyed, except that it can suspend."""
        metadata, spec = members(item.get("metadata")), members(item.get("spec"))
        checks = (
            HealthCheck(
                *(text(each.get(key)) for key in ("apiVersion", "kind", "namespace", "name"))
            )
            for each in entries(spec.get("healthChecks"))[:_MAX_CHECKS]
        )
        return cls(
            name=text(metadata.get("name")),
            uid=text(metadata.get("uid")),
            created=text(metadata.get("creationTimestamp")),
            generation=whole(metadata.get("generation")),
            pipeline=text(spec.get("pipeline")),
            stage=text(spec.get("stage")),
            wishes=Wishes(
                suspended=spec.get("suspend") not in (None, False),
                interval=_interval(spec.get("interval")),
                checks=tuple(checks),
            ),
            status=members(item.get("status")),
        )


@dataclass(frozen=True, slots=True)
class Sorted:
    """`chosen` by application; `refused` are the others, each with why and a sentence."""

    chosen: Mapping[str, Record]
    refused: tuple[tuple[Record, Reason, str], ...]


def sort(records: Iterable[Record], known: Collection[str]) -> Sorted:
    """The oldest record for each application that policy gives to this cluster (`known`)."""
    chosen: dict[str, Record] = {}
    refused: list[tuple[Record, Reason, str]] = []
    for record in sorted(records, key=lambda each: (each.created, each.name)):
        older = chosen.get(record.application)
        if record.application not in known:
            message = f"policy gives this cluster no source for {record.application}"
            refused.append((record, Reason.SOURCE_MISSING, message))
        elif older is not None:
            message = f"{older.name} is older and names {record.application} too"
            refused.append((record, Reason.DUPLICATE_APPLICATION, message))
        else:
            chosen[record.application] = record
    return Sorted(chosen, tuple(refused))


def _interval(value: object) -> timedelta | None:
    try:
        span = parse_duration(value)
    except InputError:
        return None
    return min(max(span, _SHORTEST), _LONGEST)
