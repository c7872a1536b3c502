"""A service with every kind of rule about it, for the attempts of docs/threat-model.md."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagepass.cli.main import run
from tests.world import PROVENANCE, signer

REPOSITORY = "registry.example.com/shop/checkout"
IMAGE = f"{REPOSITORY}@sha256:{hashlib.sha256(b'2.0').hexdigest()}"
OLD_IMAGE = f"{REPOSITORY}@sha256:{hashlib.sha256(b'1.0').hexdigest()}"
# Thursday noon; the window below closes on Friday at 16:00 UTC.
NOON, SATURDAY = "2026-11-26T12:00:00Z", "2026-11-28T08:00:00Z"

_CLUSTERS = ("test", "staging", "prod-eu", "prod-us")
_KEYS = ("ci", *_CLUSTERS, "alice", "alice-2", "bob", "dave", "security")
POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors:
  ci: {keys: [{file: keys/ci.pub, owner: ci}]}
  test-cluster: {keys: [{file: keys/test.pub, owner: test}]}
  staging-cluster: {keys: [{file: keys/staging.pub, owner: staging, validUntil: "2026-12-24T00:00:00Z"}]}
  prod-clusters:
    keys:
      - {file: keys/prod-eu.pub, owner: prod-eu, clusters: [prod-eu]}
      - {file: keys/prod-us.pub, owner: prod-us, clusters: [prod-us]}
  release-managers:
    keys:
      - {file: keys/alice.pub, owner: alice}
      - {file: keys/alice-2.pub, owner: alice}
      - {file: keys/bob.pub, owner: bob}
      - {file: keys/ci.pub, owner: ci}
  commanders: {keys: [{file: keys/dave.pub, owner: dave}]}
  security: {keys: [{file: keys/security.pub, owner: security}]}
---
apiVersion: stagepass.dev/v1
kind: Baseline
metadata: {name: built-by-us}
images: ["registry.example.com/**"]
namespaces: ["*"]
requires:
  - attestation: {name: provenance, from: [ci], predicateType: https://slsa.dev/provenance/v1}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: ["registry.example.com/shop/**"]
stages:
  - {name: test, clusters: [test], namespaces: [shop], signedBy: [test-cluster]}
  - {name: staging, clusters: [staging], namespaces: [shop], signedBy: [staging-cluster], after: [test]}
  - name: production
    clusters: [prod-eu, prod-us]
    namespaces: [shop]
    signedBy: [prod-clusters]
    after: [{stage: staging, maxAge: 14d}]
    requires: [approval: {from: [release-managers], threshold: 2, notBy: [ci]}]
    windows: [{deny: "Fri 16:00 - Mon 08:00", timezone: UTC}]
    breakGlass: {from: [commanders], threshold: 1, maxDuration: 4h}
---
apiVersion: stagepass.dev/v1
kind: Defaults
unlisted: audit
exempt:
  - namespaces: ["*"]
    images: ["registry.example.com/other/**"]
    reason: ours
    expires: "2126-01-01T00:00:00Z"
"""
REVOCATIONS = """
---
apiVersion: stagepass.dev/v1
kind: Revocations
file: revocations.sigstore.json
from: [security]
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate says: the decision before enforcement, and the codes behind it."""

    decision: str
    codes: frozenset[str]
    warnings: tuple[str, ...] = ()


class Site:
    """The policy set, the evidence, and everybody's private key, in the directory `root`."""

    def __init__(self, root: Path, policy: str = POLICY) -> None:
        self.policy, self.evidence, self.keys = root / "policy", root / "evidence", root / "keys"
        self.predicate = root / "predicate.json"
        self.predicate.write_text("{}")
        self.keys.mkdir()
        (self.policy / "keys").mkdir(parents=True)
        for name in (*_KEYS, "stranger", "root"):
            (self.keys / f"{name}.key").write_bytes(signer(name).private_pem)
            (self.keys / f"{name}.pub").write_bytes(signer(name).public_pem)
        for name in _KEYS:
            shutil.copy(self.keys / f"{name}.pub", self.policy / "keys")
        (self.policy / "policy.yaml").write_text(policy)

    def run(self, *arguments: str, expect: int = 0) -> str:
        """One `stagepass` command; its output."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = run(list(arguments))
        assert code == expect, f"{' '.join(arguments)} exits with {code}: {output.getvalue()}"
        return output.getvalue()

    def sign(self, verb: str, key: str, *more: str, image: str = IMAGE, expect: int = 0) -> None:
        """A statement about the image by the holder of `key`, who does not ask the policy."""
        by = ("--key", str(self.keys / f"{key}.key"), "--evidence", f"dir:{self.evidence}")
        self.run(verb, image, *by, *more, expect=expect)

    def passed(self, stage: str, key: str, image: str = IMAGE) -> None:
        """A pass of `stage`, in the cluster of the same name, of Thursday noon."""
        about = ("--stage", stage, "--pipeline", "shop", "--cluster", stage, "--now", NOON)
        self.sign("attest", key, *about, image=image)

    def entered(self, key: str, cluster: str = "prod-eu", namespace: str = "shop") -> None:
        """A receipt for production, of Thursday noon."""
        about = ("--stage", "production", "--pipeline", "shop", "--now", NOON, "--valid-for", "90d")
        self.sign("enter", key, *about, "--cluster", cluster, "--namespace", namespace)

    def approved(self, key: str, stage: str = "production", image: str = IMAGE) -> None:
        """An approval for two days, from Thursday noon on."""
        about = ("--stage", stage, "--pipeline", "shop", "--now", NOON)
        self.sign("approve", key, *about, image=image)

    def broke_glass(
        self, key: str, *more: str, stage: str = "production", image: str = IMAGE
    ) -> None:
        """A break-glass of one hour, from now on."""
        about = ("--stage", stage, "--pipeline", "shop", "--reason", "down")
        self.sign("break-glass", key, *about, *more, image=image)

    def built(self, image: str = IMAGE) -> None:
        """What the Baseline asks for."""
        about = ("--type", PROVENANCE, "--predicate", str(self.predicate))
        self.sign("attest", "ci", *about, image=image)

    def good(self, image: str = IMAGE) -> None:
        """All that production asks for."""
        self.built(image)
        self.passed("test", "test", image=image)
        self.passed("staging", "staging", image=image)
        self.approved("alice", image=image)
        self.approved("bob", image=image)

    def answer(
        self,
        stage: str = "production",
        now: str | None = NOON,
        *,
        image: str = IMAGE,
        cluster: str = "prod-eu",
    ) -> Answer:
        """The gate's decision; None is the real time."""
        where = ("--cluster", cluster) if stage == "production" else ()
        when = ("--now", now) if now else ()
        return self._judge("verify", image, "--stage", stage, *where, *when)

    def admit(self, manifest: Path, cluster: str = "prod-eu", now: str = NOON) -> Answer:
        """The gate's decision on an object."""
        return self._judge("admit", str(manifest), "--cluster", cluster, "--now", now)

    def revoke(self, *more: str, key: str = "security", now: str = NOON) -> None:
        """The next revocation list, which the set names from now on."""
        file = self.policy / "revocations.sigstore.json"
        self.run("revoke", str(file), "--key", str(self.keys / f"{key}.key"), "--now", now, *more)
        (self.policy / "policy.yaml").write_text(POLICY + REVOCATIONS)

    def payload_of(self, predicate_type: str) -> str:
        """The digest by which the statement of that type that admits to production is revoked."""
        line = self._ask("verify", IMAGE, "--stage", "production", "--now", NOON)
        by_type = {e["predicateType"]: e["payloadDigest"] for e in line["evidence"]}
        return str(by_type[predicate_type])

    def _judge(self, *arguments: str) -> Answer:
        line = self._ask(*arguments)
        codes = frozenset([v["code"] for v in line["violations"]] + line["notes"])
        return Answer(line["decision"], codes, tuple(line["warnings"]))

    def _ask(self, *arguments: str) -> dict[str, Any]:
        output = io.StringIO()
        common = ("--policy", str(self.policy), "--evidence", f"dir:{self.evidence}")
        with contextlib.redirect_stdout(output):
            run([*arguments, *common, "--output", "json"])
        line: dict[str, Any] = json.loads(output.getvalue())
        return line
