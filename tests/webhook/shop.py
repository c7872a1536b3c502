"""A team behind a gate: its policy set and evidence on disk, its images, and what it signs today."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stagepass.digest import Digest
from tests.world import VULNERABILITIES, signed_claim, signed_pass, stored, variant, write_policy

CLUSTER = "staging"
HOST = "registry.example.com"
"""A registry that nobody can ask: evidence about its images lies in a directory."""

_LATER: dict[str, Any] = {"clusters": [CLUSTER], "after": ["test"]}
_SCAN = {"name": "scan", "from": ["scanner"], "predicateType": VULNERABILITIES}
_STAGES: list[dict[str, Any]] = [
    {**_LATER, "name": "preview", "namespaces": ["preview"], "enforcement": "warn"},
    {**_LATER, "name": "watched", "namespaces": ["watched"], "enforcement": "audit"},
    {**_LATER, "name": "canary", "namespaces": ["canary"], "requires": [{"attestation": _SCAN}]},
]


class Shop:
    """
    The pipeline of `tests.world`, with three more stages in the cluster of the gate.

    What passed `test` may enter `staging` (namespace shop), `preview` (warn) and `watched` (audit),
    each in a namespace of its name; `canary` wants a scan as well.
    """

    def __init__(self, directory: Path, host: str = HOST) -> None:
        self.host = host
        self.evidence = directory / "evidence"
        self.evidence.mkdir(parents=True)
        self.policy = write_policy(directory / "policy")
        self.text = self.variant({})
        self.write(self.text)

    def variant(self, changes: dict[str, Any]) -> str:
        """The text of its policy file with `changes`, as in `tests.world`."""
        stages = {f"pipeline.stages.{3 + i}": stage for i, stage in enumerate(_STAGES)}
        return variant({"pipeline.images": [f"{self.host}/shop/**"], **stages, **changes})

    def write(self, text: str) -> None:
        """Replace its policy file in one step."""
        partial = self.policy / ".partial"
        partial.write_text(text)
        partial.replace(self.policy / "policy.yaml")

    def image(self, name: str = "web") -> str:
        """A new image that nobody has attested."""
        return f"{self.host}/shop/{name}@{Digest.of(secrets.token_bytes(16))}"

    def passed(self, name: str = "web") -> str:
        """A new image that passed `test`, as a bundle in the directory says."""
        image = self.image(name)
        stored(self.evidence, [self.bundle(image)], digest_of(image))
        return image

    def bundle(self, image: str) -> bytes:
        """The pass of `test` for `image`, signed now."""
        return signed_pass("test", digest=digest_of(image), at=datetime.now(UTC))

    def scanned(self, image: str) -> str:
        """`image`, once a scan of it lies in the directory."""
        digest = digest_of(image)
        stored(self.evidence, [signed_claim(VULNERABILITIES, "scanner", digest=digest)], digest)
        return image


def digest_of(image: str) -> Digest:
    """The digest after the `@`."""
    return Digest.parse(image.partition("@")[2])
