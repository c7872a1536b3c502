"""Connections: opened in time, kept, and given up once the server has."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stagepass.decision import Code
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.transport import Reply, Transport


class _Handler(BaseHTTPRequestHandler):
    """Says back what it was asked, and closes the connection without announcing it."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = f"{self.command} {self.path}".encode()
        self.send_response(200)
        for value in ("one", "two"):
            self.send_header("X-Said", value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    do_GET = do_POST = _answer  # noqa: N815  # the library's names

    def log_message(self, *_: object) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    """Says how many connections it has closed: a POST may only follow once it has."""

    closed = 0

    def shutdown_request(self, request: object) -> None:
        super().shutdown_request(request)  # type: ignore[arg-type]
        self.closed += 1


@pytest.fixture
def server() -> Iterator[_Server]:
    running = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def url(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(per_host=4, ca_file=None)
    yield made
    made.close()


def ask(transport: Transport, url: str, method: str = "GET") -> Reply:
    return transport.send(
        method, url, deadline=Deadline.after(5), max_bytes=1000, headers={}, body=b"x"
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("methods", [("GET", "GET"), ("GET", "POST"), ("POST", "POST")])
def test_a_kept_connection_that_the_server_closed_costs_no_answer(
    methods: tuple[str, str], transport: Transport, url: str, server: _Server
) -> None:
    replies = []
    for number, method in enumerate(methods):
        replies.append(ask(transport, f"{url}/a", method))
        wait_until(lambda number=number: server.closed > number)

    assert [reply.body for reply in replies] == [f"{method} /a".encode() for method in methods]


def test_a_name_that_resolves_for_longer_than_the_deadline_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    resolved = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        resolved.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    deadline = Deadline.after(0.1)
    with pytest.raises(Unavailable) as late:
        transport.send("GET", "http://reg.test/", deadline=deadline, max_bytes=9, headers={})
    assert not resolved.is_set()
    resolved.set()
    assert late.value.code == Code.DEADLINE


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "reg..test"])
def test_what_is_no_name_does_not_resolve(host: str, transport: Transport) -> None:
    with pytest.raises(Unavailable, match="does not resolve"):
        ask(transport, f"http://{host}/")


def test_a_path_is_sent_in_characters_that_may_stand_in_one(transport: Transport, url: str) -> None:
    assert ask(transport, f"{url}/ä b%2f?c=d e#f").body == b"GET /%C3%A4%20b%2f?c=d%20e"


def test_a_header_that_stands_twice_is_both(transport: Transport, url: str) -> None:
    reply = ask(transport, url)

    assert (reply.header("x-said"), reply.header("Absent")) == ("one, two", "")
