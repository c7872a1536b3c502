"""The process: exit codes as a shell sees them, and what is loaded when."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from stagepass import __version__
from stagepass.cli.main import run
from tests.cli.conftest import Shop
from tests.world import DIGEST, IMAGE

NOT_FOR_A_VERSION = ("sigstore", "flask", "kubernetes", "urllib3", "cryptography", "yaml", "rich")
NOT_FOR_A_DIRECTORY = ("sigstore", "flask", "kubernetes", "urllib3", "rich", "http.client")
COMMAND = [sys.executable, "-c", "from stagepass.cli.main import main; main()"]
SCRIPT = """
import sys
from stagepass.cli.main import run
code = run(sys.argv[2:])
loaded = [name for name in sys.argv[1].split(",") if name in sys.modules]
sys.exit(f"loaded: {loaded}" if loaded else code)
"""


def stagepass(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)


def loading(forbidden: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, failing where one of `forbidden` was imported."""
    command = [sys.executable, "-c", SCRIPT, ",".join(forbidden), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def options(shop: Shop, stage: str) -> list[str]:
    policy, evidence = str(shop.policy), f"dir:{shop.evidence}"
    now = ["--now", "2026-11-26T12:00:00Z"]
    return ["--stage", stage, "--policy", policy, "--evidence", evidence, *now]


def test_the_version_is_told_without_loading_what_only_other_commands_need() -> None:
    result = loading(NOT_FOR_A_VERSION, "--version")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"stagepass, version {__version__}\n"


def test_help_lists_every_command_and_the_exit_codes() -> None:
    result = stagepass("--help")

    assert result.returncode == 0
    for word in ("admit", "attest", "explain", "keys", "policy", "verify", "64"):
        assert word in result.stdout


def test_a_decision_from_a_directory_loads_no_http_client(shop: Shop) -> None:
    shop.prove()
    result = loading(NOT_FOR_A_DIRECTORY, "verify", str(IMAGE), *options(shop, "test"))

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("stage", "evidence", "code"), [("test", True, 0), ("test", False, 1), ("none", True, 64)]
)
def test_a_shell_sees_the_decision(shop: Shop, stage: str, evidence: bool, code: int) -> None:
    if evidence:
        shop.prove()

    assert stagepass("verify", str(IMAGE), *options(shop, stage)).returncode == code


def test_a_shell_sees_that_it_could_not_be_found_out(shop: Shop) -> None:
    shop.evidence.mkdir()
    (shop.evidence / f"sha256-{DIGEST.hex}").write_text("no folder")
    result = stagepass("verify", str(IMAGE), *options(shop, "test"))

    assert result.returncode == 2
    assert "could not find out" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["verify"],
        ["verify", str(IMAGE)],
        ["verify", str(IMAGE), "--stage", "test", "--policy", "absent-directory"],
        ["--no-such-option"],
        ["policy", "lint"],
        [],
    ],
)
def test_usage_is_64(arguments: list[str]) -> None:
    result = stagepass(*arguments)

    assert result.returncode == 64
    assert "Traceback" not in result.stderr


def test_an_answer_that_cannot_be_written_is_no_success(shop: Shop) -> None:
    """A full disk must never read as admitted."""
    shop.prove()
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*COMMAND, "verify", str(IMAGE), *options(shop, "test")],
            stdout=full,
            stderr=subprocess.PIPE,
        )

    assert result.returncode not in (0, 1)


def test_an_output_that_nobody_reads_is_no_success(shop: Shop) -> None:
    shop.prove()
    with subprocess.Popen(
        [*COMMAND, "verify", str(IMAGE), *options(shop, "test")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() != 0


def test_a_registry_that_cannot_be_asked_is_2_for_a_signing_command_too(tmp_path: Path) -> None:
    """Nobody knows whether the pass was stored; 64 would say that the command was wrong."""
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{reserved.getsockname()[1]}"
        run(["keys", "generate", str(tmp_path), "--name", "k"])
        image = f"{host}/shop/app@{IMAGE.digest}"
        given = ("--key", str(tmp_path / "k.key"), "--stage", "test", "--pipeline", "shop")

        assert run(["attest", image, *given, "--cluster", "test"]) == 2
