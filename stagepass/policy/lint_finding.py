"""What a lint rule says."""

from __future__ import annotations

from dataclasses import dataclass

from stagepass.policy.model import Pipeline, Stage


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`rule` is a stable name, `where` a part of the set, `message` what is wrong and what to do."""

    where: str
    rule: str
    message: str


def of_stages(pipeline: Pipeline, *stages: Stage) -> str:
    """`shop: test, staging`: where a finding about stages stands."""
    return f"{pipeline.name}: {', '.join(dict.fromkeys(stage.name for stage in stages))}"


def of_attestor(name: str) -> str:
    """Where a finding about an attestor stands."""
    return f"attestor {name}"
