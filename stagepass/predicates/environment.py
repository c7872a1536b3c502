"""Where a statement is from: cluster by name and UID, namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.predicates.members import mapping, text


@dataclass(frozen=True, slots=True)
class Environment:
    """`cluster` is its name; `uid` that of its kube-system namespace, names being reused."""

    cluster: str
    uid: str | None = None
    namespace: str | None = None

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> Environment:
        """From the member `environment`."""
        environment = mapping(predicate, "environment")
        return cls(
            cluster=text(environment, "clusterName", "environment."),
            uid=_optional(environment, "cluster"),
            namespace=_optional(environment, "namespace"),
        )

    def to_json(self) -> dict[str, str]:
        """As written, without what is not known."""
        members = {"cluster": self.uid, "clusterName": self.cluster, "namespace": self.namespace}
        return {name: value for name, value in members.items() if value is not None}


def _optional(environment: Mapping[str, Any], name: str) -> str | None:
    """Only recorded, so a strange value is no value; where a UID is asked for, none is a mismatch."""
    value = environment.get(name)
    return value if isinstance(value, str) else None
