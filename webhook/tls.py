"""
The server's side of TLS: one context for all connections, and sockets that do not wait for ever.

gunicorn would build a context for every connection (4.6-6.0 CPU-ms each instead of 2.3-2.6), and
eight clients that send one byte and stop would hold all eight threads of a worker (building-blocks
section 1, findings 1 and 2).
"""

from __future__ import annotations

import errno
import ssl
import threading
import time
from pathlib import Path
from typing import Any

_STEP_SECONDS, _REQUEST_SECONDS = 5.0, 10.0


class BoundedSocket(ssl.SSLSocket):
    """A TLS socket on which a handshake, one read and a whole request each have a limit."""

    _until = float("inf")

    def setblocking(self, flag: bool) -> None:
        """Blocking means: for at most `_STEP_SECONDS` at a time, and a request in `_REQUEST_SECONDS`."""
        if not flag:
            super().setblocking(False)
            return
        self._until = time.monotonic() + _REQUEST_SECONDS
        self.settimeout(_STEP_SECONDS)

    def do_handshake(self, block: bool = False) -> None:
        """One limit for the whole handshake, however many bytes it trickles in by."""
        self.setblocking(True)
        try:
            super().do_handshake(block)
        except TimeoutError as error:
            raise _reset() from error

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As `ssl.SSLSocket.recv`; too slow a client is treated as one that went away."""
        if time.monotonic() > self._until:
            raise _reset()
        try:
            return super().recv(buflen, flags)
        except TimeoutError as error:
            raise _reset() from error


class ServerContext:
    """The context of a certificate directory, renewed in place when its files change."""

    def __init__(self, directory: Path) -> None:
        """Raises `OSError` or `ssl.SSLError` where the pair cannot be loaded."""
        self._files = directory / "tls.crt", directory / "tls.key"
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.sslsocket_class = BoundedSocket
        self._context.load_cert_chain(*self._files)

    def current(self) -> ssl.SSLContext:
        """
        The context for the next connection.

        A changed pair is tried on a throw-away context first: half a rotation (a key without its
        certificate) keeps the old pair in service instead of failing every new connection.
        """
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                with self._lock:
                    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
                    self._context.load_cert_chain(*self._files)
                    self._seen = stamp
        except (OSError, ssl.SSLError):
            return self._context
        return self._context

    def _stamp(self) -> tuple[Any, ...]:
        return tuple((s.st_mtime_ns, s.st_ino, s.st_size) for s in (f.stat() for f in self._files))


def _reset() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the client is too slow")
