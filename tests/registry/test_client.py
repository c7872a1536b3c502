from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.replies import NotFound, Throttled
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.uploads import push_blob, push_manifest
from tests.registry import REPOSITORY, digest_in, paths, reference
from tests.registry.conftest import Connect
from tests.registry.raw import Raw, response
from tests.simulators.registry import MANIFEST_TYPE, Registry

Ask = Callable[[RegistryClient, ImageRef, Deadline], Any]

ASKS: dict[str, Ask] = {
    "referrers": lambda c, image, until: c.referrers(image, digest_in(image), until),
    "tag": lambda c, image, until: c.tag_index(image, digest_in(image), until),
    "manifest": lambda c, image, until: c.manifest(image, digest_in(image), until),
    "head": lambda c, image, until: c.head_manifest(image, digest_in(image), until),
    "blob": lambda c, image, until: c.blob(image, digest_in(image), until),
    "push blob": lambda c, image, until: push_blob(c.session, image, b"{}", until),
    "push manifest": lambda c, image, until: push_manifest(
        c.session, image, b"{}", MANIFEST_TYPE, until
    ),
}
every_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
ZERO = f"sha256:{'0' * 64}"


def soon() -> Deadline:
    return Deadline.after(5)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Where a connection was opened to, name or address."""
    opened: list[object] = []
    connect_to = socket.create_connection

    def count(address: Any, *arguments: Any, **options: Any) -> socket.socket:
        opened.append(address)
        return connect_to(address, *arguments, **options)

    monkeypatch.setattr(socket, "create_connection", count)
    return opened


@every_ask
@pytest.mark.parametrize(
    "host", ["169.254.169.254", "kubernetes.default.svc", "reg.test:22", "REG.test"]
)
def test_hosts_are_checked_before_any_socket(
    ask: Ask, host: str, connect: Connect, connections: list[object]
) -> None:
    client = connect("reg.test")
    with pytest.raises(Unavailable, match=f"{host} is not asked") as refused:
        ask(client, reference(host, ZERO), soon())
    assert refused.value.code == Code.REGISTRY_UNAVAILABLE
    assert connections == []


@every_ask
@pytest.mark.parametrize("status", [401, 403, 405, 429, 500, 503, 307])
def test_a_refusal_is_never_an_empty_answer(
    ask: Ask, status: int, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.faults.status = status
    with pytest.raises(Unavailable) as refused:
        ask(client, image, soon())
    assert refused.value.code == Code.REGISTRY_UNAVAILABLE
    assert isinstance(refused.value, Throttled) == (status == 429)
    assert len(registry.requests) <= 4, "no retries"


@every_ask
def test_the_deadline_bounds_a_silent_server(
    ask: Ask, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.faults.hang = True
    started = time.monotonic()
    with pytest.raises(Unavailable, match="had not answered when the deadline passed") as late:
        ask(client, image, Deadline.after(0.3))
    assert late.value.code == Code.DEADLINE
    assert 0.25 < time.monotonic() - started < 0.7


@pytest.mark.parametrize(
    ("answer", "at_once"),
    [
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99, 20),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 99, 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 99, 47),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 99, 47),
        (response(b"x" * 99), 50),
    ],
    ids=["header", "continue", "chunk length", "chunks", "body"],
)
def test_a_byte_now_and_then_does_not_outlast_the_deadline(
    answer: bytes, at_once: int, connect: Connect
) -> None:
    """A socket's own timeout starts anew with each byte (V52)."""
    with Raw(answer, pause=0.1, at_once=at_once) as raw:
        image = reference(raw.host, ZERO)
        started = time.monotonic()
        with pytest.raises(Unavailable) as late:
            connect(raw.host).manifest(image, digest_in(image), Deadline.after(0.4))
    assert late.value.code == Code.DEADLINE
    assert 0.35 < time.monotonic() - started < 0.8


def test_silence_after_a_late_byte_does_not_outlast_the_deadline(connect: Connect) -> None:
    with Raw(response(b"x" * 99), pause=0.9, at_once=50) as raw:
        image = reference(raw.host, ZERO)
        started = time.monotonic()
        with pytest.raises(Unavailable):
            connect(raw.host).manifest(image, digest_in(image), Deadline.after(1.0))
        assert time.monotonic() - started < 1.5


def test_nothing_is_asked_after_the_deadline(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    with pytest.raises(Unavailable) as late:
        client.referrers(image, digest_in(image), Deadline.after(-1))
    assert late.value.code == Code.DEADLINE
    assert registry.requests == []


@pytest.mark.parametrize("kind", ["manifest", "blob", "head"])
def test_other_bytes_than_the_digest_names_are_refused(
    kind: str, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """The simulator keeps the right Docker-Content-Digest; it is not believed (V22)."""
    blob = reference(registry.host, registry.put_blob(REPOSITORY, b'{"a": 1}'))
    registry.faults.lie = True
    with pytest.raises(Unavailable, match="sent other bytes than sha256:") as lie:
        ASKS[kind](client, blob if kind == "blob" else image, soon())
    assert lie.value.code == Code.REGISTRY_UNAVAILABLE


@pytest.mark.parametrize("kind", ["referrers", "tag", "manifest", "head", "blob"])
def test_a_body_that_breaks_off_is_refused(
    kind: str, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    registry.attach(REPOSITORY, str(image.digest), b"a bundle", as_tag=True)
    blob = reference(registry.host, registry.put_blob(REPOSITORY, b"a blob"))
    registry.faults.truncate = True
    with pytest.raises(Unavailable, match="the answer broke off") as short:
        ASKS[kind](client, blob if kind == "blob" else image, soon())
    assert short.value.code == Code.REGISTRY_UNAVAILABLE


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (response(b"x", "Content-Encoding: gzip"), Code.REGISTRY_UNAVAILABLE, "Content-Encoding"),
        (response(b"x" * ((1 << 20) + 1)), Code.EVIDENCE_LIMIT, "over 1048576 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 21), Code.EVIDENCE_LIMIT, "over 1048576 bytes"),
        (b"SSH-2.0-OpenSSH\r\n", Code.REGISTRY_UNAVAILABLE, "broke off or is not HTTP"),
        (b"", Code.REGISTRY_UNAVAILABLE, "broke off or is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            Code.REGISTRY_UNAVAILABLE,
            "broke off",
        ),
    ],
)
def test_an_answer_of_another_kind_is_refused(
    answer: bytes, code: Code, message: str, connect: Connect
) -> None:
    with Raw(answer) as raw:
        image = reference(raw.host, ZERO)
        with pytest.raises(Unavailable, match=message) as refused:
            connect(raw.host).blob(image, digest_in(image), soon())
    assert refused.value.code == code


def test_nobody_there_is_said_in_words(connect: Connect) -> None:
    with Registry() as registry:
        host = registry.host
    image = reference(host, ZERO)
    with pytest.raises(Unavailable, match=rf"^{host}: no connection \(Connection refused\)$"):
        connect(host).manifest(image, digest_in(image), soon())


def test_what_only_reads_is_sent_twice_when_a_connection_is_closed(connect: Connect) -> None:
    """A registry may close a kept connection at any moment; more than once is its answer."""
    with Raw(b"") as raw:
        image, client = reference(raw.host, ZERO), connect(raw.host)
        with pytest.raises(Unavailable):
            client.manifest(image, digest_in(image), soon())
        assert len(raw.requests) == 2
        with pytest.raises(Unavailable):
            push_manifest(client.session, image, b"{}", MANIFEST_TYPE, soon())
        assert len(raw.requests) == 3


def test_connections_are_kept(
    registry: Registry, client: RegistryClient, image: ImageRef, connections: list[object]
) -> None:
    for _ in range(3):
        client.manifest(image, digest_in(image), soon())
        client.tag_index(image, digest_in(image), soon())
        push_blob(client.session, image, b"{}", soon())
    assert len(registry.requests) == 3 + 3 + 5
    assert connections == [("127.0.0.1", int(registry.host.rpartition(":")[2]))]


def test_a_head_is_of_bytes_that_were_read(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    found = client.head_manifest(image, digest_in(image), soon())
    body = client.manifest(image, digest_in(image), soon())
    assert (found.media_type, found.digest, found.size) == (
        MANIFEST_TYPE,
        image.digest,
        len(body),
    )
    assert paths(registry) == ["GET manifests", "GET manifests"]


@pytest.mark.parametrize("body", [b'{"manifests":[],"layers":[]}', b"{}", b"<html>"])
def test_a_head_of_no_manifest_is_refused(
    body: bytes, registry: Registry, client: RegistryClient
) -> None:
    """One text that is both a manifest and an index is neither (GHSA-qq97-vm5h-rrhg)."""
    image = reference(registry.host, registry.put_manifest(REPOSITORY, body))
    with pytest.raises(InputError):
        client.head_manifest(image, digest_in(image), soon())


def test_what_is_not_there_is_not_found(client: RegistryClient, image: ImageRef) -> None:
    other = Digest.of(b"other")
    for ask in (client.manifest, client.blob, client.head_manifest):
        with pytest.raises(NotFound, match=f"answered 404 for the .* {other}"):
            ask(image, other, soon())


def test_ca_files_are_read_at_once(tmp_path: Path) -> None:
    arguments = (RegistrySettings(), Credentials(), frozenset({"reg.test"}))
    with pytest.raises(InputError, match=r"absent.pem: no CA certificates can be read"):
        RegistryClient(*arguments, ca_file=tmp_path / "absent.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(InputError, match=r"empty.pem: no CA certificates can be read"):
        RegistryClient(*arguments, ca_file=tmp_path / "empty.pem")
