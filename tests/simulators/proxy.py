"""
A reverse proxy on 127.0.0.1 between a client and a real server, told call by call what to do.

    with Proxy("https://127.0.0.1:6443", rule, ca_file=ca, certificate=(crt, key)) as proxy:
        ...  # the client is given proxy.url

It changes nothing by itself. A rule may lose a request before the server sees it, lose the answer
after it took effect, answer in the server's place, or do something in between, like killing the
client.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_TIMEOUT_SECONDS = 60.0
# RFC 9110 section 7.6.1; the length is set anew, as every body is read whole.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read whole."""

    method: str
    target: str
    """Path and query, as sent."""
    headers: dict[str, str] = field(hash=False)
    body: bytes = b""

    @property
    def path(self) -> str:
        """Without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """By name, the values."""
        return parse_qs(urlsplit(self.target).query)


@dataclass(frozen=True, slots=True)
class Fate:
    """
    What becomes of a call. By default it is forwarded, and its answer sent back.

    `between` runs after the server answered (or in its place), before the client hears of it. With a
    `status`, that and `body` are the answer. Without `answer`, the connection is closed.
    """

    forward: bool = True
    answer: bool = True
    status: int = 0
    body: bytes = b""
    between: Callable[[], None] | None = None


PASS = Fate()
LOST = Fate(forward=False, answer=False)
ANSWER_LOST = Fate(answer=False)
Rule = Callable[[Call], Fate]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _upstream: http.client.HTTPConnection | None = None

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        call = Call(self.command, self.path, headers, self._body())
        fate = self.server.rule(call)
        answer = self._forward(call) if fate.forward else None
        if fate.between is not None:
            fate.between()
        if fate.status:
            kind = [("Content-Type", "application/json")]
            self._send(fate.status, kind, fate.body)
        elif answer is None or not fate.answer:
            self.close_connection = True
        else:
            self._send(*answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  # http.server

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _forward(self, call: Call) -> tuple[int, list[tuple[str, str]], bytes] | None:
        """Status, headers and body; None where the server is away or died over it."""
        try:
            upstream = self._upstream = self._upstream or self.server.connect()
            upstream.request(call.method, call.target, call.body or None, call.headers)
            answer = upstream.getresponse()
            headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP]
            if call.method == "HEAD" and (length := answer.getheader("Content-Length")):
                headers.append(("Content-Length", length))
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return None
        if not self.server.keeps_connections:
            self._hang_up()
        return answer.status, headers, body

    def _hang_up(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
        self._upstream = None

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        with suppress(OSError):  # a client that died meanwhile is what this is about
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            if not any(name == "Content-Length" for name, _ in headers):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self._hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str, rule: Rule, ca_file: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rule, self._upstream = rule, urlsplit(upstream)
        self._client = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
        self.serving: ssl.SSLContext | None = None
        # A handshake is worth keeping; a plain server may close after any answer without a word.
        self.keeps_connections = ca_file is not None

    def connect(self) -> http.client.HTTPConnection:
        host, port = self._upstream.hostname or "", self._upstream.port
        if self._client is None:
            return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
        return http.client.HTTPSConnection(
            host, port, timeout=_TIMEOUT_SECONDS, context=self._client
        )

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake happens on the connection's own thread."""
        if self.serving is not None:
            request = self.serving.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are expected."""


class Proxy:
    """A context manager; `rule` is asked about every call, on the thread of its connection."""

    def __init__(
        self,
        upstream: str,
        rule: Rule,
        *,
        ca_file: Path | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """`ca_file` proves an https upstream; with a `certificate` and key it serves TLS itself."""
        self._server = _Server(upstream, rule, ca_file)
        if certificate is not None:
            self._server.serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._server.serving.load_cert_chain(*certificate)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{'https' if certificate else 'http'}://{self.host}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
