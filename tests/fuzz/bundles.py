"""Mutated bundles of keys and certificates: none may count for more than it did as it was signed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from stagepass.decision import Answer
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Candidate, Deadline, DirectorySource
from stagepass.verifier import Verifier
from tests.fuzz.mutate import damaged, mutated, text_of, with_duplicate
from tests.fuzz.reviews import Wrong
from tests.keyless import keyed, world
from tests.world import (
    DIGEST,
    HOUR,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    OTHER_IMAGE,
    STAGING,
    signed,
    signed_pass,
)


@dataclass(frozen=True)
class _Good:
    """A bundle that counts."""

    data: bytes

    @cached_property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.data)
        return found

    @cached_property
    def payload(self) -> bytes:
        return base64.b64decode(self.document["dsseEnvelope"]["payload"])

    @cached_property
    def statement(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.payload)
        return found


_PASS = signed_pass("test")
_STATEMENT = _Good(_PASS).statement
_GOODS = tuple(
    map(
        _Good,
        (
            _PASS,
            keyed.proven(_PASS, "test-cluster", NOW - HOUR, log="v1", tsa=True),
            keyed.proven(_PASS, "test-cluster", NOW - HOUR, log="v2"),
            world.keyless(),
            world.keyless(log="v2", tsa=True),
        ),
    )
)
_TEXTS = (
    *("stage-passed/v1", "staging", "test", "shop", "PASSED", "FAILED", "2026-11-26T12:00:00Z"),
    *(str(DIGEST), OTHER_DIGEST.hex, "application/vnd.in-toto+json", "AAAA"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-26T12:00:00+14:00"),
)


class Judge:
    """A verifier over a directory that holds one bundle at a time, for two images."""

    def __init__(self, root: Path) -> None:
        roots = {"public-good": world.root_of(), "miniature": keyed.root_of()}
        self.policy = world.policy(roots=roots)
        self._verifier = Verifier(self.policy, [DirectorySource(root)])
        self._files = [root / f"sha256-{d.hex}/x.sigstore.json" for d in (DIGEST, OTHER_DIGEST)]
        for file in self._files:
            file.parent.mkdir(parents=True, exist_ok=True)

    def read(self, bundle: bytes) -> Attestation | None:
        """What it attests about the image. Raises `Wrong` where a reader of it broke."""
        found = self.policy.keys.verify(Candidate(bundle, "mutant"), DIGEST)
        if isinstance(found, Attestation):
            return found
        if found.message.startswith("cannot be read: "):
            raise Wrong(found.message)
        return None

    def counts(self, bundle: bytes, *, decide: bool) -> Attestation | None:
        """
        What the bundle attests about the image. Raises `Wrong`, or what is a bug.

        `decide`: also where it does not count, ask for decisions (a tenth of the speed).
        """
        found = self.read(bundle)
        if found is None and not decide:
            return None
        for file in self._files:
            file.write_bytes(bundle)
        if self._decide(IMAGE) and found is None:
            raise Wrong("admitted without an attestation")
        if self._decide(OTHER_IMAGE):
            raise Wrong("admits another image")
        return found

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
    good = rng.choice(_GOODS)
    bundle = _mutant(rng, good)
    found = judge.counts(bundle, decide=seed % 8 == 0)
    if found is None:
        return "refused"
    if reason := _why_not(bundle, good) or _how_else(found, judge.read(good.data)):
        raise Wrong(f"counts, although {reason}")
    return "counts"


def _mutant(rng: Random, good: _Good) -> bytes:
    chance = rng.random()
    if chance < 0.1:
        return damaged(rng, good.data)
    document = mutated(rng, good.document, _TEXTS)
    if chance < 0.3:  # inside the payload, which stays well-formed
        inner = text_of(rng, mutated(rng, good.statement, _TEXTS))
        document = json.loads(good.data)
        document["dsseEnvelope"]["payload"] = base64.b64encode(inner).decode()
    text = text_of(rng, document)
    return with_duplicate(rng, text) if chance > 0.95 else text


def _how_else(found: Attestation, good: Attestation | None) -> str:
    """How it counts for something else than the bundle it was: its time may be gone, if it was proven."""
    if good is None:
        return "what it was made of does not"
    for what in ("statement", "key_id", "owner", "certified", "signed"):
        is_gone = what == "signed" and found.signed is None and found.certified is None
        if getattr(found, what) != getattr(good, what) and not is_gone:
            return f"its {what} is another"
    return ""


def _why_not(bundle: bytes, seed: _Good) -> str:
    """Why this bundle must not count, read by other code than the verifier's."""
    pairs: list[str] = []

    def unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs.extend(name for name, _ in members)
        if len({name for name, _ in members}) != len(members):
            raise Wrong("a member stands twice")
        return dict(members)

    envelope = json.loads(bundle, object_pairs_hook=unique)["dsseEnvelope"]
    good = seed.document["dsseEnvelope"]
    if _raw(envelope["payload"]) != seed.payload:
        return "its payload is another"
    if envelope["payloadType"] != good["payloadType"]:
        return "its payload type is another"
    signatures = [_raw(each["sig"]) for each in envelope["signatures"]]
    if signatures != [_raw(each["sig"]) for each in good["signatures"]]:
        return "its signature is another"
    return ""


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_").rstrip("=") + "===")
