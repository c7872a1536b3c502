"""The commands in the header of `examples/policy-cases.yaml`, as somebody runs them in a new clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.repository.sources import ROOT

CASES = Path("examples") / "policy-cases.yaml"
INDENT = "#   "


def commands() -> str:
    """What the comment at the top indents."""
    comment = (ROOT / CASES).read_text().partition("\ncases:")[0].splitlines()
    return "\n".join(line.removeprefix(INDENT) for line in comment if line.startswith(INDENT))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that Git has, without a key."""
    shutil.copytree(ROOT / "policies", tmp_path / "policies", ignore=lambda *_: ["keys"])
    (tmp_path / CASES).parent.mkdir()
    shutil.copy(ROOT / CASES, tmp_path / CASES)
    return tmp_path


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_commands_of_the_header_work_in_a_new_clone_and_again(clone: Path) -> None:
    written = len(yaml.safe_load((ROOT / CASES).read_text())["cases"])
    for _ in range(2):
        done = shell(commands(), clone)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(f"\n{written} cases: {written} passed, 0 failed\n")
    report = ElementTree.parse(clone / "cases.xml")  # noqa: S314  # ours

    assert len(report.findall(".//testcase")) == written


def test_the_last_of_them_needs_the_keys_that_the_first_makes(clone: Path) -> None:
    """What the header said before: 64, since the set does not load without them."""
    done = shell(commands().splitlines()[-1], clone)

    assert done.returncode == 64
    assert "keys/ci.pub" in done.stderr


def test_the_manual_of_the_policies_says_the_same() -> None:
    manual = (ROOT / "policies" / "README.md").read_text()
    making, judging = commands().rsplit("\n", 1)

    assert making in manual
    assert judging in manual
