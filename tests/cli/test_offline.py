"""`--offline` opens no socket: watched from inside the process by an audit hook."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shop
from tests.core.objects import containers, pod
from tests.world import IMAGE, OTHER_IMAGE

RUN = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
from stagepass.cli.main import run
code = run(sys.argv[1:])
sys.exit(f"sockets: {seen}" if seen else code)
"""
CONTROL = """
import socket, sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
socket.socket().close()
sys.exit(f"sockets: {seen}" if seen else 0)
"""


def watched(*arguments: str, script: str = RUN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )


def deciding(shop: Shop, *evidence: str) -> list[str]:
    sources = [option for source in evidence for option in ("--evidence", source)]
    now = ["--now", "2026-11-26T12:00:00Z"]
    return ["--policy", str(shop.policy), "--offline", *sources, *now]


def test_the_hook_sees_a_socket() -> None:
    assert "socket.__new__" in watched(script=CONTROL).stderr


@pytest.mark.parametrize("command", ["verify", "explain"])
@pytest.mark.parametrize(("image", "code"), [(IMAGE, 0), (OTHER_IMAGE, 1)])
def test_deciding_from_a_directory_opens_no_socket(
    shop: Shop, command: str, image: object, code: int
) -> None:
    shop.prove()
    options = deciding(shop, f"dir:{shop.evidence}")
    result = watched(command, str(image), "--stage", "production", *options)

    assert (result.returncode, result.stderr) == (code, "")


@pytest.mark.parametrize("sources", [(), ("registry",)])
def test_a_registry_that_may_not_be_asked_is_undetermined_and_opens_no_socket(
    shop: Shop, sources: tuple[str, ...]
) -> None:
    options = deciding(shop, *sources)
    result = watched("verify", str(IMAGE), "--stage", "production", *options)

    assert (result.returncode, result.stderr) == (2, "")
    assert "--offline: registry.example.com was not asked" in result.stdout


def test_what_a_directory_proves_needs_no_registry(shop: Shop) -> None:
    shop.prove()
    options = deciding(shop, f"dir:{shop.evidence}", "registry")
    result = watched("verify", str(IMAGE), "--stage", "production", *options)

    assert (result.returncode, result.stderr) == (0, "")


def test_judging_a_file_opens_no_socket(shop: Shop) -> None:
    shop.prove()
    file = shop.root / "pod.json"
    file.write_text(json.dumps(pod({"containers": containers(str(IMAGE), "evil.io/x:1")})))
    options = deciding(shop, f"dir:{shop.evidence}", "registry")
    result = watched("admit", str(file), "--cluster", "prod-eu", *options)

    assert (result.returncode, result.stderr) == (1, "")


def test_signing_into_a_directory_opens_no_socket(shop: Shop) -> None:
    shop.prove()
    options = deciding(shop, f"dir:{shop.evidence}")
    result = watched(
        "attest", str(IMAGE), "--stage", "test", "--key", shop.key("test-cluster"), *options
    )

    assert (result.returncode, result.stderr) == (0, "")


def test_signing_into_a_registry_is_refused_and_opens_no_socket(shop: Shop) -> None:
    shop.prove()
    before = sorted(Path(shop.evidence).rglob("*"))
    options = deciding(shop, f"dir:{shop.evidence}", "registry")
    result = watched(
        "attest", str(IMAGE), "--stage", "test", "--key", shop.key("test-cluster"), *options
    )

    assert result.returncode == 64
    assert "--offline cannot push to a registry" in result.stderr
    assert "sockets" not in result.stderr
    assert sorted(Path(shop.evidence).rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["policy", "lint", "POLICY"], ["keys", "generate", "POLICY", "--name", "x"]],
)
def test_what_has_nothing_to_ask_opens_no_socket(shop: Shop, arguments: list[str]) -> None:
    result = watched(*(str(shop.policy) if a == "POLICY" else a for a in arguments))

    assert (result.returncode, result.stderr) == (0, "")
