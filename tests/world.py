"""
The world the tests of the core and the CLI share: the shop pipeline, its keys, and signed evidence.

Everything is real: P-256 keys, policy text as a user writes it, bundles as `stagepass attest` makes
them. `changed` overrides any field of any of it by its path.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stagepass import strictjson
from stagepass.decision import Decision
from stagepass.digest import Digest, ImageRef
from stagepass.evidence import Attestation, Candidate, DirectorySource, Evidence, Rejection
from stagepass.policy.evaluate import evaluate
from stagepass.policy.load import load
from stagepass.policy.model import PolicySet
from stagepass.policy.store import revision_of
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.passed import PassDetails
from stagepass.signing import PrivateKey
from stagepass.stage import Place
from stagepass.statement import compose

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)

DIGEST, OTHER_DIGEST = Digest.of(b"attested"), Digest.of(b"unattested")
IMAGE = ImageRef.parse(f"registry.example.com/shop/checkout@{DIGEST}")
OTHER_IMAGE = ImageRef.parse(f"registry.example.com/shop/checkout@{OTHER_DIGEST}")

PROVENANCE = "https://slsa.dev/provenance/v1"
VULNERABILITIES = "https://cosign.sigstore.dev/attestation/vuln/v1"

TEST, STAGING = Place("test", "shop"), Place("staging", "shop")
PROD_EU, PROD_US = Place("prod-eu", "shop"), Place("prod-us", "shop")

POLICY = (Path(__file__).parent / "fixtures" / "shop" / "policy.yaml").read_text()
SIGNERS = ("ci", "test-cluster", "staging-cluster", "prod-eu", "prod-us", "scanner")
STRANGER = "stranger"
_PLACES = {"test": "test", "staging": "staging", "production": "prod-eu"}
_SIGNER_OF = {"test": "test-cluster", "staging": "staging-cluster", "prod-eu": "prod-eu"}


class _Drop:
    """Shown by its name, so that the ids of tests are the same in every process."""

    def __repr__(self) -> str:
        return "DROP"


DROP: Any = _Drop()
"""As a new value: take the member out."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key pair, as the code and as files see it."""

    private: PrivateKey
    private_pem: bytes
    public_pem: bytes


@cache
def signer(name: str) -> Signer:
    """The key pair called `name`: the same in every run, so that a failure can be seen again."""
    secret = int.from_bytes(hashlib.sha256(name.encode()).digest()[:31])
    key = ec.derive_private_key(secret, ec.SECP256R1())
    return Signer(
        PrivateKey(key),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )


def changed(document: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of `document` with every `path.to.2.member` set to its new value, or taken out."""
    result = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = result
        for step in parents:
            node = node[_step(node, step)]
        if value is DROP:
            del node[_step(node, last)]
        elif isinstance(node, list) and int(last) == len(node):
            node.append(copy.deepcopy(value))
        else:
            node[_step(node, last)] = copy.deepcopy(value)
    return result


def documents() -> list[dict[str, Any]]:
    """The documents of the policy: attestors, pipeline, defaults."""
    return copy.deepcopy(_parsed_policy())


def variant(changes: Mapping[str, Any]) -> str:
    """The policy with changes below `attestors`, `pipeline` (`pipeline.stages.2.after`) and `defaults`."""
    attestors, pipeline, defaults = documents()
    altered = changed(
        {"attestors": attestors.pop("attestors"), "pipeline": pipeline, "defaults": defaults},
        changes,
    )
    altered["attestors"] = {**attestors, "attestors": altered["attestors"]}
    return "\n---\n".join(json.dumps(document) for document in altered.values())


def policy_files(
    policy: str = POLICY, *, extra: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """The files of a policy set: the policy text, the key files it names, and `extra` ones."""
    keys = {f"keys/{name}.pub": signer(name).public_pem for name in (*SIGNERS, STRANGER)}
    more = {name: text.encode() for name, text in (extra or {}).items()}
    return {"policy.yaml": policy.encode(), **keys, **more}


def policy_set(
    changes: Mapping[str, Any] | None = None, *, extra: Mapping[str, str] | None = None
) -> PolicySet:
    """The loaded set. Raises `PolicyError`."""
    files = policy_files(variant(changes) if changes else POLICY, extra=extra)
    return load(files, revision_of(files))


def write_policy(
    root: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    extra: Mapping[str, str] | None = None,
) -> Path:
    """The set as a directory."""
    files = policy_files(variant(changes) if changes else POLICY, extra=extra)
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_keys(root: Path) -> Path:
    """Every private key, as `NAME.key`."""
    root.mkdir(parents=True, exist_ok=True)
    for name in (*SIGNERS, STRANGER):
        (root / f"{name}.key").write_bytes(signer(name).private_pem)
    return root


def statement(
    predicate_type: str = STAGE_PASSED,
    predicate: bytes = b"{}",
    *,
    digest: Digest = DIGEST,
    changes: Mapping[str, Any] | None = None,
) -> bytes:
    """A payload about the image, with `changes` to the statement itself."""
    payload = compose(
        name=IMAGE.name, digest=digest, predicate_type=predicate_type, predicate=predicate
    )
    return strictjson.dumps(changed(_object(payload), changes)) if changes else payload


def signed(payload: bytes, by: str) -> bytes:
    """The bundle over `payload`."""
    return signer(by).private.sign(payload).to_bytes()


def signed_claim(predicate_type: str, by: str, *, digest: Digest = DIGEST) -> bytes:
    """Any other attestation."""
    return signed(statement(predicate_type, b'{"ok":true}', digest=digest), by)


def signed_pass(
    stage: str = "test",
    cluster: str | None = None,
    by: str | None = None,
    *,
    digest: Digest = DIGEST,
    at: datetime = NOW - HOUR,
    valid_for: timedelta = 30 * DAY,
    watched: timedelta | None = DAY,
    changes: Mapping[str, Any] | None = None,
) -> bytes:
    """
    The bundle of a pass, watched for `watched` until it was signed at `at`.

    `changes` override members of the predicate by path, or of the statement after `^.`.
    """
    where = cluster or _PLACES[stage]
    details = PassDetails(
        pipeline="shop",
        stage=stage,
        environment=Environment(where, namespace="shop"),
        observed=None if watched is None else (at - watched, at),
    )
    predicate = details.compose(image=str(IMAGE), now=at, valid_for=valid_for)
    inner = {p: v for p, v in (changes or {}).items() if not p.startswith("^.")}
    outer = {p.removeprefix("^."): v for p, v in (changes or {}).items() if p.startswith("^.")}
    text = strictjson.dumps(changed(_object(predicate), inner)) if inner else predicate
    payload = statement(STAGE_PASSED, text, digest=digest, changes=outer)
    return signed(payload, by or _SIGNER_OF.get(where, where))


def good_evidence() -> list[bytes]:
    """What admits the image to every stage: provenance, a scan, and the passes of test and staging."""
    return [
        signed_claim(PROVENANCE, "ci"),
        signed_claim(VULNERABILITIES, "scanner"),
        signed_pass("test"),
        signed_pass("staging"),
    ]


def verified(policy: PolicySet, bundles: list[bytes], digest: Digest = DIGEST) -> Evidence:
    """The bundles through the key ring of the policy, as a verifier gathers them."""
    found = [policy.keys.verify(Candidate(b, f"bundle {i}"), digest) for i, b in enumerate(bundles)]
    return Evidence(
        tuple(item for item in found if isinstance(item, Attestation)),
        tuple(item for item in found if isinstance(item, Rejection)),
    )


def judged(
    policy: PolicySet,
    bundles: list[bytes],
    place: Place = PROD_EU,
    *,
    image: ImageRef = IMAGE,
    now: datetime = NOW,
) -> Decision:
    """The decision on these bundles alone."""
    return evaluate(policy, image, place, verified(policy, bundles), now=now)


def codes(decision: Decision) -> list[str]:
    """The codes of its violations, each once, in order of the alphabet."""
    return sorted({str(violation.code) for violation in decision.violations})


def stored(root: Path, bundles: list[bytes], digest: Digest = DIGEST) -> Path:
    """The bundles in an evidence directory."""
    for bundle in bundles:
        DirectorySource(root).write(digest, bundle)
    return root


@cache
def _parsed_policy() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(POLICY))


def _object(text: bytes) -> dict[str, Any]:
    return strictjson.loads_object(text, max_bytes=1 << 20, max_depth=64)


def _step(node: Any, step: str) -> Any:
    return int(step) if isinstance(node, list) else step
