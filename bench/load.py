"""
The load client: N kept TLS connections, each with one review under way, in an epoll loop.

It shares the cores with the servers, so it does little: a prepared request out, an answer in, and a
look for `"allowed":true`.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

_HEAD = (
    "POST /validate?timeout=10s HTTP/1.1\r\n"
    "Host: 127.0.0.1:{port}\r\n"
    "User-Agent: kube-apiserver-admission\r\n"
    "Accept: application/json, */*\r\n"
    "Content-Type: application/json\r\n"
    "Accept-Encoding: gzip\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_HELLO = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run saw. All times in seconds; `wrong` holds the answers that are no admission."""

    seconds: float
    latencies: tuple[float, ...]
    wrong: tuple[bytes, ...]


class Load:
    """Sets of connections, by (port, count)."""

    def __init__(self, ca_file: str) -> None:
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._spare: list[ssl.SSLSocket] = []
        self._sets: dict[tuple[int, int], list[ssl.SSLSocket]] = {}

    def connect(self, port: int, count: int) -> list[int]:
        """Open `count` connections more, for `keep` to choose from; their local ports."""
        for _ in range(count):
            plain = socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self._tls.wrap_socket(plain, server_hostname="127.0.0.1")
            # A connection that asks for nothing holds one of the worker's threads for 5 s.
            sock.sendall(_HELLO)
            _answer(sock)
            self._spare.append(sock)
        return [_local_port(sock) for sock in self._spare]

    def keep(self, port: int, local_ports: list[int]) -> None:
        """Make a set of these; close what else is open and in no set."""
        chosen = [sock for sock in self._spare if _local_port(sock) in local_ports]
        for sock in self._spare:
            if sock not in chosen:
                sock.close()
        self._spare = []
        self._sets[port, len(chosen)] = chosen

    def close(self, port: int, clients: int) -> None:
        """Close a set."""
        for sock in self._sets.pop((port, clients)):
            sock.close()

    def hold(self, port: int, clients: int, body: bytes, seconds: float) -> Outcome:
        """Post `body` over and over for that long."""
        until = time.perf_counter() + seconds
        return self._run(port, clients, repeat(_request(port, body)), until)

    def each(self, port: int, clients: int, bodies: list[bytes]) -> Outcome:
        """Post every body once."""
        return self._run(port, clients, iter([_request(port, body) for body in bodies]), None)

    def _run(
        self, port: int, clients: int, requests: Iterator[bytes], until: float | None
    ) -> Outcome:
        sockets = {sock.fileno(): sock for sock in self._sets[port, clients]}
        poll, sent, latencies = select.epoll(), dict[int, float](), list[float]()
        wrong: list[bytes] = []
        started = time.perf_counter()
        for descriptor, sock in sockets.items():
            poll.register(descriptor, select.EPOLLIN)
            if (request := next(requests, None)) is not None:
                sent[descriptor] = time.perf_counter()
                sock.sendall(request)
        while sent:
            for descriptor, _ in poll.poll():
                sock = sockets[descriptor]
                answer = _answer(sock)
                now = time.perf_counter()
                if not answer.startswith(b"HTTP/1.1 200 ") or b'"allowed":true' not in answer:
                    wrong.append(answer)
                latencies.append(now - sent.pop(descriptor))
                if until is not None and now >= until:
                    continue
                if (request := next(requests, None)) is not None:
                    sent[descriptor] = now
                    sock.sendall(request)
        ended = time.perf_counter()
        poll.close()
        return Outcome(ended - started, tuple(latencies), tuple(wrong))


def _request(port: int, body: bytes) -> bytes:
    return _HEAD.format(port=port, length=len(body)).encode() + body


def _local_port(sock: ssl.SSLSocket) -> int:
    port: int = sock.getsockname()[1]
    return port


def _answer(sock: ssl.SSLSocket) -> bytes:
    """One whole response; the head names its length, as flask always does."""
    data = sock.recv(65_536)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(sock)
    head = data[:end].lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(data) < end + 4 + length:
        data += _more(sock)
    return data


def _more(sock: ssl.SSLSocket) -> bytes:
    if not (data := sock.recv(65_536)):
        raise ConnectionError("the server closed the connection")
    return data
