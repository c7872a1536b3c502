"""
Every metric of the applier. No label is one that a tenant could choose.

`application` is PIPELINE.STAGE of the policy set, `reason` a code of `applier.failure.Reason`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import Counter, Gauge, start_http_server

from applier.failure import Kind, Reason
from applier.state import State

STEPS = Counter(
    "stagepass_applier_steps_total",
    "Steps, by how they ended. result: done | blocked | transient | permanent | dead.",
    ["application", "result"],
)
TROUBLES = Counter(
    "stagepass_applier_troubles_total",
    "Steps that did not get through, by reason code.",
    ["reason"],
)
APPLIES = Counter(
    "stagepass_applier_applies_total", "Versions that were applied whole.", ["application"]
)
DRIFT = Counter(
    "stagepass_applier_drift_total",
    "Objects that were found to be no longer as they were applied, each change counted once.",
    ["application"],
)
CORRECTIONS = Counter(
    "stagepass_applier_drift_corrections_total",
    "Objects that were written again, since somebody had changed or deleted them.",
    ["application"],
)
DEAD_LETTERS = Gauge(
    "stagepass_applier_dead_letters_open", "Dead letters that wait for somebody.", ["application"]
)
LAST_SUCCESS = Gauge(
    "stagepass_applier_last_success_timestamp_seconds",
    "When a step last found all well, Unix time; waiting for a pass or a window is well. The time since"
    " then is `time() - it`.",
    ["application"],
)
FETCH_TROUBLE = Gauge(
    "stagepass_applier_fetch_trouble", "1 while its repository cannot be fetched.", ["application"]
)
HEARTBEAT_MISSING = Gauge(
    "stagepass_applier_heartbeat_missing",
    "1 while no heartbeat counts that policy asks for: its Git server may withhold commits.",
    ["application"],
)
MIRROR_BYTES = Gauge(
    "stagepass_applier_mirror_bytes",
    "What the evidence of an application takes in its ConfigMap, packed.",
    ["application"],
)
MIRROR_FAILED = Counter(
    "stagepass_applier_mirror_failed_total",
    "Times its evidence could not be put into the cluster, as it is too big, say; the log says why.",
    ["application"],
)
RECORDS_FAILED = Counter(
    "stagepass_applier_records_failed_total",
    "Statuses and dead letters that could not be read or written; each is tried again.",
)


def serve(address: str) -> None:
    """`/metrics` over plain HTTP on HOST:PORT, in a thread. Raises `OSError`."""
    host, _, port = address.rpartition(":")
    start_http_server(int(port), host.strip("[]"))


def stepped(application: str, state: State, now: datetime) -> None:
    """Count one step by the state it left."""
    trouble = state.trouble
    result = "done" if trouble is None else "dead" if trouble.dead else str(trouble.reason.kind)
    STEPS.labels(application, result).inc()
    if trouble is not None:
        TROUBLES.labels(trouble.reason.name).inc()
    waits = trouble is not None and trouble.reason.kind is Kind.BLOCKED
    if trouble is None or (waits and trouble.reason is not Reason.HEARTBEAT_MISSING):
        LAST_SUCCESS.labels(application).set(now.timestamp())


def dead_letters(by_application: Mapping[str, int], known: Mapping[str, object]) -> None:
    """How many are open; an application that policy no longer names is not counted on."""
    DEAD_LETTERS.clear()
    for name in known:
        DEAD_LETTERS.labels(name).set(by_application.get(name, 0))


def fetching(application: str, *, is_broken: bool) -> None:
    """Whether its repository could be fetched."""
    FETCH_TROUBLE.labels(application).set(int(is_broken))


def heartbeats(missing: Mapping[str, bool]) -> None:
    """Whether one is missing, of each application that policy wants a heartbeat for."""
    HEARTBEAT_MISSING.clear()
    for name, is_missing in missing.items():
        HEARTBEAT_MISSING.labels(name).set(int(is_missing))
