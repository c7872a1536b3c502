"""Git over https: by the authority of `ca.crt` alone, under the name in the URL, from no other host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import GitCredentials, Mirror
from tests.applier.authority import Authority
from tests.applier.world import MAIN, listener
from tests.simulators.git import GitServer

TOKEN = "glpat-canary-81c2d7"
Serve = Callable[..., GitServer]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Makes a server with a certificate, which asks for the token and has one commit."""
    with ExitStack() as stack:

        def start(certificate: Path, host: str = "127.0.0.1") -> GitServer:
            server = GitServer(
                tmp_path / f"served-{host}", token=TOKEN, certificate=certificate, host=host
            )
            stack.enter_context(server)
            server.create("deploy").commit("main", {"a": b"1"})
            return server

        yield start


def _mirror(server: GitServer, tmp_path: Path, ca_file: Path | None) -> Mirror:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    credentials = GitCredentials(token_file=token, ca_file=ca_file)
    return Mirror(server.url("deploy"), tmp_path / "mirrors", credentials)


def _refused(found: Mirror) -> str:
    with pytest.raises(Failure) as raised:
        found.fetch([MAIN], timeout=60)
    assert raised.value.reason is Reason.GIT_REFUSED, raised.value
    assert TOKEN not in raised.value.message
    return raised.value.message.lower()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_private_authority_opens_the_door(
    serve: Serve, authority: Authority, tmp_path: Path, host: str
) -> None:
    server = serve(authority.issue(host), host)
    found = _mirror(server, tmp_path, authority.ca_file)

    found.fetch([MAIN], timeout=60)

    assert found.read(found.tree_of(found.head(MAIN), ".")) == {"a": b"1"}
    assert server.url("deploy").startswith("https://")


@pytest.mark.parametrize("trusted", ["another of the same name", "those of the machine"])
def test_another_authority_is_refused(
    serve: Serve, authority: Authority, tmp_path: Path, trusted: str
) -> None:
    """Before anything is asked: the token never leaves."""
    server = serve(authority.issue("127.0.0.1"))
    ca_file = None
    if trusted.startswith("another"):
        (tmp_path / "other").mkdir()
        ca_file = Authority(tmp_path / "other").ca_file

    assert "certificate" in _refused(_mirror(server, tmp_path, ca_file))
    assert server.requests == []


@pytest.mark.parametrize(
    ("issued", "asked"), [("git.example.org", "127.0.0.1"), ("127.0.0.1", "localhost")]
)
def test_a_certificate_for_another_name_is_refused(
    serve: Serve, authority: Authority, tmp_path: Path, issued: str, asked: str
) -> None:
    server = serve(authority.issue(issued), asked)

    assert "certificate" in _refused(_mirror(server, tmp_path, authority.ca_file))
    assert server.requests == []


def test_a_certificate_that_is_over_is_refused(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    server = serve(authority.issue("127.0.0.1", days=-1))

    assert "certificate" in _refused(_mirror(server, tmp_path, authority.ca_file))
    assert server.requests == []


def test_an_authority_s_file_that_is_none_is_refused(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    """Missing or broken, it never means "trust those of the machine"."""
    server = serve(authority.issue("127.0.0.1"))
    broken = tmp_path / "broken.crt"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnone\n")

    assert "no such file" in _refused(_mirror(server, tmp_path, tmp_path / "gone.crt"))
    assert "ssl ca cert" in _refused(_mirror(server, tmp_path, broken))
    assert server.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_to_another_host_is_refused(
    serve: Serve, authority: Authority, tmp_path: Path, scheme: str
) -> None:
    """G09: nobody is called there, be the other's certificate as good as ours."""
    server = serve(authority.issue("127.0.0.1"))
    other = serve(authority.issue("localhost"), "localhost")
    with listener() as plain:
        target = other.base if scheme == "https" else f"http://127.0.0.1:{plain.port}"
        server.faults.redirect = target

        said = _refused(_mirror(server, tmp_path, authority.ca_file))

        assert "redirect" in said or "302" in said
        assert plain.connections == 0
    assert other.requests == []
