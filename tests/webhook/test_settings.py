"""A setting that cannot be used ends the gate at once, with its name and exit code 64."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.webhook.server import ROOT, Server, environment, issue
from tests.webhook.shop import CLUSTER, Shop
from webhook.settings import Settings


def _start(directory: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A gate with usable settings but for `variables`, which must end by itself."""
    shop = Shop(directory / "shop")
    issue(directory / "tls")
    usable = environment(
        directory,
        CLUSTER=CLUSTER,
        POLICY=str(shop.policy),
        EVIDENCE=f"dir:{shop.evidence}",
        BIND="127.0.0.1:0",
        TLS_DIR=str(directory / "tls"),
        WORKERS="1",
    )
    return subprocess.run(
        [sys.executable, "-m", "webhook"],
        cwd=ROOT,
        env=usable | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )


def _refused(done: subprocess.CompletedProcess[str], variable: str) -> str:
    """The one line that says why; fails where there is more, or less."""
    assert (done.returncode, done.stdout) == (64, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {variable}: ")
    return line


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("STAGEPASS_CLUSTER", "", "is not set"),
        ("STAGEPASS_EVIDENCE", "dir:/nowhere/at/all", "there is no such directory"),
        ("STAGEPASS_EVIDENCE", "registry,dir:/nowhere/at/all", "there is no such directory"),
        ("STAGEPASS_EVIDENCE", "dir:", "write registry or dir:PATH"),
        ("STAGEPASS_EVIDENCE", "/evidence", "write registry or dir:PATH"),
        ("STAGEPASS_EVIDENCE", "https://evidence.example", "write registry or dir:PATH"),
        ("STAGEPASS_EVIDENCE", ",", "write registry or dir:PATH"),
        ("STAGEPASS_TLS_DIR", "/nowhere/at/all", "tls.crt"),
        ("STAGEPASS_DENIALS", "true", "'true' is neither yes nor no"),
        ("STAGEPASS_WORKERS", "0", "not between 1 and 64"),
        ("STAGEPASS_WORKERS", "many", "many"),
        ("STAGEPASS_DEADLINE", "0", "not between 0.1 and 30"),
        ("STAGEPASS_DEADLINE", "8s", "8s"),
        ("STAGEPASS_DEADLINE", "nan", "not between 0.1 and 30"),
        ("STAGEPASS_REGISTRIES", "registry.example.com", "does not start with http"),
        ("STAGEPASS_REGISTRIES", "r.example=https://a.example,r.example=https://b.example", "two"),
        ("STAGEPASS_BIND", "127.0.0.1", "HOST:PORT"),
        ("STAGEPASS_BIND", "127.0.0.1:https", "HOST:PORT"),
        ("STAGEPASS_BIND", "127.0.0.1:65536", "HOST:PORT"),
        ("STAGEPASS_BIND", "unix:/tmp/gate.sock", "HOST:PORT"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, variable: str, value: str, why: str) -> None:
    assert why in _refused(_start(tmp_path, {variable: value}), variable)


@pytest.mark.parametrize("file", ["tls.crt", "tls.key"])
@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\n"])
def test_half_a_certificate_is_none(tmp_path: Path, file: str, content: str | None) -> None:
    directory = tmp_path / "half"
    issue(directory)
    if content is None:
        (directory / file).unlink()
    else:
        (directory / file).write_text(content)

    line = _refused(_start(tmp_path, {"STAGEPASS_TLS_DIR": str(directory)}), "STAGEPASS_TLS_DIR")

    assert str(directory) in line


def test_a_docker_config_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Else the gate would ask its registries as nobody, and call them unavailable."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text('{"auths": ')

    done = _start(tmp_path, {"DOCKER_CONFIG": str(tmp_path / "docker")})

    assert str(tmp_path / "docker" / "config.json") in _refused(done, "DOCKER_CONFIG")


def test_no_login_is_printed_with_an_unusable_docker_config(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    secret = "c2VjcmV0"
    config = f'{{"auths": {{"registry.example.com": {{"auth": "{secret}"}}}}}}'
    (tmp_path / "docker" / "config.json").write_text(config)

    line = _refused(_start(tmp_path, {"DOCKER_CONFIG": str(tmp_path / "docker")}), "DOCKER_CONFIG")

    assert secret not in line
    assert "secret" not in line


def test_a_policy_is_no_setting_and_may_come_later(tmp_path: Path, shop: Shop) -> None:
    (shop.policy / "policy.yaml").unlink()
    with Server(tmp_path, shop, ready=False) as server:
        assert server.get("/healthz").status == 200
        assert server.get("/readyz").status == 503


@pytest.mark.parametrize("bind", ["0.0.0.0:8443", "localhost:1", "[::1]:8443", ":8443"])
def test_every_way_to_write_an_address_is_taken(tmp_path: Path, bind: str) -> None:
    variables = {"STAGEPASS_CLUSTER": CLUSTER, "DOCKER_CONFIG": str(tmp_path)}

    assert Settings.from_environ({**variables, "STAGEPASS_BIND": bind}).bind == bind
