"""
A gate whose production requires manifests: releases in a directory, and the evidence of their images.

Everything is signed with the keys of `tests.world` and lies where `stagepass` would put it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from stagepass.admission import judge_object
from stagepass.cache import DecisionCache
from stagepass.decision import Decision
from stagepass.digest import Digest
from stagepass.evidence import Deadline
from stagepass.policy.model import PolicySet
from stagepass.release.book import ReleaseBook
from stagepass.release.build import Terms
from stagepass.release.model import Release
from stagepass.release.shelf import Shelf
from stagepass.release.store import ReleaseSource, write_directory
from stagepass.verifier import Verifier
from tests.core.objects import request
from tests.policy.signed import GLASS, policy
from tests.release.samples import COMMIT, CONFIG, DEPLOYMENT, a_release, altered, payload_of
from tests.world import (
    DIGEST,
    NOW,
    OTHER_DIGEST,
    PROVENANCE,
    VULNERABILITIES,
    signed,
    signed_claim,
    signed_pass,
    stored,
)

PRODUCTION = Terms("shop", "production", "production", COMMIT)
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {"selector": {"app": "checkout"}, "ports": [{"port": 80, "targetPort": 8080}]},
}
ROLE: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "reader", "namespace": "shop"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}
OBJECTS = (DEPLOYMENT, CONFIG, SERVICE, ROLE)
REQUIRED: dict[str, Any] = {
    "pipeline.stages.2.manifests": "required",
    "pipeline.stages.2.release": {"from": ["ci"]},
    "pipeline.stages.2.breakGlass": GLASS,
}
GATED = policy(REQUIRED)
BOTH = (DIGEST, OTHER_DIGEST)


def cart(**changes: Any) -> dict[str, Any]:
    """Another pipeline of the same place; `changes` are of its one stage."""
    live = {"name": "live", "clusters": ["prod-eu"], "namespaces": ["shop"]}
    return {
        "kind": "Pipeline",
        "metadata": {"name": "cart"},
        "images": ["registry.example.com/cart/**"],
        "stages": [{**live, "signedBy": ["prod-clusters"], **changes}],
    }


def gated(changes: Mapping[str, Any]) -> PolicySet:
    return policy({**REQUIRED, **changes})


def a_pod(**changes: Any) -> dict[str, Any]:
    """What the ReplicaSet controller makes of the Deployment."""
    template = DEPLOYMENT["spec"]["template"]
    metadata = {
        "name": "checkout-7d4b9c6f5d-x7k2p",
        "namespace": "shop",
        "labels": {"app": "checkout", "pod-template-hash": "7d4b9c6f5d"},
    }
    return altered(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]},
        **changes,
    )


def of_set(release: Release) -> dict[str, Any]:
    """What a pass says of the release whose images it is of."""
    members = {
        "digest": {"sha256": release.digest.hex},
        "imageSet": {"sha256": release.image_set.hex},
    }
    return {"release": members}


@dataclass
class World:
    """Evidence below `root`, under one policy set."""

    root: Path
    policy: PolicySet = field(default_factory=lambda: GATED)

    def released(
        self,
        *objects: Mapping[str, Any],
        by: str = "ci",
        terms: Terms = PRODUCTION,
        passed: Iterable[Digest] = BOTH,
    ) -> Release:
        """A release, signed and stored, of whose image set these digests have passed."""
        release = a_release(*(objects or OBJECTS), terms=terms)
        write_directory(self.root, release, signed(payload_of(release), by))
        for digest in passed:
            stored(self.root, passes(release, digest), digest)
        return release

    def verifier(self, *sources: ReleaseSource, shelf: Shelf | None = None) -> Verifier:
        """A gate started now, which reads these, by default the directory."""
        found = sources or (ReleaseSource.directory(self.root),)
        book = ReleaseBook(self.policy, found, shelf or Shelf())
        evidence = [source.bundles for source in found]
        return Verifier(self.policy, evidence, DecisionCache(), releases=book)

    def judge(
        self,
        new: Any,
        old: Any = None,
        *,
        verifier: Verifier | None = None,
        cluster: str = "prod-eu",
        now: datetime = NOW,
        seconds: float = 60,
        **members: Any,
    ) -> Decision:
        operation = {"operation": "UPDATE"} if old is not None else {}
        metadata = new.get("metadata", {}) if isinstance(new, dict) else {}
        named = {"name": metadata.get("name", "")}
        return judge_object(
            verifier or self.verifier(),
            cluster,
            request(new, old, **{**operation, **named, **members}),
            now=now,
            deadline=Deadline.after(seconds),
        )


def passes(release: Release, digest: Digest) -> list[bytes]:
    """What production asks of one image."""
    changes = of_set(release)
    return [
        signed_claim(PROVENANCE, "ci", digest=digest),
        signed_claim(VULNERABILITIES, "scanner", digest=digest),
        signed_pass("test", digest=digest, changes=changes),
        signed_pass("staging", digest=digest, changes=changes),
    ]


def said(decision: Decision) -> str:
    """Everything that is told of a decision, as text."""
    return json.dumps([[v.path, str(v.code), v.message, v.fix] for v in decision.violations])
