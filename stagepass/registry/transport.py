"""HTTP within a deadline and a size: nothing a server sends, or how slowly, gets past either."""

from __future__ import annotations

import functools
import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

from stagepass import __version__
from stagepass.decision import Code
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline

CONNECT_SECONDS = 3.0
_CHUNK = 1 << 16
# The body of an error is only worth reading to keep the connection.
_MAX_ERROR_BODY = 1 << 16
_HEADERS = {"User-Agent": f"stagepass/{__version__}", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole. `headers` are found whatever their case; the body of an error is left out."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def host(self) -> str:
        """Who answered, `host[:port]`."""
        return urlsplit(self.url).netloc

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters, "" where there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def joined(self, link: str) -> str:
        """The URL that `link`, a header of this answer, means. Raises `Unavailable` for none."""
        try:
            url = urljoin(self.url, link)
            urlsplit(url)
        except ValueError as error:
            raise Unavailable(
                Code.REGISTRY_UNAVAILABLE, f"{self.host} refers us to something that is no URL"
            ) from error
        return url


Observer = Callable[[str, str], None]
"""Told of each request: `host[:port]`, and the status or `error`."""


class Transport:
    """A pool of connections, `per_host` kept for each host. Thread-safe."""

    def __init__(
        self, *, per_host: int, hosts: int, ca_file: Path | None, observe: Observer | None = None
    ) -> None:
        """`ca_file` (PEM) replaces the system's authorities. Raises `InputError`."""
        self._observe = observe or _unobserved
        self._pools = urllib3.PoolManager(
            num_pools=hosts,
            maxsize=per_host,
            retries=False,
            ssl_context=_file_context(ca_file) if ca_file else _system_context(),
        )
        self._pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def close(self) -> None:
        """Close what is kept."""
        self._pools.clear()

    def send(
        self,
        method: str,
        url: str,
        *,
        deadline: Deadline,
        max_bytes: int,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Reply:
        """
        One request, one answer, no redirect followed.

        Raises `Unavailable`: `DEADLINE`, `EVIDENCE_LIMIT` for a body over `max_bytes`, whatever
        Content-Length claims, or `REGISTRY_UNAVAILABLE`.
        """
        host = urlsplit(url).netloc
        try:
            response = self._open(method, url, deadline, {**_HEADERS, **headers}, body)
            try:
                data = _read(response, host, max_bytes)
            finally:
                response.close()
        except (exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            self._observe(host, "error")
            raise _unavailable(host, error, deadline) from error
        self._observe(host, str(response.status))
        return Reply(url, response.status, response.headers, data)

    def _open(
        self, method: str, url: str, deadline: Deadline, headers: dict[str, str], body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._request(method, url, deadline, headers, body)
        except exceptions.ProtocolError as error:
            # A kept connection which the server closed just now. RFC 9110 section 9.2.2: a client
            # may repeat what only reads.
            if method not in ("GET", "HEAD") or not isinstance(error.args[-1], ConnectionError):
                raise
        return self._request(method, url, deadline, headers, body)

    def _request(
        self, method: str, url: str, deadline: Deadline, headers: dict[str, str], body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        left = deadline.remaining()
        return self._pools.request(
            method,
            url,
            headers=headers,
            body=body,
            timeout=urllib3.Timeout(total=left, connect=min(CONNECT_SECONDS, left)),
            preload_content=False,
            decode_content=False,
            redirect=False,
        )


def origin(url: str) -> tuple[str, str]:
    """Scheme and host of a URL, the default port left out: two that are equal are one server."""
    scheme, netloc = urlsplit(url)[:2]
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return scheme, netloc.lower().removesuffix(port)


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


class _Response(http.client.HTTPResponse):
    """urllib3 gives the socket the rest of the deadline as its timeout just before this is made."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = io.BufferedReader(_Timed(sock))


class _PlainConnection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


# Reading the system's authorities takes 36 ms.
@functools.cache
def _system_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _file_context(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InputError(
            f"no CA certificates can be read: {error.strerror}", where=str(ca_file)
        ) from error


def _read(response: urllib3.BaseHTTPResponse, host: str, max_bytes: int) -> bytes:
    if response.status >= 300:
        length = response.length_remaining
        if length is not None and length <= _MAX_ERROR_BODY:
            response.drain_conn()
        return b""
    # B66: a page of zeros packs 1,000 to 1, and no digest is of packed bytes.
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unavailable(
            Code.REGISTRY_UNAVAILABLE,
            f"{host} answered in a Content-Encoding, which nobody asked for",
        )
    data = bytearray()
    while chunk := response.read1(_CHUNK):
        data += chunk
        if len(data) > max_bytes:
            raise Unavailable(
                Code.EVIDENCE_LIMIT,
                f"{host} sent over {max_bytes} bytes, the most we read of one answer",
            )
    return bytes(data)


def _unavailable(host: str, error: Exception, deadline: Deadline) -> Unavailable:
    if time.monotonic() >= deadline.at:
        return Unavailable(Code.DEADLINE, f"{host} had not answered when the deadline passed")
    return Unavailable(Code.REGISTRY_UNAVAILABLE, f"{host}: {_reason(error)}")


def _reason(error: Exception) -> str:
    """In our words: urllib3's hold the addresses of objects, and a server's are not to be passed on."""
    match error:
        case exceptions.NameResolutionError():
            return "the name does not resolve"
        case exceptions.NewConnectionError():
            return f"no connection ({getattr(error.__cause__, 'strerror', None) or 'refused'})"
        case exceptions.ConnectTimeoutError():
            return f"no connection within {CONNECT_SECONDS:g} s"
        case exceptions.TimeoutError():
            return "no answer in time"
        case exceptions.SSLError():
            return f"TLS failed ({getattr(error.args[0], 'verify_message', '') or 'handshake'})"
        case _:
            return "the answer broke off or is not HTTP"


def _unobserved(host: str, result: str) -> None:
    """Nobody counts."""
