"""
Which revision of the policy each worker judges by, as a gauge with a revision for its label.

Not a gauge of the client library: between processes it cannot forget a label, and every set that was
ever in force would stay in every scrape.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from webhook.rundir import run_directory

_PREFIX = "revision-"


def tell(revision: str) -> None:
    """This worker judges by `revision` from now on. A full disk changes that as little as a verdict."""
    if (directory := run_directory()) is None:
        return
    new = directory / f"new-{os.getpid()}"
    with suppress(OSError):
        new.write_text(revision)
        new.replace(directory / f"{_PREFIX}{os.getpid()}")


def forget(pid: int) -> None:
    """That worker has ended."""
    if (directory := run_directory()) is not None:
        (directory / f"{_PREFIX}{pid}").unlink(missing_ok=True)


class InForce(Collector):
    """Nothing where one process serves alone: its `/readyz` tells."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample for each revision that some worker judges by: one, but for a moment."""
        gauge = GaugeMetricFamily(
            "stagepass_policy_workers",
            "Workers that judge by a revision of the policy set: one revision, but for a moment.",
            labels=["revision"],
        )
        for revision, workers in sorted(_counted().items()):
            gauge.add_metric([revision], workers)
        yield gauge


def _counted() -> Counter[str]:
    found: Counter[str] = Counter()
    if (directory := run_directory()) is not None:
        for path in directory.glob(f"{_PREFIX}*"):
            with suppress(FileNotFoundError):  # its worker has just ended
                found[path.read_text()] += 1
    return found
