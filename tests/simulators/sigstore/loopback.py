"""A small HTTP server on 127.0.0.1 that leaves no thread behind."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Self
from urllib.parse import parse_qs, urlsplit

__all__ = ["Answer", "Loopback", "Request", "answer_json"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its body read. `query` has the last value of each parameter."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def bearer(self) -> str:
        """The bearer token, or ""."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `headers` beside Content-Type and Content-Length."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def answer_json(status: int, value: object, **headers: str) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(value).encode(), headers=headers)


def _body(stream: BufferedIOBase, headers: dict[str, str]) -> bytes:
    """Rekor's Go client sends its body chunked, the others with a length."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("content-length", "0")))
    parts = []
    while size := int(stream.readline().partition(b";")[0] or b"0", 16):
        parts.append(stream.read(size))
        stream.readline()
    stream.readline()
    return b"".join(parts)


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.0: each connection ends with its answer, so that none outlives the server."""

    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        body = _body(self.rfile, headers)
        request = Request(self.command, address.path, query, headers, body)
        self.server.requests.append(request)
        answer = self.server.route(request)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        """Quiet: tests look at `requests`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, route: Callable[[Request], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.route = route
        self.requests: list[Request] = []


class Loopback:
    """
    Serves `route` from its construction to `stop()`; also a context manager.

    `requests` holds every request in order of arrival.
    """

    def __init__(self) -> None:
        self._server = _Server(self.route)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def requests(self) -> list[Request]:
        """What came in so far."""
        return self._server.requests

    def route(self, request: Request) -> Answer:
        """The answer to a request."""
        raise NotImplementedError

    def stop(self) -> None:
        """End and join every thread, and free the port. Twice is once."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
