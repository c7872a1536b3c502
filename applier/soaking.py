"""
The soaks of all applications, so that a restart of the applier shorter than the gap loses none.

What was seen lies in the state of each application and is written when it changes; *when* it was last
seen lies in one object for all, written at most twice a minute while anything soaks.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from applier.cluster import Cluster, Resource
from applier.failure import Failure
from applier.soak import Soak
from applier.store import StateStore

_CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
_NAME, _KEY = "stagepass-looks", "looks.json"
_BEAT = timedelta(seconds=30)


class Soaks:
    """Thread-safe; one thread at a time for each application."""

    def __init__(self, cluster: Cluster, namespace: str, store: StateStore) -> None:
        self._cluster, self._namespace, self._store = cluster, namespace, store
        self._soaks: dict[str, Soak] = {}
        self._looks: dict[str, datetime] = {}
        self._written: datetime | None = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """When each was last looked at, by an earlier process. Raises `Failure`."""
        live = self._cluster.get(_CONFIG_MAPS, self._namespace, _NAME) or {}
        found = orjson.loads(live.get("data", {}).get(_KEY, "{}"))
        self._looks = {name: datetime.fromisoformat(text) for name, text in found.items()}

    def get(self, name: str) -> Soak:
        """The soak of an application; of an earlier process as far as that one had written it."""
        known = self._soaks.get(name)
        if known is not None:
            return known
        kept = self._store.get(name).soak
        if kept.since is None:
            return kept
        # Its start was written at a look, so there was one then at the latest.
        return replace(kept, last=max(kept.since, self._looks.get(name, kept.since)))

    def put(self, name: str, soak: Soak, *, counts: bool) -> None:
        """After a look. `counts`: its time matters to a pass, and has to outlive this process."""
        with self._lock:
            self._soaks[name] = soak
            if not counts or soak.since is None or soak.last is None:
                self._looks.pop(name, None)
                return
            self._looks[name] = soak.last
            if self._written is not None and soak.last - self._written < _BEAT:
                return
            self._written = soak.last
            looks = {name: look.isoformat() for name, look in sorted(self._looks.items())}
        with suppress(Failure):  # the next one comes within the gap
            self._write(orjson.dumps(looks).decode())

    def forget(self, name: str) -> None:
        """Another version runs from now on."""
        with self._lock:
            self._soaks[name] = Soak()
            self._looks.pop(name, None)

    def _write(self, text: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _NAME, "namespace": self._namespace},
            "data": {_KEY: text},
        }
        self._cluster.apply(_CONFIG_MAPS, body, account=None)
