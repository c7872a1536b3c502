"""Whatever is sent, the gate says in JSON what is wrong with it, and goes on."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from stagepass.review import MAX_BYTES
from tests.webhook.bad_reviews import BAD, GOOD
from tests.webhook.reviews import create
from tests.webhook.server import Reply, Server, reply

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def survives(shared: Server) -> Iterator[None]:
    """No test of this file may cost a worker, or leave a traceback behind."""
    workers, said = shared.workers(), len(shared.stderr())
    yield
    assert shared.judge(create(shared.shop.passed()))["allowed"] is True
    assert shared.workers() == workers
    assert "Traceback" not in shared.stderr()[said:]


def _says(answer: Reply, status: int) -> str:
    """The error of an answer, which must be JSON, one line and short."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json.keys() == {"error"}
    error: str = answer.json["error"]
    assert 0 < len(error) < 2048
    assert not _CONTROL.search(error)
    return error


@contextmanager
def _connection(server: Server) -> Iterator[ssl.SSLSocket]:
    """A connection on which anything can be said, well-formed or not."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw,
        server.context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        yield connection


def _status(connection: ssl.SSLSocket) -> int:
    """Of the answer that comes first; 0 where the connection ends without one."""
    line = connection.makefile("rb").readline()
    return int(line.split()[1]) if line else 0


def test_the_review_that_the_bad_ones_are_made_from_is_good(shared: Server) -> None:
    assert shared.review(GOOD).status == 200


@pytest.mark.parametrize("why", BAD)
def test_what_is_no_review_of_version_1_is_a_400(shared: Server, why: str) -> None:
    _says(shared.review(BAD[why]), 400)


@pytest.mark.parametrize("version", ["admission.k8s.io/v1beta1", "admission.k8s.io/v2"])
def test_a_wrong_version_is_told_the_right_one(shared: Server, version: str) -> None:
    error = _says(shared.review({**create("x"), "apiVersion": version}), 400)

    assert version in error
    assert "only admission.k8s.io/v1" in error


def test_one_byte_too_many_is_a_413(shared: Server) -> None:
    padded = GOOD + b" " * (MAX_BYTES - len(GOOD))

    assert shared.review(padded).status == 200
    assert str(MAX_BYTES) in _says(shared.review(padded + b" "), 413)


def test_a_length_that_is_only_announced_is_a_413_at_once(shared: Server) -> None:
    with _connection(shared) as connection:
        connection.sendall(
            b"POST /validate HTTP/1.1\r\nHost: gate\r\nContent-Length: 1000000000000\r\n\r\n"
        )

        assert _status(connection) == 413


def test_chunks_are_counted_too(shared: Server) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        yield GOOD
        yield from (b" " * (1 << 20) for _ in range(count))

    def ask(count: int) -> Reply:
        with closing(shared.connect()) as connection:
            headers = {"Transfer-Encoding": "chunked"}
            connection.request("POST", "/validate", chunks(count), headers, encode_chunked=True)
            return reply(connection)

    assert ask(7).status == 200
    _says(ask(8), 413)


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}{}{}\r\n0\r\n\r\n",
        b"2;\x00\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_are_none_are_a_400(shared: Server, body: bytes) -> None:
    with _connection(shared) as connection:
        head = b"POST /validate HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + body)

        assert _status(connection) == 400


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_client_that_goes_away_in_the_middle_costs_nothing(
    shared: Server, framing: bytes
) -> None:
    with _connection(shared) as connection:
        head = b"POST /validate HTTP/1.1\r\nHost: gate\r\n" + framing + b"\r\n\r\n"
        connection.sendall(head + b"50\r\n{")


@pytest.mark.parametrize(
    "head",
    [
        b"POST /validate HTTP/1.1\r\nHost: gate\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /validate HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /validate HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /validate HTTP/9.9\r\n\r\n",
        b"POST /validate HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
def test_what_is_not_http_is_never_a_5xx_and_never_a_review(shared: Server, head: bytes) -> None:
    with _connection(shared) as connection:
        connection.sendall(head)

        assert 400 <= _status(connection) < 500


def test_plain_http_is_not_answered(shared: Server) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
        connection.sendall(b"POST /validate HTTP/1.1\r\nHost: gate\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)

        assert b"AdmissionReview" not in connection.makefile("rb").read()


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_a_review_is_asked_for_by_post_only(shared: Server, method: str) -> None:
    _says(shared.request(method, "/validate", GOOD, _JSON), 405)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_is_read_cannot_be_written(shared: Server, path: str) -> None:
    _says(shared.request("POST", path, GOOD, _JSON), 405)


_PATHS = [
    *("/", "//", "/validate/", "//validate", "/validate//", "/validate/.", "/./validate"),
    *("/healthz/../validate", "/%2fvalidate", "//evil.example", "//evil.example/%2e%2e"),
    *("/\\evil.example", "https://evil.example/validate", "http://evil.example//validate/"),
    *("/validate?next=//evil.example", "/healthz/", "/readyz//", "/metrics/", "/static/app.js"),
    *("/favicon.ico", "/VALIDATE", "/validate;x", "/validate%00", "/validate%0d%0aLocation:x"),
]


@pytest.mark.parametrize("path", _PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_no_path_is_ever_a_redirect(shared: Server, method: str, path: str) -> None:
    """CVE-2020-8561: an API server follows a webhook's redirect to wherever it leads."""
    with _connection(shared) as connection:
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n"
            "X-Forwarded-Prefix: /evil\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}".encode()
        )
        head = connection.makefile("rb").read().partition(b"\r\n\r\n")[0].lower()

    status = int(head.split()[1])
    assert status == 200 or 400 <= status < 500
    assert b"\r\nlocation:" not in head
    assert b"\r\nrefresh:" not in head


def test_an_unknown_path_is_a_404_in_json(shared: Server) -> None:
    _says(shared.get("/nothing"), 404)


@pytest.mark.parametrize(
    "timeout", ["", "s", "-1s", "1m", "1e9s", "nans", "%C2%B2s", "10s&timeout=0s"]
)
def test_a_timeout_that_is_none_grants_what_the_settings_grant(
    shared: Server, timeout: str
) -> None:
    body = create(shared.shop.passed())

    assert shared.judge(body, timeout)["allowed"] is True


def test_requests_that_were_no_review_are_counted_by_status(shared: Server) -> None:
    def refused(status: int) -> float:
        name = f'stagepass_refused_requests_total{{status="{status}"}} '
        lines = shared.get("/metrics").body.decode().splitlines()
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = refused(400), refused(413)
    shared.review(b"{}")
    shared.review(b"[]")
    shared.review(b" " * (MAX_BYTES + 1))

    assert (refused(400) - before[0], refused(413) - before[1]) == (2, 1)
