"""
An OCI registry on 127.0.0.1, in memory, honest until its `faults` say otherwise.

Speaks the pull, push and referrers parts of distribution-spec 1.1 over plain HTTP/1.1; cosign
3.1.3 signs into it and verifies from it.

    with Registry() as registry:
        digest = registry.push_image("shop/app")
        registry.attach("shop/app", digest, bundle)

    python -m tests.simulators.registry [--port N] [--latency SECONDS]

The second form prints its URL and serves until SIGTERM or SIGINT; it records no requests.
"""

from __future__ import annotations

import argparse
import signal
import socket
import socketserver
import threading
from contextlib import suppress
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any, Self

from tests.simulators.oci import BUNDLE_TYPE, INDEX_TYPE, MANIFEST_TYPE, digest_of
from tests.simulators.oci_api import Answer, Api, Faults, Request

__all__ = [
    "BUNDLE_TYPE",
    "INDEX_TYPE",
    "MANIFEST_TYPE",
    "STAGE_PASSED",
    "Faults",
    "Registry",
    "Request",
    "digest_of",
]

STAGE_PASSED = "https://stagepass.dev/attestation/stage-passed/v1"

_LINE = 65_536
_STATUS_LINES = {status.value: f"HTTP/1.1 {status} {status.phrase}\r\n" for status in HTTPStatus}


def _read_head(stream: BufferedIOBase) -> Request | None:
    """The next request line and headers; None at the end of the connection or on nonsense."""
    words = stream.readline(_LINE).decode("latin-1").split()
    headers: dict[str, str] = {}
    while (line := stream.readline(_LINE)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        key, value = name.lower(), value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Request(words[0], words[1], headers) if len(words) == 3 else None


def _read_body(stream: BufferedIOBase, headers: dict[str, str]) -> bytes:
    """Go sends an upload of unknown length chunked, so cosign's PATCH needs both framings."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("content-length", "0")))
    parts = []
    while size := int(stream.readline(_LINE).partition(b";")[0] or b"0", 16):
        parts.append(stream.read(size))
        stream.readline(_LINE)
    while stream.readline(_LINE) not in (b"\r\n", b"\n", b""):
        pass
    return b"".join(parts)


class _Connection(socketserver.StreamRequestHandler):
    """
    One keep-alive connection, on a thread of its own.

    Not `BaseHTTPRequestHandler`: its header parser costs several times the rest of an answer.
    """

    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError):
            while self._serve_one():
                pass

    def _serve_one(self) -> bool:
        request = _read_head(self.rfile)
        if request is None:
            return False
        if request.headers.get("expect"):
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _read_body(self.rfile, request.headers)
        self.server.record(request)
        faults = self.server.api.faults
        if faults.hang:
            return not self.server.stopping.wait()
        if faults.latency and self.server.stopping.wait(faults.latency):
            return False
        is_open = self._send(request.method, self.server.api.answer(request, body))
        return is_open and request.headers.get("connection", "").lower() != "close"

    def _send(self, method: str, answer: Answer) -> bool:
        """Head and body in one send. False: the connection cannot be used again."""
        lines = [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
        start = _STATUS_LINES.get(answer.status, f"HTTP/1.1 {answer.status} Unknown\r\n")
        head = f"{start}{''.join(lines)}Content-Length: {len(answer.body)}\r\n\r\n".encode()
        body = b"" if method == "HEAD" else answer.body
        faults = self.server.api.faults
        if faults.truncate and body:
            self.connection.sendall(head + body[: len(body) // 2])
            return False
        if faults.trickle and body:
            return self._trickle(head, body, faults.trickle)
        self.connection.sendall(head + body)
        return True

    def _trickle(self, head: bytes, body: bytes, pause: float) -> bool:
        self.connection.sendall(head)
        for byte in body:
            if self.server.stopping.wait(pause):
                return False
            self.connection.sendall(bytes((byte,)))
        return True


class _Server(socketserver.ThreadingTCPServer):
    """Knows its open connections, so that stopping can end and await every thread."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port: int, api: Api, requests: list[Request] | None) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.api = api
        self.stopping = threading.Event()
        self._requests = requests
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()

    def record(self, request: Request) -> None:
        if self._requests is not None:
            self._requests.append(request)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def end_connections(self) -> None:
        """Within 5 s; call it after `shutdown`, when no new connection can come."""
        self.stopping.set()
        with self._changed:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, timeout=5)


class Registry:
    """
    A running registry; use it as a context manager or call `stop()`.

    `requests` holds every request in order of arrival, unless `record` is false.
    """

    def __init__(self, *, port: int = 0, faults: Faults | None = None, record: bool = True) -> None:
        self.requests: list[Request] = []
        self._api = Api(faults or Faults())
        self._server = _Server(port, self._api, self.requests if record else None)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def faults(self) -> Faults:
        """Change its fields, or assign another one, at any time."""
        return self._api.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._api.faults = faults

    def stop(self) -> None:
        """End every connection, hung ones too, and free the port. Twice is once."""
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()

    def push_image(
        self, repository: str, content: bytes = b"image", *, tag: str | None = None
    ) -> str:
        """A small image, unique by `content`; the digest of its manifest."""
        with self._api.lock:
            return self._api.repository(repository).put_image(content, tag)

    def attach(
        self,
        repository: str,
        subject: str,
        bundle: bytes,
        *,
        predicate_type: str | None = STAGE_PASSED,
        as_tag: bool = False,
    ) -> str:
        """
        Store `bundle` beside the digest `subject` as cosign does; the manifest's digest.

        `predicate_type` is only the annotation (None: none). `as_tag` lists it in the index
        tagged `sha256-HEX` and not in the referrers API.
        """
        with self._api.lock:
            return self._api.repository(repository).put_bundle(
                subject, bundle, predicate_type, as_tag=as_tag
            )

    def put_blob(self, repository: str, data: bytes) -> str:
        """Store any bytes as a blob; their digest."""
        return self._api.repository(repository).put_blob(data)

    def put_manifest(
        self,
        repository: str,
        body: bytes,
        *,
        media_type: str = MANIFEST_TYPE,
        tag: str | None = None,
        index: bool = True,
    ) -> str:
        """Store any bytes as a manifest, unchecked; `index` lists it under its subject."""
        with self._api.lock:
            return self._api.repository(repository).put_manifest(
                body, media_type, tag=tag, index=index
            )


def main(arguments: list[str] | None = None) -> None:
    """Serve in a process of its own until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="An in-memory OCI registry on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    options = parser.parse_args(arguments)
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    faults = Faults(latency=options.latency)
    with Registry(port=options.port, faults=faults, record=False) as registry:
        print(registry.url, flush=True)
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
