"""Bundles of keys whose time a miniature sigstore proves, and policies that trust it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from stagepass.attestor import PublicKey
from stagepass.bundle import Bundle
from stagepass.identity import Span
from stagepass.policy.model import PolicySet
from stagepass.trustedtime import TrustedTimes
from tests.policy.signed import ATTESTORS, beside, key
from tests.simulators.sigstore import HONEST, Lies, Sigstore, Windows
from tests.world import NOW, changed, policy_set, signer

ROOT_FILE = "trust/miniature.json"


@cache
def _instance(name: str) -> Sigstore:
    return Sigstore(name, now=NOW)


def sigstore(name: str = "miniature") -> Sigstore:
    """The instance of that name, which lives for ten years around NOW."""
    return _instance(name)


def proven(
    bundle: bytes,
    by: str,
    at: datetime,
    *,
    log: str | None = None,
    tsa: bool | None = None,
    lies: Lies = HONEST,
    instance: str = "miniature",
) -> bytes:
    """`bundle`, signed by the key of `by`, with one more proof that this was at `at`: by default a stamp."""
    public = load_pem_public_key(signer(by).public_pem)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    stamped = log is None if tsa is None else tsa
    service = sigstore(instance)
    return service.witness(bundle, public, at=at, log=log, tsa=stamped, lies=lies)


def times(*instances: str, windows: Windows | None = None) -> TrustedTimes:
    """What trusts these instances, by default the one."""
    roots = {name: root_of(name, windows) for name in instances or ("miniature",)}
    return TrustedTimes(roots)


@cache
def root_of(instance: str = "miniature", windows: Windows | None = None) -> bytes:
    """Its trusted root."""
    return sigstore(instance).trusted_root(windows or Windows())


def span_of(trusted: TrustedTimes, bundle: bytes, by: str) -> Span | None:
    """When the key of `by` signed it. Raises `AttestationError`."""
    return trusted.of(Bundle.parse(bundle), PublicKey.parse(signer(by).public_pem))


def altered(bundle: bytes, changes: Mapping[str, Any]) -> bytes:
    """`bundle` with changes below `verificationMaterial`."""
    below = {f"verificationMaterial.{path}": value for path, value in changes.items()}
    return json.dumps(changed(json.loads(bundle), below)).encode()


def trust_files(windows: Windows | None = None) -> dict[str, str]:
    """The files of a policy that trusts the miniature."""
    root = root_of(windows=windows)
    named = {"name": "miniature", "file": ROOT_FILE, "sha256": hashlib.sha256(root).hexdigest()}
    document = {
        "apiVersion": "stagepass.dev/v1",
        "kind": "Attestors",
        "trustRoots": [named],
        "attestors": {"witnesses": {"keys": [key("dave")]}},
    }
    return {"trust.yaml": json.dumps(document), ROOT_FILE: root.decode()}


def trusting(
    changes: Mapping[str, Any] | None = None,
    *,
    revoked: bytes = b"",
    windows: Windows | None = None,
) -> PolicySet:
    """The shop of `tests.policy.signed` that trusts the miniature, with a revocation list by security."""
    files = {**beside(), **trust_files(windows)}
    if revoked:
        listed = {"kind": "Revocations", "file": "revoked.json", "from": ["security"]}
        files = {**files, **beside(listed), "revoked.json": revoked.decode()}
    return policy_set({**ATTESTORS, **(changes or {})}, extra=files)
