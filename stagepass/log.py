"""One JSON object a line on standard output: a constant event name, and facts as fields."""

from __future__ import annotations

import select
import sys
import threading
import traceback
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from stagepass import strictjson

# Lines that no thread has written yet; past so many, whoever adds one waits for the stream.
_pending: deque[bytes] = deque()
_MAX_PENDING = 1000
_writing = threading.Lock()


def info(event: str, **fields: Any) -> None:
    """Something that is as it should be."""
    _write("info", event, fields)


def error(event: str, **fields: Any) -> None:
    """Something that somebody has to look at."""
    _write("error", event, fields)


def exception(event: str, **fields: Any) -> None:
    """An error nobody foresaw, with its trace; call it where it is handled."""
    _write("error", event, {**fields, "trace": traceback.format_exc()})


def _write(level: str, event: str, fields: dict[str, Any]) -> None:
    # Straight to the stream: the logging module costs 11-29 microseconds a decision, and the line is
    # written in one piece, so that two threads never share one.
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": time, "level": level, "event": event, **fields}
    _pending.append(strictjson.dumps(line) + b"\n")
    # Whoever writes takes along what others add meanwhile: each write lets go of the interpreter, and
    # eight threads would queue up to get it back.
    while _pending and _writing.acquire(blocking=len(_pending) > _MAX_PENDING):
        try:
            _write_some()
        finally:
            _writing.release()


def _write_some() -> None:
    """As many whole lines as a pipe takes in one piece: several processes share it (pipe(7))."""
    if not _pending:
        return
    some = _pending.popleft()
    while _pending and len(some) + len(_pending[0]) <= select.PIPE_BUF:
        some += _pending.popleft()
    # A full disk or a closed pipe behind the stream must not turn a verdict into an error.
    with suppress(OSError, ValueError):
        sys.stdout.write(some.decode())
        sys.stdout.flush()
