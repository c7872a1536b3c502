"""All workers' metrics as Prometheus' text, and when the certificate on disk ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from webhook.inforce import InForce
from webhook.rundir import run_directory

_EXPIRY = "stagepass_certificate_expiry_timestamp_seconds"


def render(tls_directory: Path | None) -> tuple[bytes, str]:
    """The text, and its content type; None: of a process without a certificate."""
    text = b""
    if run_directory():
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # not annotated upstream
    else:
        registry = CollectorRegistry()
        text = generate_latest(REGISTRY)
    registry.register(InForce())
    if tls_directory is not None:
        registry.register(_Certificate(tls_directory / "tls.crt"))
    return text + generate_latest(registry), CONTENT_TYPE_LATEST


class _Certificate(Collector):
    """Read at each scrape: a rotation that failed is seen before the old pair ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge, without a value where the file holds no certificate."""
        gauge = GaugeMetricFamily(_EXPIRY, "When the serving certificate on disk ends, Unix time.")
        try:
            certificate = x509.load_pem_x509_certificate(self._path.read_bytes())
            gauge.add_metric([], certificate.not_valid_after_utc.timestamp())
        except (OSError, ValueError):
            pass
        yield gauge
