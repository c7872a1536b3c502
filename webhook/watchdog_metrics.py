"""What the watchdog tells Prometheus. The labels come from its files, never from the cluster."""

from __future__ import annotations

from prometheus_client import Gauge

DRIFT = Gauge(
    "stagepass_webhook_config_drift",
    "0: the object is as its file has it. 1: it differs, or is gone. -1: it could not be read, or its"
    " file could not. Alert on anything but 0, and on absence.",
    ["kind", "name"],
)
CHECKED = Gauge(
    "stagepass_webhook_config_checked_timestamp_seconds",
    "When the object was last read and compared, Unix time; 0: never.",
    ["kind", "name"],
)
