"""`make demo-clusters`, as the process that a user starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.repository.sources import ROOT

pytestmark = pytest.mark.cluster


@contextmanager
def demo(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo, piped; what it makes lies below `directory`."""
    process = subprocess.Popen(
        # What is started in the background of a script has Ctrl-C ignored, and hands that on.
        ["env", "--default-signal=INT", sys.executable, "-m", "examples.clusters"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def directory() -> Iterator[Path]:
    # A short path: etcd's Unix socket has room for 107 characters.
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


def test_every_scene_is_played_and_nothing_is_left(directory: Path) -> None:
    with demo(directory) as process:
        said, _ = process.communicate(timeout=300)

    assert process.returncode == 0, said
    for line in (
        r"production +runs 1.0 +release [0-9a-f]{10} +passed 1.0 +as it should be",
        r"test +runs 1.0 +release [0-9a-f]{10} +passed 1.0 +RELEASE_MISSING ",
        r"\$ kubectl -n shop set env deployment/web LOG_LEVEL=debug",
        r"MANIFEST_DIFFERS: .* spec\.template\.spec\.containers\[0\]\.env: got .*LOG_LEVEL",
        r"shop/production does not admit 127\.0\.0\.1:\d+/shop/web@sha256:",
        r"shop-test-invalid-\S+ Open after \d+ attempts: INVALID",
        r"production +runs 1.3 +release [0-9a-f]{10} +passed 1.3 +as it should be",
        r"All five scenes went as they should",
    ):
        assert re.search(line, said), f"{line}\n{said}"
    assert left_over(directory) == []
    assert list(directory.iterdir()) == []


def test_ctrl_c_ends_every_process_it_started(directory: Path) -> None:
    with demo(directory) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "1. CI builds 1.0" in line:
                break
        assert len(left_over(directory)) > 10
        os.kill(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 130, said
    assert "Traceback" not in said
    end = time.monotonic() + 10
    while left_over(directory) and time.monotonic() < end:
        time.sleep(0.1)
    assert left_over(directory) == []
    assert list(directory.iterdir()) == []


def left_over(directory: Path) -> list[str]:
    """Command lines of the living processes that work below `directory` or were told of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            told = (process / "environ").read_bytes().decode(errors="replace")
            where = str((process / "cwd").readlink())
        except OSError:  # it has ended meanwhile
            continue
        below = where.startswith(f"{directory}/") or f"={directory}/" in told
        if command and below:
            found.append(command)
    return found
