"""HTTP within a deadline and a size: nothing a server sends, or how slowly, gets past either."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from stagepass import __version__
from stagepass.decision import Code
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.connections import ConnectionFailed, Connections

_CHUNK = 1 << 16
# The body of an error is only worth reading to keep the connection.
_MAX_ERROR_BODY = 1 << 16
_READING = ("GET", "HEAD")
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
# RFC 3986 section 3.3 and 3.4; what a Location holds beside these is escaped.
_TARGET = re.compile(r"[A-Za-z0-9\-._~%!$&'()*+,;=:@/?]+", re.ASCII)
_HEADERS = {"User-Agent": f"stagepass/{__version__}", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole; the body of an error is left out."""

    url: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str:
        """Its value, whatever its case; of several, all of them with commas; "" for none."""
        return ", ".join(self.headers.get_all(name, ()))

    @property
    def host(self) -> str:
        """Who answered, `host[:port]`."""
        return urlsplit(self.url).netloc

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters, "" where there is none."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

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


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: SplitResult
    headers: dict[str, str]
    body: bytes | None

    @property
    def target(self) -> str:
        """Path and query, in characters that may stand there."""
        path = self.url.path or "/"
        target = f"{path}?{self.url.query}" if self.url.query else path
        return target if _TARGET.fullmatch(target) else quote(target, safe="-._~%!$&'()*+,;=:@/?")


class Transport:
    """Connections, `per_host` kept for each host. Thread-safe."""

    def __init__(
        self, *, per_host: int, ca_file: Path | None, observe: Observer | None = None
    ) -> None:
        """`ca_file` (PEM) replaces the system's authorities. Raises `InputError`."""
        self._observe = observe or _unobserved
        self._connections = Connections(per_host, ca_file)

    def close(self) -> None:
        """Close what is kept."""
        self._connections.close()

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
        request = _Request(method, urlsplit(url), {**_HEADERS, **headers}, body)
        host = request.url.netloc
        try:
            connection, response = self._open(request, deadline)
            try:
                data = _read(response, host, max_bytes)
                is_whole = response.length == 0 or response.isclosed()
            except BaseException:
                connection.close()
                raise
            finally:
                response.close()
            if is_whole and not response.will_close:
                self._connections.give_back(request.url, connection)
            else:
                connection.close()
        # ValueError: no name that can be looked up, no length of a chunk.
        except (http.client.HTTPException, OSError, ValueError) as error:
            self._observe(host, "error")
            raise _unavailable(host, error, deadline) from error
        self._observe(host, str(response.status))
        return Reply(url, response.status, response.headers, data)

    def _open(
        self, request: _Request, deadline: Deadline
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        is_reading = request.method in _READING
        kept = self._connections.kept(request.url, is_checked=not is_reading)
        try:
            return self._ask(request, deadline, kept)
        except _CLOSED:
            # A kept connection which the server closed just now. RFC 9110 section 9.2.2: a client
            # may repeat what only reads.
            if not is_reading:
                raise
        return self._ask(request, deadline, None)

    def _ask(
        self, request: _Request, deadline: Deadline, kept: http.client.HTTPConnection | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = kept or self._connections.open(request.url, deadline)
        try:
            connection.sock.settimeout(deadline.remaining())
            connection.request(request.method, request.target, request.body, request.headers)
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise


def origin(url: str) -> tuple[str, str]:
    """Scheme and host of a URL, the default port left out: two that are equal are one server."""
    scheme, netloc = urlsplit(url)[:2]
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return scheme, netloc.lower().removesuffix(port)


def _read(response: http.client.HTTPResponse, host: str, max_bytes: int) -> bytes:
    if response.status >= 300:
        if response.length is not None and response.length <= _MAX_ERROR_BODY:
            with suppress(OSError, http.client.HTTPException):
                response.read()
        return b""
    # B66: a page of zeros packs 1,000 to 1, and no digest is of packed bytes.
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise Unavailable(
            Code.REGISTRY_UNAVAILABLE,
            f"{host} answered in a Content-Encoding, which nobody asked for",
        )
    data = bytearray()
    while response.length != 0 and (chunk := response.read1(_CHUNK)):
        data += chunk
        if len(data) > max_bytes:
            raise Unavailable(
                Code.EVIDENCE_LIMIT,
                f"{host} sent over {max_bytes} bytes, the most we read of one answer",
            )
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(data)


def _unavailable(host: str, error: Exception, deadline: Deadline) -> Unavailable:
    if time.monotonic() >= deadline.at:
        return Unavailable(Code.DEADLINE, f"{host} had not answered when the deadline passed")
    return Unavailable(Code.REGISTRY_UNAVAILABLE, f"{host}: {_reason(error)}")


def _reason(error: Exception) -> str:
    """In our words: a server's are not to be passed on."""
    match error:
        case ConnectionFailed():
            return str(error)
        case UnicodeError():
            return "the name does not resolve"
        case TimeoutError():
            return "no answer in time"
        case _:
            return "the answer broke off or is not HTTP"


def _unobserved(host: str, result: str) -> None:
    """Nobody counts."""
