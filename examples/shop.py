"""A service with its keys, policy set and evidence, in a directory: what the demo is about."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from stagepass.cli.main import run
from stagepass.clock import format_time

POLICIES = Path(__file__).resolve().parent.parent / "policies"
REPOSITORY = "registry.example.com/shop/checkout"
KEYS = ("ci", "test-cluster", "staging-cluster", "prod-eu", "prod-us", "scanner")
PROVENANCE = "https://slsa.dev/provenance/v1"
VULNERABILITIES = "https://cosign.sigstore.dev/attestation/vuln/v1"
SOURCE = "git+https://git.example.com/shop@"
STAGES = {"test": "warn", "staging": "warn", "production": "required"}
"""How each stage takes objects that no signed release has."""


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
        self._take_releases()
        stagepass("policy", "lint", str(self.policy))

    def build(self, version: str) -> str:
        """An image reference by digest; CI signs its provenance, and what runs it in each stage."""
        image = f"{REPOSITORY}:{version}@sha256:{hashlib.sha256(version.encode()).hexdigest()}"
        self._attest(image, PROVENANCE, {"buildDefinition": {}, "runDetails": {}}, "ci")
        for stage in STAGES:
            self._release(image, stage)
        return image

    def passes(self, image: str, *stages: str, signed_by: str = "") -> None:
        """Sign that the image passed these stages, watched for 25 hours until now."""
        start = format_time(datetime.now(UTC) - timedelta(hours=25))
        for stage in stages:
            key = self.keys / f"{signed_by or f'{stage}-cluster'}.key"
            stagepass(
                *("attest", image, "--key", str(key), "--stage", stage, "--pipeline", "shop"),
                *("--cluster", stage, "--namespace", "shop", "--observed-from", start),
                *(
                    "--release",
                    str(self._released(image, stage)),
                    "--evidence",
                    f"dir:{self.evidence}",
                ),
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

    def _take_releases(self) -> None:
        """The shipped set, and in it what each stage asks of manifests."""
        file = self.policy / "shop.yaml"
        pipeline = yaml.safe_load(file.read_text())
        for stage in pipeline["stages"]:
            stage.update(manifests=STAGES[stage["name"]], release={"from": ["ci"]})
        file.write_text(yaml.safe_dump(pipeline))

    def _release(self, image: str, stage: str) -> None:
        """Sign what a stage runs of a version: every object, every field."""
        rendered, directory = self.root / "rendered.json", self._released(image, stage)
        rendered.write_text(json.dumps(deployment(image)))
        commit = hashlib.sha1(image.encode(), usedforsecurity=False).hexdigest()
        stagepass(
            *("release", "build", str(rendered), "--pipeline", "shop", "--stage", stage),
            *("--source", SOURCE + commit, "--path", stage),
            *("--output-dir", str(directory)),
        )
        stagepass(
            *("release", "attest", str(directory), "--key", str(self.keys / "ci.key")),
            *("--repository", "registry.example.com/shop/releases"),
            *("--policy", str(self.policy), "--evidence", f"dir:{self.evidence}"),
        )

    def _released(self, image: str, stage: str) -> Path:
        return self.root / "releases" / image.rpartition(":")[2] / stage

    def _folder(self, image: str) -> Path:
        return self.evidence / image.rpartition("@")[2].replace(":", "-")

    def _bundles(self, image: str) -> list[Path]:
        return sorted(self._folder(image).glob("*.sigstore.json"))


def deployment(image: str) -> dict[str, Any]:
    """What runs a version."""
    labels = {"app": "checkout"}
    container = {"name": "checkout", "image": image, "args": ["serve"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


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
