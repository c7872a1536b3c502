"""
What people, gates and scanners sign, beside the passes of `tests.world`; and the shop that asks for it.

`shop()` is DESIGN's example in full: approvals, a scan with a condition and an age, windows, break-glass.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stagepass import strictjson
from stagepass.bundle import Bundle
from stagepass.clock import format_time
from stagepass.digest import Digest
from stagepass.policy.model import PolicySet
from stagepass.predicates.members import APPROVAL, BREAK_GLASS, REVOCATION_LIST, STAGE_ENTERED
from stagepass.predicates.revocation import Entry, RevocationList
from stagepass.statement import compose
from tests.world import (
    DAY,
    DIGEST,
    DROP,
    HOUR,
    IMAGE,
    NOW,
    PROVENANCE,
    VULNERABILITIES,
    changed,
    policy_set,
    signed,
    signed_claim,
    signed_pass,
    signer,
    statement,
    write_keys,
    write_policy,
)

PEOPLE = ("alice", "alice-laptop", "bob", "carol", "dave", "security", "root")
KEY_FILES = {f"keys/{name}.pub": signer(name).public_pem.decode() for name in PEOPLE}


def key(name: str, owner: str | None = None, **fields: Any) -> dict[str, Any]:
    """One entry of an attestor's `keys`."""
    return {"file": f"keys/{name}.pub", "owner": owner or name, **fields}


ATTESTORS: dict[str, Any] = {
    "attestors.release-managers": {
        "keys": [key("alice"), key("alice-laptop", "alice"), key("bob")]
    },
    "attestors.incident-commanders": {"keys": [key("carol"), key("dave")]},
    "attestors.security": {"keys": [key("security")]},
}
APPROVED_BY_TWO = {"approval": {"from": ["release-managers"], "threshold": 2, "notBy": ["ci"]}}
CLEAN_SCAN = {
    "attestation": {
        "name": "vulnerabilities",
        "from": ["scanner"],
        "predicateType": VULNERABILITIES,
        "where": "size(predicate.scanner.result.critical) == 0",
        "time": "predicate.metadata.scanFinishedOn",
        "maxAge": "7d",
    }
}
WEEKEND = {"deny": "Fri 16:00 - Mon 08:00", "timezone": "Europe/Berlin"}
GLASS = {"from": ["incident-commanders"], "threshold": 1, "maxDuration": "4h"}
FLOOR = {
    "kind": "Baseline",
    "metadata": {"name": "signed"},
    "images": ["**"],
    "namespaces": ["*"],
    "requires": [
        {"attestation": {"name": "x", "from": ["ci"], "predicateType": "https://example.com/x"}}
    ],
}
"""A Baseline that nothing here reaches, unless a test signs it."""
FULL: dict[str, Any] = {
    "pipeline.stages.2.requires": [APPROVED_BY_TWO, CLEAN_SCAN],
    "pipeline.stages.2.windows": [WEEKEND],
    "pipeline.stages.2.breakGlass": GLASS,
}


def policy(changes: Mapping[str, Any] | None = None, *documents: Mapping[str, Any]) -> PolicySet:
    """The shop of `tests.world` with these people in it, changed; `documents` are more of them."""
    return policy_set({**ATTESTORS, **(changes or {})}, extra=beside(*documents))


def shop(changes: Mapping[str, Any] | None = None, *documents: Mapping[str, Any]) -> PolicySet:
    """The same with production in full; a part of `FULL` that is dropped was never there."""
    full = {**FULL, **(changes or {})}
    kept = {path: value for path, value in full.items() if value is not DROP or path not in FULL}
    return policy(kept, *documents)


def beside(*documents: Mapping[str, Any]) -> dict[str, str]:
    """The files beside the policy: everybody's public keys, and these documents in one more."""
    heads = [{"apiVersion": "stagepass.dev/v1", **document} for document in documents]
    more = {"more.yaml": "\n---\n".join(map(json.dumps, heads))} if heads else {}
    return {**KEY_FILES, **more}


def claim(
    predicate_type: str, predicate: Mapping[str, Any], by: str, *, digest: Digest = DIGEST
) -> bytes:
    """The bundle of any statement about the image."""
    return signed(statement(predicate_type, strictjson.dumps(dict(predicate)), digest=digest), by)


def scan(
    by: str = "scanner", *, at: datetime = NOW - HOUR, critical: tuple[str, ...] = ()
) -> bytes:
    """A scan that found these."""
    found = {"result": {"critical": list(critical)}}
    dated = {"scanner": found, "metadata": {"scanFinishedOn": format_time(at)}}
    return claim(VULNERABILITIES, dated, by)


def approval(
    by: str,
    *,
    at: datetime = NOW - HOUR,
    valid_for: timedelta = 2 * DAY,
    changes: Mapping[str, Any] | None = None,
    digest: Digest = DIGEST,
) -> bytes:
    """An approval of production, everywhere; `changes` override its members by path."""
    predicate = {
        "decision": "APPROVED",
        "scope": {"pipeline": "shop", "stage": "production"},
        "timeApproved": format_time(at),
        "expires": format_time(at + valid_for),
    }
    return claim(APPROVAL, changed(predicate, changes or {}), by, digest=digest)


def receipt(
    by: str = "prod-eu",
    *,
    entered: datetime = NOW,
    expires: datetime | None = None,
    changes: Mapping[str, Any] | None = None,
    digest: Digest = DIGEST,
) -> bytes:
    """That the image entered production in prod-eu/shop; `changes` override members by path."""
    predicate: dict[str, Any] = {
        "pipeline": "shop",
        "stage": "production",
        "environment": {"clusterName": "prod-eu", "namespace": "shop"},
        "entered": format_time(entered),
    }
    if expires is not None:
        predicate["expires"] = format_time(expires)
    return claim(STAGE_ENTERED, changed(predicate, changes or {}), by, digest=digest)


def emergency(
    by: str = "carol",
    *,
    issued: datetime = NOW,
    valid_for: timedelta = HOUR,
    changes: Mapping[str, Any] | None = None,
    digest: Digest = DIGEST,
) -> bytes:
    """A break-glass for production, everywhere; `changes` override members by path."""
    predicate = {
        "scope": {"pipeline": "shop", "stage": "production"},
        "reason": "checkout is down",
        "issued": format_time(issued),
        "expires": format_time(issued + valid_for),
    }
    return claim(BREAK_GLASS, changed(predicate, changes or {}), by, digest=digest)


def full_evidence(at: datetime = NOW - HOUR) -> list[bytes]:
    """What admits the image to production of the shop in full, everything dated `at`."""
    passes = [signed_pass("test", at=at), signed_pass("staging", at=at)]
    people = [approval("alice", at=at), approval("bob", at=at)]
    return [signed_claim(PROVENANCE, "ci"), *passes, *people, scan(at=at)]


def revocation_list(
    *entries: Entry,
    by: str = "security",
    sequence: int = 1,
    expires: datetime = NOW + DAY,
    changes: Mapping[str, Any] | None = None,
) -> bytes:
    """The signed list; `changes` override members of its predicate by path."""
    listed = RevocationList.of(sequence, NOW - DAY, expires, entries)
    predicate = changed(json.loads(listed.compose()), changes or {})
    payload = compose(
        name="revocations",
        digest=listed.digest,
        predicate_type=REVOCATION_LIST,
        predicate=strictjson.dumps(predicate),
    )
    return signed(payload, by)


def revocation_of(bundle: bytes) -> Entry:
    """An entry for one attestation."""
    digest = Digest.of(Bundle.parse(bundle).envelope.payload)
    return Entry("attestation", digest.hex, "signed in error")


def revoked(
    bundle: bytes, *, on_expired: str = "deny", changes: Mapping[str, Any] | None = None
) -> PolicySet:
    """The shop in full with this list, which security may sign."""
    document = {
        "apiVersion": "stagepass.dev/v1",
        "kind": "Revocations",
        "file": "revoked.json",
        "from": ["security"],
        "onExpired": on_expired,
    }
    files = {"list.yaml": json.dumps(document), "revoked.json": bundle.decode()}
    return policy_set({**ATTESTORS, **FULL, **(changes or {})}, extra={**beside(), **files})


ARTIFACT = Entry("artifact", DIGEST.hex, "a backdoor")
NAME = f"{IMAGE.name}@{DIGEST}"


def write_shop(
    root: Path, changes: Mapping[str, Any] | None = None, *documents: Mapping[str, Any]
) -> None:
    """The shop in full below `root`: `policy/`, and everybody's keys in `private/`, public ones too."""
    write_policy(
        root / "policy", {**ATTESTORS, **FULL, **(changes or {})}, extra=beside(*documents)
    )
    write_keys(root / "private")
    for name in PEOPLE:
        (root / "private" / f"{name}.key").write_bytes(signer(name).private_pem)
