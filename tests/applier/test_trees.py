"""From a tree to objects: what needs a sandbox, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import GitCredentials, Mirror, Ref
from applier.trees import TreeRenderer
from tests.simulators.git import GitServer

PLAIN = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"
MAIN = Ref("branch", "refs/heads/main")


@pytest.fixture
def no_program(tmp_path: Path) -> Path:
    """A kubectl that could not even be started."""
    program = tmp_path / "kubectl"
    program.write_bytes(b"no program")
    return program


def tree(tmp_path: Path, files: dict[str, bytes]) -> tuple[Mirror, str]:
    with GitServer(tmp_path / "git") as server:
        server.create("deploy").commit("main", files)
        mirror = Mirror(server.url("deploy"), tmp_path / "mirror", GitCredentials())
        mirror.fetch([MAIN], timeout=20)
    return mirror, mirror.tree_of(mirror.head(MAIN), ".")


def test_plain_yaml_needs_no_sandbox(tmp_path: Path, no_program: Path) -> None:
    """A Pod under the runtime's default seccomp profile has none to give."""
    (tmp_path / "git").mkdir()
    mirror, found = tree(tmp_path, {"a.yaml": PLAIN})

    (rendered,) = TreeRenderer(no_program).render(mirror, found, ".", isolated=True)

    assert rendered["metadata"]["name"] == "a"


def test_kustomize_is_not_run_without_one(tmp_path: Path, no_program: Path) -> None:
    (tmp_path / "git").mkdir()
    files = {"a.yaml": PLAIN, "kustomization.yaml": b"resources: [a.yaml]\n"}
    mirror, found = tree(tmp_path, files)

    with pytest.raises(Failure) as refused:
        TreeRenderer(no_program).render(mirror, found, ".", isolated=True)

    assert refused.value.reason is Reason.SANDBOX_MISSING
