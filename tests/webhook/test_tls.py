"""TLS of the gate: what is spoken, and how its certificate is replaced while it serves."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.issue import issue as reissue
from certs.names import Names
from tests.webhook.server import Server, issue, wait_until
from tests.webhook.shop import Shop
from webhook.tls import ServerContext


@pytest.fixture
def server(tmp_path: Path, shop: Shop) -> Iterator[Server]:
    with Server(tmp_path, shop) as running:
        yield running


def _rotate(directory: Path) -> None:
    """As `python -m certs rotate`, which a loop has no time to start."""
    names = Names.of_certificate(directory / "tls.crt")
    reissue(directory, names, days=1, replace=True, now=datetime.now(UTC))


def _served(server: Server) -> bytes:
    """The certificate that the next connection is shown."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw,
        server.context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def _on_disk(directory: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert((directory / "tls.crt").read_text())


def _client(ca: Path, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks this version alone, however old; OpenSSL itself would refuse to."""
    context = ssl.create_default_context(cafile=ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    return context


def _handshake(port: int, context: ssl.SSLContext) -> str | None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        return connection.version()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_from_1_2_on_is_spoken(shared: Server, version: ssl.TLSVersion) -> None:
    spoken = _handshake(shared.port, _client(shared.tls / "ca.crt", version))

    assert spoken == version.name.replace("_", ".")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_refused_by_the_gate(shared: Server, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"):
        _handshake(shared.port, _client(shared.tls / "ca.crt", version))


def test_a_rotated_certificate_is_served_and_no_request_fails(server: Server) -> None:
    stop, failures, answered = threading.Event(), list[Exception](), list[int]()

    def ask() -> None:
        while not stop.is_set():
            try:
                answered.append(server.get("/healthz").status)
            except OSError as error:
                failures.append(error)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        shown = {_served(server)}
        for _ in range(10):
            _rotate(server.tls)
            shown.add(_served(server))
            assert _on_disk(server.tls) in shown
    finally:
        stop.set()
        for asker in askers:
            asker.join()

    assert failures == []
    assert set(answered) == {200}
    assert len(shown) == 11


def test_half_a_rotation_keeps_the_old_pair(server: Server, tmp_path: Path) -> None:
    """A key without its certificate, then neither: connections go on until the new pair is whole."""
    before, other = _served(server), tmp_path / "other"
    shutil.copytree(server.tls, other)
    _rotate(other)
    assert _on_disk(other) != before

    shutil.copy(other / "tls.key", server.tls)
    assert _served(server) == before
    (server.tls / "tls.crt").write_text("")
    assert _served(server) == before
    (server.tls / "tls.crt").unlink()
    assert _served(server) == before
    shutil.copy(other / "tls.crt", server.tls)
    assert _served(server) == _on_disk(other)
    assert server.get("/healthz").status == 200


def test_a_secret_is_followed_through_its_links(tmp_path: Path, shop: Shop) -> None:
    """A kubelet swaps both files at once, by one link."""
    first, second, tls = (tmp_path / name for name in ("..1", "..2", "tls"))
    issue(first)
    shutil.copytree(first, second)
    _rotate(second)
    tls.mkdir()
    (tls / "..data").symlink_to(first)
    for name in ("tls.crt", "tls.key", "ca.crt"):
        (tls / name).symlink_to(f"..data/{name}")
    with Server(tmp_path, shop) as server:
        assert _served(server) == _on_disk(first)

        (tls / "..new").symlink_to(second)
        (tls / "..new").rename(tls / "..data")

        assert _served(server) == _on_disk(second)


def test_no_handshake_meets_half_a_pair_while_the_pair_is_replaced(tmp_path: Path) -> None:
    """Many handshakes against one `ServerContext`, while files change as fast as they can."""
    issue(tmp_path)
    server, stop = ServerContext(tmp_path), threading.Event()
    client = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    failures: list[Exception] = []

    def shake_hands() -> None:
        while not stop.is_set():
            to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
            ends = (
                client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1"),
                server.current().wrap_bio(to_server, to_client, server_side=True),
            )
            try:
                for end in ends * 2:
                    with suppress(ssl.SSLWantReadError):
                        end.do_handshake()
            except ssl.SSLError as error:
                failures.append(error)

    threads = [threading.Thread(target=shake_hands) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(150):
            _rotate(tmp_path)
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert failures == []


@contextmanager
def _idle(server: Server, count: int, first: bytes, *, tls: bool) -> Iterator[None]:
    """`count` clients that send `first` and then nothing, and never close."""
    with ExitStack() as stack:
        for _ in range(count):
            raw = stack.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=30)
            )
            client: socket.socket = raw
            if tls:
                wrapped = server.context.wrap_socket(raw, server_hostname="127.0.0.1")
                client = stack.enter_context(closing(wrapped))
            client.sendall(first)
        yield


_HEAD = b"POST /validate HTTP/1.1\r\nHost: gate\r\n"


@pytest.mark.parametrize(
    ("first", "tls"),
    [
        pytest.param(b"\x16", False, id="in a handshake"),
        pytest.param(b"POST /val", True, id="in a request line"),
        pytest.param(_HEAD + b"Content-Length: 100\r\n\r\n{", True, id="in a body"),
        pytest.param(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", True, id="before a chunk"),
    ],
)
def test_ten_clients_that_stop_in_the_middle_do_not_stop_health_answers(
    server: Server, first: bytes, tls: bool
) -> None:
    """They hold all eight threads of the only worker, each for five seconds at most."""
    with _idle(server, 10, first, tls=tls):
        until = time.monotonic() + 15
        assert server.get("/healthz").status == 200
        assert time.monotonic() < until


def test_clients_that_never_close_do_not_keep_the_others_waiting(server: Server) -> None:
    """After `Connection: close` the gate ends the connection, whether or not the client does."""
    until = time.monotonic() + 15
    asked = b"GET /healthz HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n"
    with _idle(server, 15, asked, tls=True):
        wait_until(lambda: server.get("/healthz").status == 200)
    assert time.monotonic() < until
