"""A server that says exactly what it is told to, HTTP or not: for what no registry would send."""

from __future__ import annotations

import socketserver
import threading
from contextlib import suppress
from typing import Any, Self


class Raw:
    """
    Sends `answer` to every connection that sends a request, then closes it.

    `pause` is the seconds before each single byte after the first `at_once`. `requests` holds what
    came in.
    """

    def __init__(self, answer: bytes, *, pause: float = 0.0, at_once: int = 0) -> None:
        self.requests: list[bytes] = []
        self.stopping = threading.Event()
        raw = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                raw.requests.append(self.request.recv(65536))
                with suppress(ConnectionError):
                    self.request.sendall(answer[:at_once] if pause else answer)
                    for byte in answer[at_once:] if pause else b"":
                        if raw.stopping.wait(pause):
                            return
                        self.request.sendall(bytes((byte,)))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An HTTP/1.1 answer with a right Content-Length."""
    lines = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
