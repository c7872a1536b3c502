"""A service with its keys, policy set and evidence, in a directory: what the demo is about."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stagepass.cli.main import run
from stagepass.clock import format_time

POLICIES = Path(__file__).resolve().parent.parent / "policies"
REPOSITORY = "registry.example.com/shop/checkout"
KEYS = ("ci", "test-cluster", "staging-cluster", "prod-eu", "prod-us", "scanner")
PROVENANCE = "https://slsa.dev/provenance/v1"
VULNERABILITIES = "https://cosign.sigstore.dev/attestation/vuln/v1"


class Shop:
    """Keys made on the spot, the shipped policy set over them, and evidence in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.policy, self.evidence, self.keys = root / "policy", root / "evidence", root / "keys"
        shutil.copytree(POLICIES, self.policy, ignore=shutil.ignore_patterns("keys"))
        self.evidence.mkdir()
        for name in (*KEYS, "stranger"):
            stagepass("keys", "generate", str(self.keys), "--name", name)
        public = self.policy / "keys"
        public.mkdir()
        for name in KEYS:  # the private halves never enter the policy set
            shutil.copy(self.keys / f"{name}.pub", public)
        stagepass("policy", "lint", str(self.policy))

    def build(self, version: str) -> str:
        """An image reference by digest, with the provenance that CI signs."""
        image = f"{REPOSITORY}:{version}@sha256:{hashlib.sha256(version.encode()).hexdigest()}"
        self._attest(image, PROVENANCE, {"buildDefinition": {}, "runDetails": {}}, "ci")
        return image

    def passes(self, image: str, *stages: str, signed_by: str = "") -> None:
        """Sign that the image passed these stages, watched for 25 hours until now."""
        start = format_time(datetime.now(UTC) - timedelta(hours=25))
        for stage in stages:
            key = self.keys / f"{signed_by or f'{stage}-cluster'}.key"
            stagepass(
                *("attest", image, "--key", str(key), "--stage", stage, "--pipeline", "shop"),
                *("--cluster", stage, "--namespace", "shop", "--observed-from", start),
                *("--evidence", f"dir:{self.evidence}"),
            )

    def scan(self, image: str) -> None:
        """Sign a scan that found nothing."""
        self._attest(image, VULNERABILITIES, {"scanner": {"result": {"critical": []}}}, "scanner")

    def tamper_with_a_pass_of(self, image: str) -> None:
        """A pass for the test stage, one byte of which is changed after signing."""
        before = set(self._bundles(image))
        self.passes(image, "test")
        (new,) = set(self._bundles(image)) - before
        bundle = json.loads(new.read_text())
        payload: str = bundle["dsseEnvelope"]["payload"]
        other = "A" if payload[-8] != "A" else "B"
        bundle["dsseEnvelope"]["payload"] = f"{payload[:-8]}{other}{payload[-7:]}"
        new.write_text(json.dumps(bundle))

    def copy_evidence(self, source: str, target: str) -> None:
        """Put one version's bundles beside another's."""
        for path in self._bundles(source):
            shutil.copy(path, self._folder(target) / path.name)

    def by_tag(self, image: str) -> str:
        """The same version, asked for by its tag alone."""
        return image.partition("@")[0]

    def explain(self, image: str) -> str:
        """What `stagepass explain` says about the version's way to production."""
        return stagepass(
            *("explain", image, "--policy", str(self.policy), "--stage", "production"),
            *("--cluster", "prod-eu", "--evidence", f"dir:{self.evidence}"),
            expect=1,
        )

    def _attest(
        self, image: str, predicate_type: str, predicate: dict[str, object], key: str
    ) -> None:
        file = self.root / "predicate.json"
        file.write_text(json.dumps(predicate))
        stagepass(
            *("attest", image, "--key", str(self.keys / f"{key}.key"), "--type", predicate_type),
            *("--predicate", str(file), "--evidence", f"dir:{self.evidence}"),
        )

    def _folder(self, image: str) -> Path:
        return self.evidence / image.rpartition("@")[2].replace(":", "-")

    def _bundles(self, image: str) -> list[Path]:
        return sorted(self._folder(image).glob("*.sigstore.json"))


def stagepass(*arguments: str, expect: int = 0) -> str:
    """Run one `stagepass` command in this process and return its output. Raises `RuntimeError`."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = run(list(arguments))
    if code != expect:
        raise RuntimeError(
            f"stagepass {' '.join(arguments)} exited with {code}:\n{output.getvalue()}"
        )
    return output.getvalue()
