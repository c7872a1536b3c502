"""
From a clone to an admitted image on a machine that has Python and a shell, and nothing of ours.

    python -m tests.ci_steps.bare     installs from the index that pip is set to, and prints the seconds;
                                      then again where `make setup` has installed it

Set-up is what is done once: a copy of the clone, its wheel, keys, a policy and an image in a registry.
Timed is what a CI job does each time: the step of docs/ci/shell.md, word for word, and then the
question whether a Pod of that image may start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.ci_steps import pages
from tests.ci_steps.embed import CI
from tests.simulators.registry import Registry

_ROOT = CI.parents[1]
GATE = str(Path(sys.executable).with_name("stagepass"))
_POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors: {ci: {keys: [{file: keys/ci.pub, owner: ci}]}}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: ["%s/shop/**"]
stages:
  - name: test
    clusters: [test]
    namespaces: [shop]
    requires: [attestation: {name: provenance, from: [ci], predicateType: "https://slsa.dev/provenance/v1"}]
---
apiVersion: stagepass.dev/v1
kind: Defaults
unlisted: deny
"""
_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: checkout, namespace: shop}
spec: {containers: [{name: checkout, image: "%s"}]}
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A clone with everything in place but the signature; `variables` are all that programs see."""

    clone: Path
    image: str
    variables: Mapping[str, str]

    def admits(self) -> int:
        """The exit code of the gate's answer about the Pod: 0 admitted, 1 denied."""
        asked = ["admit", "pod.yaml", "--policy", "policy", "--cluster", "test"]
        return self._run([GATE, *asked]).returncode

    def step(self, *, is_installed: bool = False) -> subprocess.CompletedProcess[str]:
        """What the page says to write; without its installation where that was done before."""
        lines = pages.block("shell", "step").splitlines()
        left_out = ("export STAGEPASS_INSTALL", "export STAGEPASS_REQUIREMENTS")
        kept = [line for line in lines if not (is_installed and line.startswith(left_out))]
        return self._run(["sh", "-euc", "\n".join(kept)], IMAGE=self.image)

    def _run(self, command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.clone, env={**self.variables, **more}, capture_output=True, text=True
        )


def set_up(directory: Path, registry: Registry, variables: Mapping[str, str]) -> Machine:
    """Every file of the repository as a clone would have it, and what is made once."""
    clone = directory / "clone"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (_ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, clone / name)
    (clone / "policy").mkdir()
    for command in (
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"],
        [GATE, "keys", "generate", ".", "--name", "ci"],
    ):
        subprocess.run(command, cwd=clone, check=True, capture_output=True)
    image = f"{registry.host}/shop/checkout@{registry.push_image('shop/checkout')}"
    (clone / "policy" / "keys").mkdir()
    shutil.move(clone / "ci.pub", clone / "policy" / "keys")
    (clone / "policy" / "policy.yaml").write_text(_POLICY % registry.host)
    (clone / "provenance.json").write_text('{"runDetails":{"builder":{"id":"bare"}}}')
    (clone / "pod.yaml").write_text(_POD % image)
    return Machine(clone, image, variables)


def _clock() -> tuple[float, float]:
    """Wall time, and the CPU time of finished children: on a busy machine the two are far apart."""
    used = os.times()
    return time.monotonic(), used.children_user + used.children_system


def _told(what: str, since: tuple[float, float]) -> None:
    seconds, cpu = (now - then for now, then in zip(_clock(), since, strict=True))
    print(f"{what:<52} {seconds:5.1f} s ({cpu:.1f} s of CPU)")


def main() -> None:
    """Print how long it takes; any failure ends it with what was said."""
    kept = {n: v for n, v in os.environ.items() if n.startswith(("PIP_", "LANG", "SSL_"))}
    for what, is_installed in (("nothing installed", False), ("after `make setup`", True)):
        with tempfile.TemporaryDirectory() as directory, Registry() as registry:
            variables = {**kept, "HOME": directory, "PATH": os.environ["PATH"]}
            if is_installed:
                variables["PATH"] = f"{Path(GATE).parent}{os.pathsep}{variables['PATH']}"
            machine = set_up(Path(directory), registry, variables)
            assert machine.admits() == 1, "the gate must deny what nobody signed"
            began = _clock()
            done = machine.step(is_installed=is_installed)
            _told(f"{what}: the step", began)
            answer = machine.admits()
            _told(f"{what}: the step, and the gate admits", began)
            if done.returncode or answer:
                sys.exit(f"{done.stdout}{done.stderr}the gate answers {answer}")


if __name__ == "__main__":
    main()
