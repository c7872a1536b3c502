"""`stage-passed/v1`: "this digest passed this stage"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stagepass import __version__, strictjson
from stagepass.clock import format_time
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import (
    STAGE_PASSED,
    mapping,
    refuse_unknown_critical,
    text,
    time,
)
from stagepass.predicates.named_release import NamedRelease

PASSED = "PASSED"


@dataclass(frozen=True, slots=True)
class StagePassed:
    """The checked fields. `observed` is the watched span (from, to), None where nobody watched."""

    pipeline: str
    stage: str
    environment: Environment
    result: str
    time_verified: datetime
    expires: datetime
    observed: tuple[datetime, datetime] | None
    release: NamedRelease | None = None

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> StagePassed:
        """From a verified predicate."""
        refuse_unknown_critical(predicate)
        return cls(
            pipeline=text(predicate, "pipeline"),
            stage=text(predicate, "stage"),
            environment=Environment.parse(predicate),
            result=text(predicate, "verificationResult"),
            time_verified=time(predicate, "timeVerified"),
            expires=time(predicate, "expires"),
            observed=_observed(predicate),
            release=NamedRelease.parse(predicate),
        )


@dataclass(frozen=True, slots=True)
class PassDetails:
    """What the signer of a pass knows. `source` is (URI, commit); `inputs` are hex payload digests."""

    pipeline: str
    stage: str
    environment: Environment
    observed: tuple[datetime, datetime] | None = None
    source: tuple[str, str] | None = None
    policy_revision: str | None = None
    inputs: tuple[str, ...] = ()
    release: NamedRelease | None = None

    def compose(self, *, image: str, now: datetime, valid_for: timedelta) -> bytes:
        """The predicate's text about `image` (`repository@digest`), signed at `now`."""
        predicate: dict[str, Any] = {
            "verifier": {"id": "https://stagepass.dev/cli", "version": {"stagepass": __version__}},
            "pipeline": self.pipeline,
            "stage": self.stage,
            "environment": self.environment.to_json(),
        }
        if self.observed:
            start, end = self.observed
            soak = int((end - start).total_seconds())
            span = {"from": format_time(start), "to": format_time(end), "soakSeconds": soak}
            predicate["observed"] = span
        if self.source:
            uri, commit = self.source
            predicate["source"] = {"uri": uri, "digest": {"gitCommit": commit}}
        if self.release:
            predicate["release"] = self.release.to_json()
        return strictjson.dumps(
            {
                **predicate,
                "resourceUri": f"oci://{image}",
                **recorded(self.policy_revision, self.inputs),
                "verificationResult": PASSED,
                "timeVerified": format_time(now),
                "expires": format_time(now + valid_for),
                "critical": [],
            }
        )


def recorded(policy_revision: str | None, inputs: tuple[str, ...]) -> dict[str, Any]:
    """The policy a signer checked against, and the passes it relied on: for audit, never compared."""
    members: dict[str, Any] = {}
    if policy_revision:
        members["policy"] = {"digest": {"sha256": policy_revision}}
    if inputs:
        members["inputAttestations"] = [
            {"uri": STAGE_PASSED, "digest": {"sha256": digest}} for digest in inputs
        ]
    return members


def _observed(predicate: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    if "observed" not in predicate:
        return None
    observed = mapping(predicate, "observed")
    return time(observed, "from", "observed."), time(observed, "to", "observed.")
