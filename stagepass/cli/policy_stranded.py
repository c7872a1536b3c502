"""What runs and could not restart under a new policy set: allowed by the old one, refused by the new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stagepass.cli.admit import judge_files
from stagepass.decision import Decision
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline, EvidenceSource
from stagepass.policy.model import PolicySet
from stagepass.stage import Place
from stagepass.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Stranded:
    """An image that runs in `place`, and what the new set says to it."""

    image: ImageRef
    place: Place
    decision: Decision


class _Compared(Verifier):
    """Decides by the new set, and keeps what the old one would have allowed."""

    def __init__(self, old: PolicySet, new: PolicySet, sources: Sequence[EvidenceSource]) -> None:
        super().__init__(new, sources)
        self._before = Verifier(old, sources)
        self.judged: dict[tuple[ImageRef, Place], tuple[Decision, Decision]] = {}

    def decide(
        self, image: ImageRef, place: Place, *, now: datetime, deadline: Deadline
    ) -> Decision:
        """As the new set does. What several Pods run in one place is judged once."""
        known = self.judged.get((image, place))
        if known is None:
            before = self._before.decide(image, place, now=now, deadline=deadline)
            known = before, super().decide(image, place, now=now, deadline=deadline)
            self.judged[image, place] = known
        return known[1]


def stranded(
    old: PolicySet,
    new: PolicySet,
    sources: Sequence[EvidenceSource],
    running: str,
    cluster: str,
    now: datetime,
) -> list[Stranded]:
    """
    Of the objects in the file `running`, each image and place that only `old` allows, sorted.

    Allowed is after enforcement: from `warn` to `enforce` strands what has no passes. Raises
    `InputError` for a file that holds no objects.
    """
    verifier = _Compared(old, new, sources)
    judge_files(verifier, (running,), cluster, "default", now)
    return [
        Stranded(image, place, after)
        for (image, place), (before, after) in sorted(
            verifier.judged.items(), key=lambda item: (str(item[0][0]), item[0][1])
        )
        if before.allowed and not after.allowed
    ]
