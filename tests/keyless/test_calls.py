"""Calls of a library that has no time limit of its own, and speaks to the terminal."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from stagepass.errors import InputError, Unavailable
from stagepass.keyless.calls import call, local_or_https
from tests.webhook.server import issue


def test_who_hangs_is_not_waited_for() -> None:
    gate = threading.Event()
    start = time.monotonic()
    try:
        with pytest.raises(Unavailable, match=r"no answer within 0\.2 seconds") as caught:
            call(gate.wait, "the authority", 0.2)
    finally:
        gate.set()
    assert caught.value.code == "DEADLINE"
    assert time.monotonic() - start < 5


def test_what_a_library_says_is_kept_from_the_terminal_and_handed_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = list(logging.getLogger().handlers)

    def talking() -> int:
        logging.getLogger("some.library").warning("no stamp\x1b[2J from %s", "there")
        warnings.warn("deprecated", stacklevel=1)
        return 7

    assert call(talking, "the authority") == (7, ["no stamp?[2J from there"])
    assert logging.getLogger().handlers == before
    assert capfd.readouterr() == ("", "")


def test_an_error_of_ours_goes_through_as_it_is() -> None:
    error = InputError("set up wrongly", hint="so")

    def failing() -> None:
        raise error

    with pytest.raises(InputError) as caught:
        call(failing, "the authority")
    assert caught.value is error
    assert error.__cause__ is None


def test_any_other_error_is_could_not_find_out() -> None:
    def failing() -> None:
        raise KeyError("signedCertificateEmbeddedSct")

    with pytest.raises(Unavailable, match="KeyError: 'signedCertificateEmbeddedSct'"):
        call(failing, "the authority")


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("https://ca.example.com", True),
        ("http://127.0.0.1:80", True),
        ("http://[::1]:80", True),
        ("http://127.0.0.1.example.com", False),
        ("http://ca.example.com", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_a_secret_goes_nowhere_in_the_clear(url: str, is_fine: bool) -> None:
    if is_fine:
        local_or_https(url, "here")
        return
    with pytest.raises(InputError, match="is no https URL"):
        local_or_https(url, "here")


class TestAuthorities:
    """A certificate authority of one's own, for what sigstore calls by requests."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> Iterator[str]:
        """A server with a certificate of `tmp_path`'s own authority."""
        issue(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
        with HTTPServer(("127.0.0.1", 0), _Handler) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"https://127.0.0.1:{server.server_port}/"
            finally:
                server.shutdown()
                thread.join()

    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)

    def test_the_variable_of_all_else_does(
        self, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            call(lambda: requests.get(url, timeout=10), "the authority")

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        answer, _ = call(lambda: requests.get(url, timeout=10), "the authority")
        assert answer.status_code == 200
        assert "REQUESTS_CA_BUNDLE" not in os.environ

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_those_of_requests_win(
        self, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        issue(tmp_path / "other")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other" / "ca.crt"))
        monkeypatch.setenv(name, str(tmp_path / "ca.crt"))
        answer, _ = call(lambda: requests.get(url, timeout=10), "the authority")

        assert answer.status_code == 200


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """A request is no event."""
