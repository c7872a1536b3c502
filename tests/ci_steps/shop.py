"""What a step signs and a gate then judges: one image, its policy set, and everybody's keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stagepass.cli.deciding import verifier
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline
from stagepass.policy.store import load_directory
from stagepass.stage import Place
from tests.simulators.registry import Registry
from tests.world import signer

_SIGNERS = ("ci", "test-cluster", "stranger")
KEYED = "{keys: [{file: keys/ci.pub, owner: ci}]}"
_POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
%(roots)sattestors:
  ci: %(ci)s
  test-cluster: {keys: [{file: keys/test-cluster.pub, owner: test-cluster}]}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: ["%(host)s/shop/**"]
stages:
  - name: test
    clusters: [test]
    namespaces: [shop]
    signedBy: [test-cluster]
    requires: [attestation: {name: provenance, from: [ci], predicateType: "https://slsa.dev/provenance/v1"}]
  - {name: production, clusters: [prod], namespaces: [shop], after: [test]}
---
apiVersion: stagepass.dev/v1
kind: Defaults
unlisted: deny
"""
_CLUSTERS = {"test": "test", "production": "prod"}


@dataclass(frozen=True, slots=True)
class Shop:
    """The checkout `root` (policy, predicate, private keys) and the image in the registry."""

    root: Path
    host: str
    image: str

    @classmethod
    def open(cls, root: Path, registry: Registry) -> Shop:
        """Write it all; nothing is signed yet."""
        (root / "policy" / "keys").mkdir(parents=True)
        for name in _SIGNERS:
            (root / f"{name}.key").write_bytes(signer(name).private_pem)
            (root / "policy" / "keys" / f"{name}.pub").write_bytes(signer(name).public_pem)
        (root / "provenance.json").write_text('{"runDetails":{"builder":{"id":"ci"}}}')
        digest = registry.push_image("shop/checkout")
        shop = cls(root, registry.host, f"{registry.host}/shop/checkout@{digest}")
        shop.trust(KEYED)
        return shop

    def trust(self, ci: str, roots: Sequence[str] = ()) -> None:
        """Who may sign provenance, as the entry `attestors.ci`; `roots` are lines of `trustRoots`."""
        listed = "trustRoots:\n" + "".join(f"  - {line}\n" for line in roots) if roots else ""
        text = _POLICY % {"roots": listed, "ci": ci, "host": self.host}
        (self.root / "policy" / "policy.yaml").write_text(text)

    def decision(self, stage: str) -> str:
        """What the gate says of the image at that stage: its own verifier, on the registry's evidence."""
        policy = load_directory(self.root / "policy")
        gate = verifier(policy, ["registry"], offline=False)
        place = Place(_CLUSTERS[stage], "shop")
        now, deadline = datetime.now(UTC), Deadline.after(30.0)
        return str(
            gate.decide(ImageRef.parse(self.image), place, now=now, deadline=deadline).answer
        )
