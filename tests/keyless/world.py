"""The shop of `tests.world` with identities in it, and what their holders sign by a miniature sigstore."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from stagepass.digest import Digest
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.policy.model import PolicySet
from tests.policy.signed import ATTESTORS, beside
from tests.simulators.sigstore import HONEST, Identity, Lies, Sigstore, Windows
from tests.world import DIGEST, HOUR, NOW, PROVENANCE, changed, policy_set, statement

ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/acme/shop/.github/workflows/release.yml"
SUBJECT = f"{WORKFLOW}@refs/heads/main"
SIGNED_AT = NOW - HOUR
PAYLOAD = statement(PROVENANCE, b'{"ok":true}')
ENTRY: dict[str, Any] = {
    "issuer": ISSUER,
    "subject": f"{WORKFLOW}@refs/heads/*",
    "owner": "ci",
}
FROM = "pipeline.stages.0.requires.0.attestation.from"


@cache
def _instance(name: str) -> Sigstore:
    return Sigstore(name, now=NOW)


def sigstore(name: str = "public-good") -> Sigstore:
    """The instance of that name, which lives for ten years around NOW."""
    return _instance(name)


@cache
def root_of(name: str = "public-good", windows: Windows | None = None) -> bytes:
    """Its trusted root."""
    return sigstore(name).trusted_root(windows or Windows())


def trust_root(name: str, text: bytes) -> dict[str, str]:
    """One entry of `trustRoots`."""
    return {"name": name, "file": f"trust/{name}.json", "sha256": Digest.of(text).hex}


def attestors(
    identities: list[dict[str, Any]], roots: Mapping[str, bytes], **more: Any
) -> dict[str, Any]:
    """A document whose attestor `release` has these identities, under these roots."""
    return {
        "kind": "Attestors",
        "trustRoots": [trust_root(name, text) for name, text in roots.items()],
        "attestors": {"release": {"identities": identities}, **more},
    }


def files(
    identities: list[dict[str, Any]], roots: Mapping[str, bytes] | None = None, **more: Any
) -> dict[str, str]:
    """The files beside the policy: the document of the identities, and the roots."""
    held = {"public-good": root_of()} if roots is None else roots
    texts = {f"trust/{name}.json": text.decode() for name, text in held.items()}
    return {**beside(attestors(identities, held, **more)), **texts}


def policy(
    *identities: Mapping[str, Any],
    roots: Mapping[str, bytes] | None = None,
    changes: Mapping[str, Any] | None = None,
    **more: Any,
) -> PolicySet:
    """
    The shop whose test stage wants provenance by `release`: by default of branches of `release.yml`.

    Each identity is changes to `ENTRY`. `more` are further attestors.
    """
    entries = [{**ENTRY, **identity} for identity in identities] or [ENTRY]
    altered = {**ATTESTORS, FROM: ["release"], **(changes or {})}
    return policy_set(altered, extra=files(entries, roots, **more))


def keyless(
    payload: bytes = PAYLOAD,
    *,
    subject: str = SUBJECT,
    issuer: str = ISSUER,
    claims: Mapping[str, str] | None = None,
    kind: str = "uri",
    at: datetime = SIGNED_AT,
    log: str | None = "v1",
    tsa: bool = False,
    lies: Lies = HONEST,
    instance: str = "public-good",
    **more: Any,
) -> bytes:
    """The bundle over `payload`, by whoever the certificate names; `claims` by Fulcio's names."""
    identity = Identity(issuer, subject, claims or {}, kind)
    service = sigstore(instance)
    return service.bundle(payload, identity, at=at, log=log, tsa=tsa, lies=lies, **more)


def verdict(policy_: PolicySet, bundle: bytes, digest: Digest = DIGEST) -> Attestation | Rejection:
    """What the key ring of the policy says of it."""
    return policy_.keys.verify(Candidate(bundle, "here"), digest)


def refusal(policy_: PolicySet, bundle: bytes) -> tuple[str, str]:
    """Code and message of the rejection."""
    found = verdict(policy_, bundle)
    assert isinstance(found, Rejection), found
    return str(found.code), found.message


def altered(bundle: bytes, changes: Mapping[str, Any]) -> bytes:
    """`bundle` with changes by path."""
    return json.dumps(changed(json.loads(bundle), changes)).encode()
