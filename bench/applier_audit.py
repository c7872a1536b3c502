"""Requests as the API server itself recorded them: by whom, for what, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""
_WRITES = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered; times are UNIX seconds."""

    agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    received: float
    answered: float

    @property
    def writes(self) -> bool:
        """Whether it asked for a change, or rehearsed one."""
        return self.verb in _WRITES

    def wrote_in(self, namespace: str) -> bool:
        """Whether it changed, or rehearsed a change of, something there."""
        return self.writes and self.namespace == namespace and self.code < 300


class Audit:
    """The API server's audit log at the level Metadata."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """A place to read on from."""
        return self._path.stat().st_size

    def since(self, mark: int, agent: str) -> list[Request]:
        """What clients whose user agent begins so have asked since, in order of arrival."""
        found = [each for each in self._read(mark) if each.agent.startswith(agent)]
        return sorted(found, key=lambda each: each.received)

    def _read(self, mark: int) -> Iterator[Request]:
        with self._path.open("rb") as log:
            log.seek(mark)
            for line in log:
                if line.endswith(b"\n"):
                    yield _request(json.loads(line))


def _request(event: dict[str, Any]) -> Request:
    about = event.get("objectRef", {})
    return Request(
        agent=event.get("userAgent", ""),
        verb=event["verb"],
        resource=about.get("resource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=event["responseStatus"].get("code", 0),
        received=_time(event["requestReceivedTimestamp"]),
        answered=_time(event["stageTimestamp"]),
    )


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
