"""
Kept HTTP/1.1 connections, on the standard library alone.

Of the processor time of a request to a registry urllib3's pools, URLs and responses took two thirds,
for retries, redirects, proxies and encodings that nobody wants here.
"""

from __future__ import annotations

import functools
import http.client
import io
import select
import socket
import ssl
import threading
import time
import weakref
from collections import defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult

from stagepass.decision import Code
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline

CONNECT_SECONDS = 3.0

_Kept = defaultdict[str, deque[http.client.HTTPConnection]]


class ConnectionFailed(OSError):
    """There is no connection; the text says why, in our words: a server's are not to be passed on."""


class Connections:
    """
    At most `per_host` idle ones are kept for each server. Thread-safe: a deque's ends are atomic.

    New ones are opened on `per_host` threads for each server: a name may resolve for longer than a
    deadline lasts, and a server that hangs keeps no other waiting (V53).
    """

    def __init__(self, per_host: int, ca_file: Path | None) -> None:
        """`ca_file` (PEM) replaces the system's authorities. Raises `InputError`."""
        self._context = _file_context(ca_file) if ca_file else None
        self._kept: _Kept = defaultdict(lambda: deque(maxlen=per_host))
        self._per_host, self._lock = per_host, threading.Lock()
        self._threads: dict[str, ThreadPoolExecutor] = {}
        # Who makes a client for one command need not close it.
        weakref.finalize(self, _close_all, self._kept)

    def close(self) -> None:
        """Close what is idle, and end the threads; what is in use is kept when it is given back."""
        with self._lock:
            threads, self._threads = self._threads, {}
        for each in threads.values():
            each.shutdown(cancel_futures=True)
        _close_all(self._kept)

    def kept(self, url: SplitResult, *, is_checked: bool) -> http.client.HTTPConnection | None:
        """The last one given back, if any. `is_checked`: none that the server has closed meanwhile."""
        idle = self._kept[_server(url)]
        while connection := _popped(idle):
            if not (is_checked and _is_readable(connection.sock)):
                return connection
            connection.close()
        return None

    def open(self, url: SplitResult, deadline: Deadline) -> http.client.HTTPConnection:
        """A new one. Raises `ConnectionFailed`, `Unavailable` at the deadline, or `ValueError`."""
        seconds = min(CONNECT_SECONDS, deadline.remaining())
        opening = self._opener(url).submit(_opened, url, self._context, seconds)
        try:
            return opening.result(deadline.remaining())
        except TimeoutError as error:
            opening.cancel()
            opening.add_done_callback(_close_late)
            late = f"there was no connection to {url.netloc} when the deadline passed"
            raise Unavailable(Code.DEADLINE, late) from error

    def _opener(self, url: SplitResult) -> ThreadPoolExecutor:
        with self._lock:
            if url.netloc not in self._threads:
                name = f"connect {url.netloc}"
                self._threads[url.netloc] = ThreadPoolExecutor(self._per_host, name)
            return self._threads[url.netloc]

    def give_back(self, url: SplitResult, connection: http.client.HTTPConnection) -> None:
        """Keep it for the next; its last response has been read to the end."""
        idle = self._kept[_server(url)]
        if len(idle) == idle.maxlen:
            connection.close()
        else:
            idle.append(connection)


def _opened(
    url: SplitResult, context: ssl.SSLContext | None, seconds: float
) -> http.client.HTTPConnection:
    """One on which a request can be sent, after `seconds` at most for each address."""
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = _Secure(url.netloc, timeout=seconds, context=context or system_context())
    else:
        connection = _Plain(url.netloc, timeout=seconds)
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise ConnectionFailed(_reason(error)) from error
    return connection


def _close_late(opening: Future[http.client.HTTPConnection]) -> None:
    """Nobody waits for it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _close_all(kept: _Kept) -> None:
    for idle in list(kept.values()):
        while connection := _popped(idle):
            connection.close()


def _server(url: SplitResult) -> str:
    return f"{url.scheme}://{url.netloc}"


def _popped(idle: deque[http.client.HTTPConnection]) -> http.client.HTTPConnection | None:
    try:
        return idle.pop()
    except IndexError:
        return None


def _is_readable(sock: socket.socket) -> bool:
    """An idle connection has nothing to say but that it is closed."""
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0))


def _reason(error: OSError) -> str:
    match error:
        case socket.gaierror():
            return "the name does not resolve"
        case TimeoutError():
            return f"no connection within {CONNECT_SECONDS:g} s"
        case ssl.SSLError():
            return f"TLS failed ({getattr(error, 'verify_message', '') or 'handshake'})"
        case _:
            return f"no connection ({error.strerror or 'refused'})"


class _Timed(io.RawIOBase):
    """
    A socket's bytes until the timeout it has now is over.

    A socket counts its timeout anew at each byte, so a byte a second would last for ever, be it in
    a body, a header or the length of a chunk (V52).
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._raw = sock, sock.makefile("rb", buffering=0)
        self._at = time.monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]  # Buffer is in the library from 3.12 on
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Source:
    """What http.client takes for a socket to read a response from."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002
        return io.BufferedReader(_Timed(self._sock))


class _Response(http.client.HTTPResponse):
    """The socket has the rest of the deadline as its timeout when this is made."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(cast("socket.socket", _Source(sock)), debuglevel, method, url)


class _Plain(http.client.HTTPConnection):
    response_class = _Response


class _Secure(http.client.HTTPSConnection):
    response_class = _Response


# Reading the authorities takes 36 ms: nothing for a command whose registry speaks plain HTTP.
@functools.cache
def system_context() -> ssl.SSLContext:
    """The system's authorities, read at the first connection over TLS, or by who calls this before."""
    return ssl.create_default_context()


def _file_context(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InputError(
            f"no CA certificates can be read: {error.strerror}", where=str(ca_file)
        ) from error
