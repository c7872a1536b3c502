"""The real cosign, offline: its own key pair, and no log to write into or read from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cluster import tools
from tests.simulators.registry import STAGE_PASSED


class Cosign:
    """A person with cosign and the P-256 key pair `ci` (`ci.key`, `ci.pub`) in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.public = directory / "ci.pub"
        self._program = tools.binaries()["cosign"]
        # Without these two it asks the public infrastructure what to trust and where to log.
        self._offline = ("--signing-config", "sc.json", "--trusted-root", "tr.json")
        self.run("generate-key-pair", "--output-key-prefix", "ci")
        self.run("signing-config", "create", "--out", "sc.json")
        self.run("trusted-root", "create", "--out", "tr.json")

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command in `directory`, with no home but that."""
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self.directory,
            env={"PATH": os.defpath, "HOME": str(self.directory), "COSIGN_PASSWORD": ""},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done

    def attest(self, image: str, predicate: str, kind: str = STAGE_PASSED) -> None:
        """`cosign attest`: the predicate, as cosign words it, beside `image` in its registry."""
        (self.directory / "predicate.json").write_text(predicate)
        what = ("--type", kind, "--predicate", "predicate.json")
        self.run("attest", "--key", "ci.key", "--yes", *what, *self._offline, image)

    def attest_blob(self, statement: bytes) -> Path:
        """`cosign attest-blob --statement`: the bundle over exactly these bytes."""
        (self.directory / "statement.json").write_bytes(statement)
        what = ("--statement", "statement.json", "--bundle", "bundle.json")
        self.run("attest-blob", "--key", "ci.key", "--yes", *what, *self._offline)
        return self.directory / "bundle.json"

    def sign(self, image: str) -> None:
        """`cosign sign`: a signature of the image, which says nothing about stages."""
        self.run("sign", "--key", "ci.key", "--yes", *self._offline, image)

    def accepts(self, image: str, key: Path, kind: str = STAGE_PASSED) -> bool:
        """`cosign verify-attestation`: what lies beside `image` in its registry."""
        judge = ("--key", str(key), "--type", kind, "--insecure-ignore-tlog")
        return not self.run("verify-attestation", *judge, image, check=False).returncode

    def accepts_blob(self, bundle: Path, digest: str, key: Path, kind: str = STAGE_PASSED) -> bool:
        """`cosign verify-blob-attestation`: a bundle in a file, about `digest` (sha256:HEX)."""
        algorithm, _, hex_ = digest.partition(":")
        judge = ("--key", str(key), "--type", kind, "--insecure-ignore-tlog")
        about = ("--bundle", str(bundle), "--digest", hex_, "--digestAlg", algorithm)
        return not self.run("verify-blob-attestation", *judge, *about, check=False).returncode
