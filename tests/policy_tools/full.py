"""A policy set that uses every field there is but the revocation list, over real keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from stagepass.policy.load import load
from stagepass.policy.model import PolicySet
from stagepass.policy.store import revision_of
from tests.world import changed, signer

KEYS = (
    *("ci", "test-cluster", "staging-cluster", "prod-eu", "prod-us", "scanner"),
    *("alice", "bob", "carol", "stranger"),
)
FULL = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors:
  ci: {keys: [{file: keys/ci.pub, owner: ci}]}
  test-cluster: {keys: [{file: keys/test-cluster.pub, owner: test-cluster}]}
  staging-cluster:
    keys:
      - file: keys/staging-cluster.pub
        owner: staging-cluster
        clusters: [staging]
        validFrom: "2026-01-01T00:00:00Z"
        validUntil: "2027-06-01T00:00:00Z"
  prod-clusters:
    keys:
      - {file: keys/prod-eu.pub, owner: prod-eu, clusters: [prod-eu]}
      - {file: keys/prod-us.pub, owner: prod-us, clusters: [prod-us]}
  scanner: {keys: [{file: keys/scanner.pub, owner: scanner}]}
  managers: {keys: [{file: keys/alice.pub, owner: alice}, {file: keys/bob.pub, owner: bob}]}
  commanders: {keys: [{file: keys/carol.pub, owner: carol}]}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: ["registry.example.com/shop/**"]
stages:
  - name: test
    clusters: [{name: test, uid: 6f1c}]
    namespaces: [shop]
    signedBy: [test-cluster]
    allowShared: nothing is shared
    manifests: warn
    release: {from: [ci]}
  - name: staging
    clusters: [staging]
    namespaces: [shop]
    signedBy: [staging-cluster]
    after: [test]
    manifests: warn
    release: {from: [ci]}
    source:
      git: https://git.example.com/shop/deploy.git
      ref: {tag: v1}
      path: .
      serviceAccount: {namespace: shop, name: deployer}
  - name: production
    clusters: [prod-eu, prod-us]
    namespaces: [shop, "shop-*"]
    signedBy: [prod-clusters]
    after: [{stage: staging, soak: 24h, maxAge: 30d, clusters: all}]
    requires:
      - attestation:
          name: vulnerabilities
          from: [scanner]
          predicateType: https://cosign.sigstore.dev/attestation/vuln/v1
          where: size(predicate.critical) == 0
          time: predicate.scanned
          maxAge: 7d
      - approval: {from: [managers], threshold: 2, notBy: [ci], maxAge: 10d}
    windows: [{deny: "Fri 16:00 - Mon 08:00", timezone: Europe/Berlin}]
    breakGlass: {from: [commanders], threshold: 1, maxDuration: 4h}
    enforcement: enforce
    source:
      git: https://git.example.com/shop/deploy.git
      ref: {branch: main}
      path: apps/production
      root: apps
      serviceAccount: {namespace: shop, name: deployer}
      commitSigners: {ssh: keys/allowed_signers, gpg: keys/maintainers.asc}
      heartbeat: {ref: heartbeat, maxAge: 12h, signers: {ssh: keys/beat_signers, gpg: keys/beat.asc}}
      apply: all-or-nothing
      clusterScoped: [Namespace, ClusterRole.rbac.authorization.k8s.io]
      takeover: [apps/Deployment/shop/web]
      sandbox: required
    manifests: required
    release:
      from: [ci]
      repository: registry.example.com/shop/releases
      kinds: [apps/Deployment, ConfigMap]
      secrets: refused
      allow:
        - {kinds: [apps/Deployment], pointer: /spec/replicas, reason: scaled}
        - reason: mesh
          container:
            mesh.example.com/proxy@sha256:1111111111111111111111111111111111111111111111111111111111111111
---
apiVersion: stagepass.dev/v1
kind: Baseline
metadata: {name: built}
images: ["registry.example.com/**"]
namespaces: ["*"]
clusters: [test, staging, prod-eu, prod-us]
requires:
  - attestation: {name: provenance, from: [ci], predicateType: https://slsa.dev/provenance/v1}
---
apiVersion: stagepass.dev/v1
kind: Defaults
unlisted: deny
csiDrivers: [secrets-store.csi.k8s.io]
exempt:
  - namespaces: [kube-system]
    images: ["registry.k8s.io/**"]
    allowTags: true
    reason: control plane
    expires: "2027-01-01T00:00:00Z"
"""


def full_documents(changes: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The documents, with changes below `attestors`, `pipeline`, `baseline` and `defaults`."""
    attestors, pipeline, baseline, defaults = yaml.safe_load_all(FULL)
    parts = {
        "attestors": attestors["attestors"],
        "pipeline": pipeline,
        "baseline": baseline,
        "defaults": defaults,
    }
    altered = changed(parts, changes or {})
    return [
        {**attestors, "attestors": altered["attestors"]},
        *(altered[name] for name in ("pipeline", "baseline", "defaults")),
    ]


def files_of(documents: list[dict[str, Any]]) -> dict[str, bytes]:
    """A set of these documents, with every key."""
    keys = {f"keys/{name}.pub": signer(name).public_pem for name in KEYS}
    text = "\n---\n".join(json.dumps(document) for document in documents)
    signers = {"keys/allowed_signers": b"dev ssh-ed25519 AAAA", "keys/maintainers.asc": b"armor"}
    signers |= {"keys/beat_signers": b"beat ssh-ed25519 AAAA", "keys/beat.asc": b"beat armor"}
    return {"policy.yaml": text.encode(), **keys, **signers}


def full_set(changes: Mapping[str, Any] | None = None, *more: dict[str, Any]) -> PolicySet:
    """The loaded set, with `more` documents. Raises `PolicyError`."""
    return _loaded(json.dumps([*full_documents(changes), *more]))


def write_full(root: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """The set as a directory."""
    for name, data in files_of(full_documents(changes)).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


@cache
def _loaded(documents: str) -> PolicySet:
    files = files_of(json.loads(documents))
    return load(files, revision_of(files))
