"""A team whose CI job signs keylessly: its miniature sigstore, its policy, cosign and `stagepass`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.cluster.signer import Cosign
from tests.simulators.registry import STAGE_PASSED
from tests.simulators.sigstore import Identity
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.server import Server

__all__ = ["JOB", "KeylessShop"]

JOB = Identity(
    "https://token.actions.githubusercontent.com",
    "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main",
)
"""Whom a certificate names when `ci.github()` signs."""

_STAGEPASS = Path(sys.executable).with_name("stagepass")
_POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
trustRoots:
  - {name: mini, file: root.json, sha256: "DIGEST"}
attestors:
  test:
    identities:
      - issuer: https://token.actions.githubusercontent.com
        subject: https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/*
        claims: {repository: "https://github.com/acme/shop"}
        owner: test
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: [HOST/shop/**]
stages:
  - {name: test, clusters: [test], namespaces: [shop], signedBy: [test]}
  - {name: staging, clusters: [staging], namespaces: [shop], after: [test]}
---
apiVersion: stagepass.dev/v1
kind: Defaults
"""


@dataclass(frozen=True, slots=True)
class KeylessShop:
    """Everything is below `directory`; the policy is about images of the registry at `host`."""

    directory: Path
    host: str
    server: Server
    provider: Provider
    cosign: Cosign

    def trust(self, root: bytes) -> None:
        """Write the policy set, with `root` as its one trust root."""
        policy = self.directory / "policy"
        policy.mkdir(exist_ok=True)
        (policy / "root.json").write_bytes(root)
        text = _POLICY.replace("HOST", self.host).replace("DIGEST", sha256(root).hexdigest())
        (policy / "policy.yaml").write_text(text)

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """`stagepass`, as installed, in a job that has no credentials of its own."""
        return subprocess.run(
            [_STAGEPASS, *arguments],
            env={"PATH": os.defpath, "HOME": str(self.directory)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def _file(self, name: str, data: bytes) -> Path:
        (self.directory / name).write_bytes(data)
        return self.directory / name

    def attest(
        self, image: str, log: str, *, tsa: bool, evidence: str = "registry"
    ) -> subprocess.CompletedProcess[str]:
        """`stagepass attest`: with a token of the job, in the log `v1` or `v2`."""
        config = self._file("config.json", self.server.sigstore.trust_config(log, tsa=tsa))
        token = self._file("token", self.provider.token().encode())
        who = ("--identity-token", token, "--trust-config", config)
        where = ("--policy", self.directory / "policy", "--evidence", evidence)
        return self.run("attest", image, *who, "--stage", "test", *where)

    def verify(self, image: str) -> subprocess.CompletedProcess[str]:
        """Whether `image` may enter `staging`, by the exit code."""
        policy = self.directory / "policy"
        return self.run("verify", image, "--stage", "staging", "--policy", policy)

    def cosign_attests(
        self, image: str, predicate: str, log: str, *, tsa: bool
    ) -> subprocess.CompletedProcess[str]:
        """`cosign attest`: with a token of the job, in the log `v1` or `v2`."""
        sigstore = self.server.sigstore
        files = {
            "--predicate": predicate.encode(),
            "--signing-config": sigstore.signing_config(log, tsa=tsa),
            "--trusted-root": sigstore.trusted_root(),
            "--identity-token": self.provider.token().encode(),
        }
        given = [(flag, str(self._file(flag[2:], data))) for flag, data in files.items()]
        flags = [word for pair in given for word in pair]
        what = ("attest", "--yes", "--type", STAGE_PASSED, *flags, image)
        return self.cosign.run(*what, check=False)

    def cosign_accepts(self, image: str, identity: Identity = JOB, root: bytes = b"") -> bool:
        """`cosign verify-attestation`, by default under this instance's root."""
        trust = self._file("cosign-root.json", root or self.server.sigstore.trusted_root())
        who = ("--certificate-identity", identity.subject)
        by = ("--certificate-oidc-issuer", identity.issuer, "--trusted-root", str(trust))
        what = ("verify-attestation", "--type", STAGE_PASSED, *who, *by, image)
        return not self.cosign.run(*what, check=False).returncode


def statement(image: str, predicate: str) -> bytes:
    """A stage-passed/v1 statement about `image`."""
    name, _, digest = image.partition("@sha256:")
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": name, "digest": {"sha256": digest}}],
            "predicateType": STAGE_PASSED,
            "predicate": json.loads(predicate),
        }
    ).encode()
