"""Every metric with its label values. No label is one that a request could choose."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

DECISIONS = Counter(
    "stagepass_decisions_total",
    "Decisions. place: PIPELINE/STAGE of the policy set, or 'unlisted'. answer: admitted | denied |"
    " undetermined, before enforcement. allowed: true | false, after it.",
    ["place", "answer", "allowed"],
)
VIOLATIONS = Counter(
    "stagepass_violations_total", "Reasons for not admitting, by reason code.", ["code"]
)
MANIFEST_DENIALS = Counter(
    "stagepass_manifest_denials_total",
    "Objects that were refused since no release says so, by PIPELINE and STAGE of the policy set. kind:"
    " GROUP/KIND as in the stage's release.kinds, or 'other'.",
    ["pipeline", "stage", "kind"],
)
NOTES = Counter(
    "stagepass_notes_total",
    "What explains an admission. code: NO_IMAGES | UNCHANGED | EXEMPT | BREAK_GLASS.",
    ["code"],
)
DECISION_SECONDS = Histogram(
    "stagepass_decision_seconds",
    "Request read to answer built. The webhook's timeoutSeconds is 10: the last bucket that matters."
    " temperature: warm (from memory, or no evidence was needed) | cold (evidence was sought).",
    ["temperature"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
# Looked up once: a look-up for each review is a lock and a dictionary of its own.
WARM_SECONDS, COLD_SECONDS = (DECISION_SECONDS.labels(name) for name in ("warm", "cold"))
OVERDUE = Counter(
    "stagepass_overdue_reviews_total",
    "Reviews whose time limit had passed before a thread was free for them; only memory admitted any.",
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
JOURNAL_FAILURES = Counter(
    "stagepass_journal_failures_total", "Decisions that could not be written to the journal."
)
CACHE_FAILURES = Counter(
    "stagepass_evidence_cache_failures_total",
    "Reads and writes of the evidence cache that the disk refused; no verdict depends on them.",
)

POLICY_LOADED = Gauge(
    "stagepass_policy_loaded_timestamp_seconds",
    "When the set in force was loaded, Unix time, in the worker where that is longest ago; 0: never.",
    multiprocess_mode="livemin",
)
REGISTRY_REQUESTS = Counter(
    "stagepass_registry_requests_total",
    "Requests to registries. host: one that the policy set or the settings name. result: the HTTP"
    " status, or 'error'.",
    ["host", "result"],
)
POLICY_EXPIRY = Gauge(
    "stagepass_policy_expiry_timestamp_seconds",
    "When the signature of the set in force expires, Unix time; 0 for a set that need not be signed.",
    multiprocess_mode="livemin",
)
