"""OIDC tokens that are none, or that a CI job cannot get: nothing stored, and the reason told."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Result
from tests.cli.identities import Keyless


def with_token(ci: Keyless, text: str) -> Result:
    config = str(ci.configured())
    result = ci.attest(["--identity-token", str(ci.token(text)), "--trust-config", config])
    assert text[20:60] not in result.err + result.out or len(text) < 60, "a token is a password"
    return result


def test_no_token_to_be_had_says_what_each_ci_needs(ci: Keyless) -> None:
    result = ci.attest(["--identity", "--trust-config", str(ci.configured())])

    assert result.code == 64
    for word in (
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "id-token: write",
        "SIGSTORE_ID_TOKEN",
        "CIRCLECI",
    ):
        assert word in result.err
    assert not ci.server.requests


def test_a_github_job_without_the_permission_is_told_which(
    ci: Keyless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = ci.attest(["--identity", "--trust-config", str(ci.configured())])

    assert result.code == 64
    assert "permissions: {id-token: write}" in result.err


def test_a_gitlab_job_without_the_token_is_told_so(
    ci: Keyless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    result = ci.attest(["--identity", "--trust-config", str(ci.configured())])

    assert result.code == 64
    assert "SIGSTORE_ID_TOKEN" in result.err


@pytest.mark.parametrize(("status", "code"), [("500", 2), ("403", 64)])
def test_a_ci_that_gives_no_token_now(
    ci: Keyless, status: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away is exit code 2; a refusal is a job that is set up wrongly."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/token?x=1"
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "secret")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", url)
        answer = f"HTTP/1.0 {status} X\r\nContent-Length: 2\r\n\r\nno".encode()
        script = (
            "import socket, sys; server = socket.socket(fileno=int(sys.argv[1]));"
            "peer, _ = server.accept(); peer.recv(65536); peer.sendall(sys.argv[2].encode());"
            "peer.shutdown(1); peer.recv(1)"
        )
        command = [sys.executable, "-c", script, str(server.fileno()), answer.decode()]
        with subprocess.Popen(command, pass_fds=[server.fileno()]) as process:
            result = ci.attest(["--identity", "--trust-config", str(ci.configured())])
            process.wait(10)

    assert result.code == code
    assert f"code={status}" in result.err
    assert "secret" not in result.err


def test_a_ci_whose_token_would_travel_in_the_clear_is_not_asked(
    ci: Keyless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "secret")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://ci.example.com/token")
    result = ci.attest(["--identity", "--trust-config", str(ci.configured())])

    assert result.code == 64
    assert "is no https URL" in result.err


def test_tokens_that_are_none(ci: Keyless) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    good = ci.provider.token()
    header, claims, signature = good.split(".")
    other = json.loads(base64.urlsafe_b64decode(claims + "=="))
    other["sub"] = "repo:acme/other:ref:refs/heads/main"
    forged = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
    for text, said in (
        (ci.provider.token(at=past), "has expired"),
        (ci.provider.token("https://github.com/acme"), "aud: sigstore"),
        (ci.provider.token(sub=None), "has no sub"),
        (good[:-1000] if len(good) > 1100 else good[: len(good) // 2], "is no JSON Web Token"),
        ("nonsense", "is no JSON Web Token"),
        ("", "empty"),
        (f"{header}.{forged}.{signature}", "refuses the token: 400"),
        (ci.provider.token(job_workflow_ref=None), "refuses the token: 400"),
        (ci.provider.token(iss="https://gitlab.com"), "refuses the token: 400"),
    ):
        result = with_token(ci, text)
        assert result.code == 64, (said, result.err)
        assert said in result.err, result.err
