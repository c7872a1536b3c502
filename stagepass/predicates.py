"""Our own predicate types: their names, and `stage-passed/v1` field by field (predicates.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stagepass import __version__, strictjson
from stagepass.clock import format_time, parse_time
from stagepass.decision import Code
from stagepass.errors import AttestationError, InputError

STAGE_PASSED = "https://stagepass.dev/attestation/stage-passed/v1"

# Every member predicates.md documents is understood; any other name in `critical` is not.
_UNDERSTOOD = frozenset(
    {
        *("verifier", "pipeline", "stage", "environment", "observed", "source", "release"),
        *("resourceUri", "policy", "inputAttestations", "verificationResult"),
        *("timeVerified", "expires", "serial", "critical"),
    }
)


@dataclass(frozen=True, slots=True)
class StagePassed:
    """
    "This digest passed this stage": the checked fields of a `stage-passed/v1` predicate.

    `observed` is the watched span (from, to), absent where nobody watched.
    """

    pipeline: str
    stage: str
    cluster: str
    result: str
    time_verified: datetime
    expires: datetime
    observed: tuple[datetime, datetime] | None

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> StagePassed:
        """Raises `AttestationError` with `STATEMENT_INVALID`, naming the field."""
        _refuse_unknown_critical(predicate)
        return cls(
            pipeline=_text(predicate, "pipeline"),
            stage=_text(predicate, "stage"),
            cluster=_text(_mapping(predicate, "environment"), "clusterName", "environment."),
            result=_text(predicate, "verificationResult"),
            time_verified=_time(predicate, "timeVerified"),
            expires=_time(predicate, "expires"),
            observed=_observed(predicate),
        )


@dataclass(frozen=True, slots=True)
class PassDetails:
    """What the signer of a pass knows. Only recorded, never compared: namespace, UID, source, policy."""

    pipeline: str
    stage: str
    cluster: str
    cluster_uid: str | None = None
    namespace: str | None = None
    observed: tuple[datetime, datetime] | None = None
    source: tuple[str, str] | None = None
    policy_revision: str | None = None
    inputs: tuple[str, ...] = ()


def compose_pass(details: PassDetails, *, image: str, now: datetime, valid_for: timedelta) -> bytes:
    """The text of a `stage-passed/v1` predicate, about `image` (`repository@digest`), signed at `now`."""
    environment = {
        "cluster": details.cluster_uid,
        "clusterName": details.cluster,
        "namespace": details.namespace,
    }
    predicate: dict[str, Any] = {
        "verifier": {"id": "https://stagepass.dev/cli", "version": {"stagepass": __version__}},
        "pipeline": details.pipeline,
        "stage": details.stage,
        "environment": {name: value for name, value in environment.items() if value is not None},
    }
    if details.observed:
        start, end = details.observed
        soak = int((end - start).total_seconds())
        predicate["observed"] = {
            "from": format_time(start),
            "to": format_time(end),
            "soakSeconds": soak,
        }
    if details.source:
        uri, commit = details.source
        predicate["source"] = {"uri": uri, "digest": {"gitCommit": commit}}
    predicate["resourceUri"] = f"oci://{image}"
    if details.policy_revision:
        predicate["policy"] = {"digest": {"sha256": details.policy_revision}}
    if details.inputs:
        predicate["inputAttestations"] = [
            {"uri": STAGE_PASSED, "digest": {"sha256": digest}} for digest in details.inputs
        ]
    return strictjson.dumps(
        {
            **predicate,
            "verificationResult": "PASSED",
            "timeVerified": format_time(now),
            "expires": format_time(now + valid_for),
            "critical": [],
        }
    )


def _refuse_unknown_critical(predicate: Mapping[str, Any]) -> None:
    critical = predicate.get("critical", [])
    if not isinstance(critical, list) or not all(isinstance(name, str) for name in critical):
        raise _invalid("critical is not a list of member names")
    if unknown := set(critical) - _UNDERSTOOD:
        raise _invalid(f"critical names {sorted(unknown)}, which this version does not understand")


def _observed(predicate: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    if "observed" not in predicate:
        return None
    observed = _mapping(predicate, "observed")
    return _time(observed, "from", "observed."), _time(observed, "to", "observed.")


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise _invalid(f"{name} is not an object")
    return value


def _text(parent: Mapping[str, Any], name: str, prefix: str = "") -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise _invalid(f"{prefix}{name} is missing")
    return value


def _time(parent: Mapping[str, Any], name: str, prefix: str = "") -> datetime:
    try:
        return parse_time(parent.get(name))
    except InputError as error:
        raise _invalid(f"{prefix}{name}: {error}") from error


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.STATEMENT_INVALID, f"stage-passed/v1: {message}")
