"""Every metric with its label values. No label is one that a request could choose."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

DECISIONS = Counter(
    "stagepass_decisions_total",
    "Decisions. place: PIPELINE/STAGE of the policy set, or 'unlisted'. answer: admitted | denied |"
    " undetermined, before enforcement. allowed: true | false, after it.",
    ["place", "answer", "allowed"],
)
VIOLATIONS = Counter(
    "stagepass_violations_total", "Reasons for not admitting, by reason code.", ["code"]
)
DECISION_SECONDS = Histogram(
    "stagepass_decision_seconds",
    "Request read to answer built. The webhook's timeoutSeconds is 10: the last bucket that matters.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSED_REQUESTS = Counter(
    "stagepass_refused_requests_total",
    "Requests that were no review. status: 400 | 413.",
    ["status"],
)
POLICY_LOADS = Counter(
    "stagepass_policy_loads_total",
    "Policy sets read after a change. result: loaded | refused.",
    ["result"],
)
POLICY_BROKEN = Gauge(
    "stagepass_policy_broken",
    "1 while the files on disk do not load and an older set (or none) is in force.",
    multiprocess_mode="livemax",
)


def render() -> tuple[bytes, str]:
    """The text of all workers' metrics, and its content type."""
    registry: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # not annotated upstream
    return generate_latest(registry), CONTENT_TYPE_LATEST
