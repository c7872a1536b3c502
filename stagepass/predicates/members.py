"""Members that several predicate types share, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stagepass.clock import parse_time
from stagepass.decision import Code
from stagepass.errors import AttestationError, InputError
from stagepass.stage import Place

BASE = "https://stagepass.dev/attestation"
STAGE_PASSED = f"{BASE}/stage-passed/v1"
STAGE_ENTERED = f"{BASE}/stage-entered/v1"
APPROVAL = f"{BASE}/approval/v1"
BREAK_GLASS = f"{BASE}/break-glass/v1"
REVOCATION_LIST = f"{BASE}/revocation-list/v1"
POLICY_SET = f"{BASE}/policy-set/v1"

# Every member that predicates.md documents is understood, whichever type has it.
_UNDERSTOOD = frozenset(
    {
        *("verifier", "pipeline", "stage", "environment", "observed", "source", "release"),
        *("resourceUri", "policy", "inputAttestations", "verificationResult", "timeVerified"),
        *("expires", "serial", "critical", "entered", "decision", "scope", "reviewed", "request"),
        *("reason", "timeApproved", "nonce", "issued", "incident", "sequence", "previous"),
        *("entries", "files", "path", "renderer", "resources", "images", "imageSet", "objects"),
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a person's statement is about. None means all clusters, or namespaces, of the stage."""

    pipeline: str
    stage: str
    clusters: frozenset[str] | None
    namespaces: frozenset[str] | None

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> Scope:
        """From the member `scope`."""
        scope = mapping(predicate, "scope")
        return cls(
            pipeline=text(scope, "pipeline", "scope."),
            stage=text(scope, "stage", "scope."),
            clusters=_names(scope, "clusters"),
            namespaces=_names(scope, "namespaces"),
        )

    def to_json(self) -> dict[str, Any]:
        """As written: an absent list stands for all."""
        lists = {"clusters": self.clusters, "namespaces": self.namespaces}
        given = {name: sorted(names) for name, names in lists.items() if names is not None}
        return {"pipeline": self.pipeline, "stage": self.stage, **given}

    def covers(self, pipeline: str, stage: str, place: Place) -> bool:
        """Whether it speaks of this stage and this place."""
        return (
            (self.pipeline, self.stage) == (pipeline, stage)
            and (self.clusters is None or place.cluster in self.clusters)
            and (self.namespaces is None or place.namespace in self.namespaces)
        )


def refuse_unknown_critical(predicate: Mapping[str, Any]) -> None:
    """A reader that does not understand a member its writer called critical must not go on."""
    critical = predicate.get("critical", [])
    if not isinstance(critical, list) or not all(isinstance(name, str) for name in critical):
        raise invalid("critical is not a list of member names")
    if unknown := set(critical) - _UNDERSTOOD:
        raise invalid(f"critical names {sorted(unknown)}, which this version does not understand")


def mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The member `name`, an object."""
    value = parent.get(name)
    if not isinstance(value, dict):
        raise invalid(f"{name} is not an object")
    return value


def text(parent: Mapping[str, Any], name: str, prefix: str = "") -> str:
    """The member `name`, text that is not empty."""
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"{prefix}{name} is missing")
    return value


def time(parent: Mapping[str, Any], name: str, prefix: str = "") -> datetime:
    """The member `name`, an RFC 3339 time in UTC."""
    try:
        return parse_time(parent.get(name))
    except InputError as error:
        raise invalid(f"{prefix}{name}: {error}") from error


def optional_time(parent: Mapping[str, Any], name: str) -> datetime | None:
    """The member `name`, or None where it is absent."""
    return time(parent, name) if name in parent else None


def number(parent: Mapping[str, Any], name: str) -> int:
    """The member `name`, a count."""
    value = parent.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid(f"{name} is not a count")
    return value


def invalid(message: str) -> AttestationError:
    """A statement that does not say what its type wants."""
    return AttestationError(Code.STATEMENT_INVALID, message)


def _names(scope: Mapping[str, Any], name: str) -> frozenset[str] | None:
    if name not in scope:
        return None
    value = scope[name]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise invalid(f"scope.{name} is not a list of names")
    return frozenset(value)
