"""An honest evidence source in memory, which counts how often it is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline


@dataclass
class MemorySource:
    """Its `bundles` in batches of `size`; then `failure`, where it has one."""

    bundles: list[bytes] = field(default_factory=list)
    size: int = 50
    failure: Code | None = None
    calls: int = 0
    batches_read: int = 0
    wanted: list[frozenset[str]] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event | None = None

    def batches(
        self,
        image: ImageRef,  # noqa: ARG002  # one image in this world
        digest: Digest,  # noqa: ARG002
        wanted: frozenset[str],
        deadline: Deadline,
    ) -> Iterator[Sequence[Candidate]]:
        """As told; waits for `gate` first, so that a test can let others arrive meanwhile."""
        self.calls += 1
        self.wanted.append(wanted)
        self.asked.set()
        if self.gate is not None:
            self.gate.wait(deadline.remaining())
        for start in range(0, len(self.bundles), self.size):
            self.batches_read += 1
            part = self.bundles[start : start + self.size]
            yield [Candidate(b, f"memory {start + i}") for i, b in enumerate(part)]
        if self.failure is not None:
            raise Unavailable(self.failure, "registry.example.com did not answer")
