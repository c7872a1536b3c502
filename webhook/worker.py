"""
gunicorn's threaded worker, which also knows how long a request waited for a thread.

The API server counts from when it asks. Without this a review would be given its whole time limit
once a thread is free: of 100 at once against a registry that answers after two seconds, the last
were answered 30 seconds later, when nobody listened any more.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class _Waited(threading.local):
    seconds = 0.0


_waited = _Waited()


def waited() -> float:
    """Seconds that the request of this thread waited for it; 0 outside of a `Worker`."""
    return _waited.seconds


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A connection joins the queue when it is accepted, and again whenever a request can be read."""

    def enqueue_req(self, conn: Any) -> None:
        """As gunicorn's, and the time of it."""
        conn.queued = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """As gunicorn's. What the client itself takes, for its handshake say, is not counted."""
        _waited.seconds = time.monotonic() - conn.queued
        return super().handle(conn)
