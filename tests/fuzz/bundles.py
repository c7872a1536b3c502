"""Mutated bundles: none may count unless what its signature covers is as it was signed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from random import Random
from typing import Any

from stagepass.decision import Answer
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Candidate, Deadline, DirectorySource
from stagepass.verifier import Verifier
from tests.fuzz.mutate import damaged, mutated, text_of, with_duplicate
from tests.fuzz.reviews import Wrong
from tests.world import (
    DIGEST,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    OTHER_IMAGE,
    STAGING,
    policy_set,
    signed,
    signed_pass,
)

_GOOD = signed_pass("test")
_DOCUMENT: dict[str, Any] = json.loads(_GOOD)
_PAYLOAD = base64.b64decode(_DOCUMENT["dsseEnvelope"]["payload"])
_STATEMENT: dict[str, Any] = json.loads(_PAYLOAD)
_TEXTS = (
    *("stage-passed/v1", "staging", "test", "shop", "PASSED", "FAILED", "2026-11-26T12:00:00Z"),
    *(str(DIGEST), OTHER_DIGEST.hex, "application/vnd.in-toto+json", "AAAA"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-26T12:00:00+14:00"),
)


class Judge:
    """A verifier over a directory that holds one bundle at a time, for two images."""

    def __init__(self, root: Path) -> None:
        self.policy = policy_set()
        self._verifier = Verifier(self.policy, [DirectorySource(root)])
        self._files = [root / f"sha256-{d.hex}/x.sigstore.json" for d in (DIGEST, OTHER_DIGEST)]
        for file in self._files:
            file.parent.mkdir(parents=True, exist_ok=True)

    def counts(self, bundle: bytes, *, decide: bool) -> bool:
        """
        Whether the bundle is an attestation about the image. Raises `Wrong`, or what is a bug.

        `decide`: also where it does not count, ask for decisions (a tenth of the speed).
        """
        found = self.policy.keys.verify(Candidate(bundle, "mutant"), DIGEST)
        counts = isinstance(found, Attestation)
        if not counts and not decide:
            return False
        for file in self._files:
            file.write_bytes(bundle)
        if self._decide(IMAGE) and not counts:
            raise Wrong("admitted without an attestation")
        if self._decide(OTHER_IMAGE):
            raise Wrong("admits another image")
        return counts

    def _decide(self, image: ImageRef) -> bool:
        deadline = Deadline.after(60)
        decision = self._verifier.decide(image, STAGING, now=NOW, deadline=deadline)
        return decision.answer is Answer.ADMITTED


def execute(judge: Judge, seed: int) -> str:
    """One bundle; how it ended: `counts`, `refused` or `signed` (mutated before). Raises `Wrong`."""
    rng = Random(seed)  # noqa: S311  # to be seen again
    if rng.random() < 0.1:
        # Truly signed nonsense about this image or none: no reader of it may break.
        statement = mutated(rng, _STATEMENT, _TEXTS[:7])
        if OTHER_DIGEST.hex not in json.dumps(statement):
            judge.counts(signed(text_of(rng, statement), "test-cluster"), decide=True)
        return "signed"
    bundle = _mutant(rng)
    if not judge.counts(bundle, decide=seed % 8 == 0):
        return "refused"
    if reason := _why_not(bundle):
        raise Wrong(f"counts, although {reason}")
    return "counts"


def _mutant(rng: Random) -> bytes:
    chance = rng.random()
    if chance < 0.1:
        return damaged(rng, _GOOD)
    document = mutated(rng, _DOCUMENT, _TEXTS)
    if chance < 0.3:  # inside the payload, which stays well-formed
        inner = text_of(rng, mutated(rng, _STATEMENT, _TEXTS))
        document = json.loads(_GOOD)
        document["dsseEnvelope"]["payload"] = base64.b64encode(inner).decode()
    text = text_of(rng, document)
    return with_duplicate(rng, text) if chance > 0.95 else text


def _why_not(bundle: bytes) -> str:
    """Why this bundle must not count, read by other code than the verifier's."""
    pairs: list[str] = []

    def unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs.extend(name for name, _ in members)
        if len({name for name, _ in members}) != len(members):
            raise Wrong("a member stands twice")
        return dict(members)

    envelope = json.loads(bundle, object_pairs_hook=unique)["dsseEnvelope"]
    good = _DOCUMENT["dsseEnvelope"]
    if _raw(envelope["payload"]) != _PAYLOAD:
        return "its payload is another"
    if envelope["payloadType"] != good["payloadType"]:
        return "its payload type is another"
    signatures = [_raw(each["sig"]) for each in envelope["signatures"]]
    if signatures != [_raw(each["sig"]) for each in good["signatures"]]:
        return "its signature is another"
    return ""


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_").rstrip("=") + "===")
