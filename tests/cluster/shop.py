"""A team that promotes with Stagepass: its policy set, its keys and the `stagepass` command."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from tests.simulators.oci import digest_of

__all__ = ["HOST", "Shop"]

HOST = "registry.example.com"
"""A registry that nobody can ask: evidence about its images lies in a directory."""

_STAGEPASS = Path(sys.executable).with_name("stagepass")
_POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors:
  test: {keys: [{file: keys/test.pub, owner: test}]}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: [HOST/shop/**]
stages:
  - {name: test, clusters: [test], namespaces: [shop], signedBy: [test]}
  - {name: staging, clusters: [staging], namespaces: [gate-*], after: [test]}
  - {name: preview, clusters: [staging], namespaces: [preview-*], after: [test], enforcement: warn}
---
apiVersion: stagepass.dev/v1
kind: Defaults
"""


class Shop:
    """
    Pipeline `shop`: what passed `test` may enter `staging` (gate-*) and `preview` (preview-*, warn).

    Everything is below `directory`: `policy/`, `evidence/`, and the keys beside them.
    """

    def __init__(self, directory: Path, host: str = HOST, test_key: Path | None = None) -> None:
        """`test_key` (PEM, public) is who signs passes of `test`; by default, a key of its own."""
        self.directory, self.host = directory, host
        self.policy, self.evidence = directory / "policy", directory / "evidence"
        self.key = directory / "test.key"
        self.evidence.mkdir()
        self.stagepass("keys", "generate", str(directory), "--name", "test")
        (self.policy / "keys").mkdir(parents=True)
        shutil.copy(test_key or directory / "test.pub", self.policy / "keys" / "test.pub")
        (self.policy / "policy.yaml").write_text(_POLICY.replace("HOST", host))

    def stagepass(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command as installed, as a person without any settings would run it."""
        done = subprocess.run(
            [_STAGEPASS, *arguments],
            env={"PATH": os.defpath, "HOME": str(self.directory)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0 or not check, done.stderr + done.stdout
        return done

    def image(self, name: str = "web") -> str:
        """A new image that nobody has attested."""
        return f"{self.host}/shop/{name}@{digest_of(secrets.token_bytes(16))}"

    def attest(self, image: str, evidence: str = "", *, stage: str = "test") -> str:
        """Sign that `image` passed `stage`, by default into the directory; gives `image`."""
        where = ("--evidence", evidence or f"dir:{self.evidence}", "--policy", str(self.policy))
        self.stagepass("attest", image, "--key", str(self.key), "--stage", stage, *where)
        return image

    def verify(
        self, image: str, evidence: str = "registry", *, stage: str = "staging"
    ) -> subprocess.CompletedProcess[str]:
        """Whether `image` may enter `stage`, by the exit code."""
        namespace = ("--namespace", "gate-1") if stage == "staging" else ()
        where = ("--evidence", evidence, "--policy", str(self.policy), *namespace)
        return self.stagepass("verify", image, "--stage", stage, *where, check=False)

    def folder(self, image: str) -> Path:
        """Where the directory holds what is known about `image`."""
        return self.evidence / image.partition("@")[2].replace(":", "-")

    def withdraw(self, image: str) -> None:
        """Take all evidence about `image` out of the directory."""
        shutil.rmtree(self.folder(image))
