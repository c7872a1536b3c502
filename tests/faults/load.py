"""
Clients that ask a gate as API servers do: connections that stay open, one review at a time on each.

    with Load(gate, images) as load:
        ...
    load.tally
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from tests.faults.tally import GRANTED_SECONDS, Kind, Rules, Tally
from tests.webhook.reviews import create
from tests.webhook.server import Server

CLIENTS = 6
MAX_SENT = 100_000
"""Of one load, however long it lasts."""
_PAUSE_SECONDS = 0.01
_PATH = f"/validate?timeout={GRANTED_SECONDS:.0f}s"
_HEADERS = {"Content-Type": "application/json"}

Images = Sequence[tuple[Kind, str]]


class Load:
    """`fresh` makes a new connection for every review; `most` is how many are sent."""

    def __init__(
        self,
        gate: Server,
        images: Images,
        rules: Rules | None = None,
        *,
        fresh: bool = False,
        clients: int = CLIENTS,
        most: int = MAX_SENT,
    ) -> None:
        self.tally = Tally(rules or Rules())
        self.certificates: set[bytes] = set()
        """Those that fresh connections were shown."""
        self._gate, self._fresh = gate, fresh
        self._next = itertools.cycle(images)
        self._lock = threading.Lock()
        self._stopped = False
        self._unwritten = self._in_flight = 0
        self._most = most
        self._threads = [threading.Thread(target=self._client) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Every request that was sent is answered, has failed, or was given up by then."""
        self.stop()
        for thread in self._threads:
            thread.join()

    def stop(self) -> int:
        """Send no more; how many wait for an answer, once the last byte of each is written."""
        with self._lock:
            self._stopped = True
        end = time.monotonic() + GRANTED_SECONDS
        while self._unwritten and time.monotonic() < end:
            time.sleep(0.001)
        return self._in_flight

    def _begin(self) -> tuple[Kind, str] | None:
        """The next image to ask about; None at the end of the load."""
        with self._lock:
            if self._stopped or self.tally.sent >= self._most:
                return None
            self.tally.sent += 1
            self._unwritten += 1
            self._in_flight += 1
            return next(self._next)

    def _written(self) -> None:
        with self._lock:
            self._unwritten -= 1

    def _ended(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def _client(self) -> None:
        connection = self._gate.connect(GRANTED_SECONDS)
        begun = time.monotonic()
        while (item := self._begin()) is not None:
            kind, image = item
            if self._fresh or connection.sock is None:
                connection.close()
                begun = time.monotonic()
            try:
                self._ask(connection, kind, image)
            except (OSError, http.client.HTTPException) as error:
                self.tally.failed(begun, time.monotonic(), error)
                with suppress(OSError):
                    connection.close()
            finally:
                self._ended()
            time.sleep(_PAUSE_SECONDS)
        with suppress(OSError):
            connection.close()

    def _ask(self, connection: http.client.HTTPSConnection, kind: Kind, image: str) -> None:
        review = create(image)
        started = time.monotonic()
        try:
            connection.request("POST", _PATH, json.dumps(review).encode(), _HEADERS)
            if self._fresh:
                self.certificates.add(connection.sock.getpeercert(binary_form=True) or b"")
        finally:
            self._written()
        answer = connection.getresponse()
        body, uid = answer.read(), review["request"]["uid"]
        self.tally.answered(kind, uid, answer.status, body, time.monotonic() - started)
