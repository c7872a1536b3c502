"""
Where the applier keeps its state: ConfigMaps of its own namespace, each changed by compare-and-swap.

The cluster is the database. A write that somebody else overtook is STALE_WRITE, and nothing is lost:
the step reads again and starts over.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from contextlib import suppress

import orjson

from applier.cluster import Cluster, Resource
from applier.failure import Failure, Reason
from applier.state import State
from stagepass.errors import InputError

KIND_LABEL = "stagepass.dev/record"
_CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
_KEY = "state.json"
_SEEN = "stagepass-sources"


class StateStore:
    """The states of all applications, read once and then kept in memory. Thread-safe per name."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._versions: dict[str, str] = {}
        self._states: dict[str, State] = {}
        self._unknown: set[str] = set()
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read everything. Raises `Failure`, also where a state cannot be understood."""
        found = self._cluster.list(
            _CONFIG_MAPS, namespace=self._namespace, selector=f"{KIND_LABEL}=application"
        )
        for item in found:
            self._take(item)

    def get(self, name: str) -> State:
        """The state of an application, an empty one where it was never written. Raises `Failure`."""
        if name in self._unknown:
            self.reload(name)
        return self._states.get(name, State())

    def names(self) -> list[str]:
        """Every application that has a state."""
        return sorted(self._states)

    def put(self, name: str, state: State) -> None:
        """Write it whole, unless it stands there already. Raises `Failure`."""
        if self._states.get(name) == state and name not in self._unknown:
            return
        version = self._versions.get(name, "")
        metadata = {
            "name": object_name(name),
            "namespace": self._namespace,
            "labels": {KIND_LABEL: "application"},
            "annotations": {"stagepass.dev/application": name},
        }
        if version:
            metadata["resourceVersion"] = version
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {_KEY: state.to_json()},
        }
        path = _CONFIG_MAPS.path(self._namespace, object_name(name) if version else "")
        try:
            written = self._cluster.request(
                "PUT" if version else "POST", path, body, about=f"the state of {name}"
            )
        except Failure:
            # It may stand there, and its answer was lost: nothing goes on from the older one.
            self._unknown.add(name)
            with suppress(Failure):
                self.reload(name)
            raise
        with self._lock:
            self._versions[name] = written["metadata"]["resourceVersion"]
            self._states[name] = state

    def reload(self, name: str) -> None:
        """Read one again, after a write whose outcome is not known."""
        live = self._cluster.get(_CONFIG_MAPS, self._namespace, object_name(name))
        if live is None:
            with self._lock:
                self._versions.pop(name, None)
                self._states.pop(name, None)
        else:
            self._take(live)
        self._unknown.discard(name)

    def _take(self, item: Mapping[str, object]) -> None:
        metadata, data = item["metadata"], item.get("data")
        if not isinstance(metadata, dict) or not isinstance(data, dict):
            raise Failure(Reason.INTERNAL, "a state object without data")
        name = metadata.get("annotations", {}).get("stagepass.dev/application", "")
        try:
            state = State.from_json(data.get(_KEY, ""))
        except InputError as error:
            raise Failure(Reason.INTERNAL, f"the state of {name}: {error}") from error
        with self._lock:
            self._versions[name] = metadata["resourceVersion"]
            self._states[name] = state


class SeenStore:
    """The newest commit taken from each ref, in one object for all repositories."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    def load(self) -> dict[tuple[str, str], str]:
        """(URL, ref) -> commit. Raises `Failure`."""
        live = self._cluster.get(_CONFIG_MAPS, self._namespace, _SEEN)
        rows = orjson.loads((live or {}).get("data", {}).get(_KEY, "[]"))
        return {(row["url"], row["ref"]): row["commit"] for row in rows}

    def save(self, seen: Mapping[tuple[str, str], str]) -> None:
        """Write all of it. Raises `Failure`."""
        rows = [{"url": u, "ref": r, "commit": c} for (u, r), c in sorted(seen.items())]
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _SEEN, "namespace": self._namespace},
            "data": {_KEY: orjson.dumps(rows).decode()},
        }
        self._cluster.apply(_CONFIG_MAPS, body, account=None)


def object_name(name: str) -> str:
    """A name for the application's objects: readable where it can be, and never two alike."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())[:40].strip("-")
    return f"stagepass-{safe}-{digest}"
