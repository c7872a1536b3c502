"""Trouble with fetching, kept for `python -m applier status`: written when it begins or ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from applier.cluster import Cluster, Resource
from applier.failure import Failure
from stagepass.clock import format_time
from stagepass.policy.source import Source

_CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
_NAME, _KEY = "stagepass-fetches", "fetches.json"

Trouble = Mapping[str, Any]
"""`reason`, `message` and `since` of one (URL, ref)."""


class FetchRecord:
    """One object for all repositories."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._rows: dict[tuple[str, str], Trouble] = {}

    def load(self) -> Mapping[tuple[str, str], Trouble]:
        """What was kept last, by (URL, ref). Raises `Failure`."""
        live = self._cluster.get(_CONFIG_MAPS, self._namespace, _NAME) or {}
        rows = orjson.loads(live.get("data", {}).get(_KEY, "[]"))
        self._rows = {(row["url"], row["ref"]): row for row in rows}
        return self._rows

    def note(
        self,
        sources: Iterable[Source],
        trouble: Callable[[Source], Failure | None],
        now: datetime,
    ) -> None:
        """Keep what is wrong now. Raises `Failure`."""
        rows: dict[tuple[str, str], Trouble] = {}
        for source in sources:
            failure, key = trouble(source), (source.git, source.ref)
            if failure is None:
                continue
            row = {"url": source.git, "ref": source.ref, "reason": failure.reason.name}
            before = self._rows.get(key, {})
            same = before.get("reason") == row["reason"]
            new = {**row, "message": failure.message, "since": format_time(now)}
            rows[key] = before if same else new
        if rows == self._rows:
            return
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _NAME, "namespace": self._namespace},
            "data": {_KEY: orjson.dumps([rows[key] for key in sorted(rows)]).decode()},
        }
        self._cluster.apply(_CONFIG_MAPS, body, account=None, force=True)
        self._rows = rows
