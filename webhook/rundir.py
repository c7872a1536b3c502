"""Where the processes of one gate leave what all of them know; emptied with the gate."""

from __future__ import annotations

import os
from pathlib import Path


def run_directory() -> Path | None:
    """The one in which the workers share their metrics, None where one process serves alone."""
    text = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(text) if text else None
