"""One JSON object a line: a constant event name, and facts as fields."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from stagepass import strictjson


class JsonLines(logging.Formatter):
    """`{"time", "level", "event", ...fields}`; fields come in `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, without payloads and without line breaks."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            line["trace"] = self.formatException(record.exc_info)
        return strictjson.dumps(line).decode()


def to_stdout(name: str) -> logging.Logger:
    """The logger `name`, writing JSON lines to standard output and nowhere else."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
