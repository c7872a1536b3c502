from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import tools
from tests.cluster.controlplane import ControlPlane
from tests.docs.hands import Hands, is_shown
from tests.docs.walk import blocks
from tests.repository.sources import ROOT
from tests.simulators.git import GitServer
from tests.simulators.kubelet import Kubelet

_PAGE = (ROOT / "docs" / "tutorial.md").read_text()
_URL = "https://git.example.com/shop/deploy.git"


def test_every_block_is_marked() -> None:
    """No block escapes: each is written, run, watched or started."""
    marks = ("file ", "run", "watch", "terminal")
    assert [each for each in blocks(_PAGE) if not each.mark.startswith(marks)] == []
    assert _PAGE.count("```") == 2 * len(blocks(_PAGE))


@pytest.mark.parametrize(
    ("shown", "said", "expected"),
    [
        ("a ... c", "a  b   c\n", True),
        ("a ... c", "a\nc", False),
        ("a\n...", "a\nb\nc", True),
        ("a\n...", "b", False),
        ("...", "", True),
        ("", "a", False),
        ("a.c", "abc", False),
    ],
)
def test_what_counts_as_shown(shown: str, said: str, expected: bool) -> None:
    assert is_shown(shown, said) is expected


@pytest.mark.cluster
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    """From the first key to the last word, with two real API servers and an applier for each."""
    for name in ("git", "bin", "test", "staging", "hands"):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(GitServer(tmp_path / "git"))
        repository = server.create("deploy").path
        subprocess.run(["git", "-C", repository, "config", "http.receivepack", "true"], check=True)
        test = stack.enter_context(ControlPlane(tmp_path / "test"))
        staging = stack.enter_context(ControlPlane(tmp_path / "staging", neighbour=test))
        for name, plane in (("test", test), ("staging", staging)):
            stack.enter_context(Kubelet(plane.server, plane.token, plane.ca_file))
            whole = plane.kubectl("config", "view", "--flatten", "--raw").stdout
            (tmp_path / "hands" / f"{name}.kubeconfig").write_text(whole)
        (tmp_path / "bin" / "kubectl").symlink_to(tools.binaries()["kubectl"])
        hands = Hands(tmp_path / "hands", _environ(tmp_path), {_URL: server.url("deploy")})
        stack.callback(hands.close)
        for block in blocks(_PAGE):
            hands.follow(block)


def _environ(directory: Path) -> dict[str, str]:
    """As "What you need" sets it up, and nothing of whoever runs the tests."""
    return {
        "PATH": f"{directory / 'bin'}:{Path(sys.executable).parent}:{os.defpath}",
        "HOME": str(directory),
        "PYTHONPATH": str(ROOT),
        "STAGEPASS_CLONE": str(ROOT),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
