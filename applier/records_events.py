"""Events about the applier's own objects: news for people, and losing one costs nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from applier.cluster import Cluster, Resource
from applier.failure import Failure
from applier.records_status import Event
from applier.rules import FIELD_MANAGER
from stagepass import log
from stagepass.clock import format_time

_EVENTS = Resource("", "v1", "Event", "events", namespaced=True)
_MAX_MESSAGE = 1000


def send(cluster: Cluster, about: Mapping[str, str], event: Event, now: datetime) -> None:
    """
    Tell of `about`: its apiVersion, kind, namespace, name and uid. Never raises.

    One that is lost is in the log.
    """
    at, namespace = format_time(now), about["namespace"]
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{about['name'][:200]}.{time.time_ns():x}", "namespace": namespace},
        "involvedObject": dict(about),
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "message": event.message[:_MAX_MESSAGE],
        "source": {"component": FIELD_MANAGER},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    try:
        cluster.request("POST", _EVENTS.path(namespace), body, about="an event")
    except Failure as failure:
        log.error("applier.event_lost", object=about["name"], error=str(failure))
