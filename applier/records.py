"""
The `Application` objects of the applier's namespace: read by one LIST, told how they stand.

Without their CRD there are none, and everything else goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from applier.cluster import Cluster
from applier.records_events import send
from applier.records_letters import VERSION, apply_status, served
from applier.records_status import Event, events, is_news
from applier.records_wishes import Record, Sorted, sort
from applier.rules import members


class Applications:
    """Thread-safe. Nothing is written while nothing changes."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._resource = served(cluster, "Application")
        self._records: dict[str, Record] = {}
        self._writes = 0
        self._lock = threading.Lock()

    @property
    def are_served(self) -> bool:
        """Whether their CRD was installed at the start."""
        return self._resource is not None

    def load(self) -> None:
        """Read all of them. Raises `Failure`."""
        if self._resource is None:
            return
        writes = self._writes
        items = self._cluster.list(self._resource, namespace=self._namespace)
        with self._lock:
            if writes == self._writes:  # else it may be older than what was written meanwhile
                self._records = {r.name: r for r in map(Record.of, items)}

    def sorted(self, known: Collection[str]) -> Sorted:
        """Which of them count, where `known` are the applications of this cluster."""
        return sort(list(self._records.values()), known)

    def of(self, application: str) -> Record | None:
        """The record that counts for an application."""
        return self.sorted((application,)).chosen.get(application)

    def tell(self, record: Record, status: Mapping[str, Any], now: datetime) -> None:
        """Write its status, and what happened as events, unless that is no news. Raises `Failure`."""
        with self._lock:
            known = self._records.get(record.name)
            if self._resource is None or known is None or not is_news(known.status, status):
                return
            document = {
                "apiVersion": VERSION,
                "kind": "Application",
                "metadata": {"name": record.name, "namespace": self._namespace},
                "status": status,
            }
            written = apply_status(self._cluster, self._resource, document)
            self._writes += 1
            live = members(written.get("status"))
            self._records[record.name] = replace(known, status=live)
        for event in events(known.status, status):
            self.announce(record, event, now)

    def announce(self, record: Record, event: Event, now: datetime) -> None:
        """Tell of it, as an event. Never raises."""
        about = {
            "apiVersion": VERSION,
            "kind": "Application",
            "namespace": self._namespace,
            "name": record.name,
            "uid": record.uid,
        }
        send(self._cluster, about, event, now)
