"""
`/metrics` over plain HTTP on an address of its own, in a process of its own; `/denials` where it is on.

Not a thread of gunicorn's parent: a fork while that held a lock would give a worker that never runs.
It ends with its parent, whose end of the pipe on standard input closes.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from webhook import denials
from webhook.exposition import render

_REQUEST_SECONDS = 10.0


_SWITCH = (
    "off: STAGEPASS_DENIALS=yes at the gate shows them, and whoever reaches this may read them"
)


def start(address: str, tls_directory: Path, has_denials: bool) -> subprocess.Popen[bytes]:
    """The process, for HOST:PORT. Raises `OSError` where that cannot be bound."""
    with _bind(address) as bound:
        command = [
            sys.executable,
            "-m",
            "webhook.listener",
            str(bound.fileno()),
            str(tls_directory),
            *(["denials"] if has_denials else []),
        ]
        return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[bound.fileno()])


def serve(address: str) -> None:
    """In this very process, which forks nothing, for HOST:PORT. Raises `OSError` likewise."""
    _start(_bind(address))


def _bind(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family)


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_SECONDS
    tls_directory: Path | None = None
    has_denials = False

    def do_GET(self) -> None:
        """One of the two, and nothing else."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(*render(self.tls_directory))
        elif path == "/denials" and self.has_denials:
            self._answer(denials.newest(), "application/json")
        elif path == "/denials":
            self._answer(f"{_SWITCH}\n".encode(), "text/plain; charset=utf-8", 404)
        else:
            self.send_error(404)

    def _answer(self, text: bytes, content_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the library has it
        """A scrape is no event."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no event either."""


def _start(bound: socket.socket) -> None:
    server = _Server(("", 0), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = bound
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main(descriptor: str, tls_directory: str, *more: str) -> None:
    """Serve the bound socket until standard input ends; `denials` as well, if that is among `more`."""
    _Handler.tls_directory, _Handler.has_denials = Path(tls_directory), "denials" in more
    _start(socket.socket(fileno=int(descriptor)))
    while os.read(0, 1):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
