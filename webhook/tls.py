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
from contextlib import suppress
from pathlib import Path
from typing import Any

_STEP_SECONDS, _REQUEST_SECONDS = 5.0, 10.0
# After its last answer gunicorn waits up to two seconds for the client's own end, in the thread that
# accepts everybody else: a few clients that never close would shut the gate.
_LINGER_SECONDS = 0.25


class BoundedSocket(ssl.SSLSocket):
    """A TLS socket on which a handshake, one read and a whole request each have a limit."""

    _until = float("inf")
    _linger = _LINGER_SECONDS

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
            raise self._given_up() from error

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As `ssl.SSLSocket.recv`; too slow a client is treated as one that went away."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise self._given_up()
        self.settimeout(min(left, _STEP_SECONDS))
        try:
            return super().recv(buflen, flags)
        except TimeoutError as error:
            raise self._given_up() from error

    def shutdown(self, how: int) -> None:
        """As `ssl.SSLSocket.shutdown`; what the client still has to say gets little time."""
        self._until = time.monotonic() + self._linger
        super().shutdown(how)

    def _given_up(self) -> ConnectionResetError:
        self._linger = 0.0
        return ConnectionResetError(errno.ECONNRESET, "the client is too slow")


class ServerContext:
    """
    The context of a certificate directory, replaced when its files change.

    Replaced, never changed: while a context is given another pair, handshakes on other threads see a
    certificate without its key and fail.
    """

    def __init__(self, directory: Path) -> None:
        """Raises `OSError` or `ssl.SSLError` where the pair cannot be loaded."""
        self._files = directory / "tls.crt", directory / "tls.key"
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._context = self._load()

    def current(self) -> ssl.SSLContext:
        """
        The context for the next connection.

        Half a rotation (a key without its certificate) keeps the old pair in service instead of
        failing every new connection.
        """
        with suppress(OSError, ssl.SSLError):
            stamp = self._stamp()
            if stamp != self._seen:
                with self._lock:
                    self._context, self._seen = self._load(), stamp
        return self._context

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = BoundedSocket
        context.load_cert_chain(*self._files)
        return context

    def _stamp(self) -> tuple[Any, ...]:
        return tuple((s.st_mtime_ns, s.st_ino, s.st_size) for s in (f.stat() for f in self._files))
