"""`stage-entered/v1`: "this digest was admitted to this place when the clock allowed it"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stagepass import strictjson
from stagepass.clock import format_time
from stagepass.digest import Digest
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import optional_time, refuse_unknown_critical, text, time
from stagepass.predicates.named_release import release_digest, release_member
from stagepass.predicates.passed import recorded


@dataclass(frozen=True, slots=True)
class StageEntered:
    """A receipt. It makes no pass; it lets what once entered stay (DESIGN section 4)."""

    pipeline: str
    stage: str
    environment: Environment
    entered: datetime
    expires: datetime | None
    release: Digest | None = None

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> StageEntered:
        """From a verified predicate."""
        refuse_unknown_critical(predicate)
        return cls(
            pipeline=text(predicate, "pipeline"),
            stage=text(predicate, "stage"),
            environment=Environment.parse(predicate),
            entered=time(predicate, "entered"),
            expires=optional_time(predicate, "expires"),
            release=release_digest(predicate),
        )

    def compose(self, policy_revision: str | None, inputs: tuple[str, ...]) -> bytes:
        """The predicate's text."""
        release = {"release": release_member(self.release)} if self.release else {}
        ends = {"expires": format_time(self.expires)} if self.expires else {}
        return strictjson.dumps(
            {
                "pipeline": self.pipeline,
                "stage": self.stage,
                "environment": self.environment.to_json(),
                "entered": format_time(self.entered),
                **ends,
                **release,
                **recorded(policy_revision, inputs),
                "critical": [],
            }
        )
