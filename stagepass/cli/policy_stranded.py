"""What runs and could not restart under a new set or list: allowed before, and not any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import click

from stagepass.cli.admit import judge_files
from stagepass.cli.report import printable, violation_json
from stagepass.decision import Answer, Decision
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline, EvidenceSource
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import NO_CLAIMS, Claim
from stagepass.stage import Place
from stagepass.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Stranded:
    """An image that runs in `place`, and what the new set says to it."""

    image: ImageRef
    place: Place
    decision: Decision


@dataclass(frozen=True, slots=True)
class Running:
    """
    What became of all that runs: images in places, each once.

    Of `unknown` many neither set found out whether they may stay.
    """

    judged: int
    stranded: tuple[Stranded, ...]
    unknown: int

    def show(self) -> None:
        """All of it, for people."""
        self.show_each()
        self.show_total()

    def show_each(self) -> None:
        """A line for each."""
        for each in self.stranded:
            reasons = ", ".join(f"{v.code}: {printable(v.message)}" for v in each.decision.unmet)
            mark = click.style("stranded ", fg="red", bold=True)
            click.echo(f"{mark} {each.image} in {each.place}: {reasons}")

    def show_total(self) -> None:
        """How many."""
        if not self.judged:
            click.echo("nothing runs")
        if self.unknown:
            click.echo(f"could not find out whether {self.unknown} running images may stay")
        click.echo(f"{len(self.stranded)} running images would be stranded")

    def to_json(self) -> dict[str, object]:
        """For machines."""
        stuck = [
            {
                "image": str(each.image),
                "cluster": each.place.cluster,
                "namespace": each.place.namespace,
                "decision": str(each.decision.answer),
                "violations": [violation_json(v) for v in each.decision.violations],
            }
            for each in self.stranded
        ]
        return {"running": self.judged, "undetermined": self.unknown, "stranded": stuck}


class _Compared(Verifier):
    """Decides by the new set, and keeps what the old one would have allowed."""

    def __init__(self, old: PolicySet, new: PolicySet, sources: Sequence[EvidenceSource]) -> None:
        super().__init__(new, sources)
        self._before = Verifier(old, sources)
        self.judged: dict[tuple[ImageRef, Place], tuple[Decision, Decision]] = {}

    def decide(
        self,
        image: ImageRef,
        place: Place,
        *,
        now: datetime,
        deadline: Deadline,
        claims: Mapping[str, Claim] = NO_CLAIMS,  # noqa: ARG002
    ) -> Decision:
        """As the new set does, by images alone. What several Pods run in one place is judged once."""
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
) -> Running:
    """
    Of the objects in the file `running`, each image and place that only `old` allows, sorted.

    Allowed is after enforcement: from `warn` to `enforce` strands what has no passes. A list of no
    objects is an empty cluster. Raises `InputError` for a file that holds no objects nor such a list.
    """
    verifier = _Compared(old, new, sources)
    judge_files(verifier, (running,), cluster, "default", now, empty_list=True)
    judged = sorted(verifier.judged.items(), key=lambda item: (str(item[0][0]), item[0][1]))
    lost = [
        Stranded(image, place, after)
        for (image, place), (before, after) in judged
        if before.allowed and not after.allowed
    ]
    unknown = sum(
        before.answer is Answer.UNDETERMINED and not before.allowed for _, (before, _) in judged
    )
    return Running(len(judged), tuple(lost), unknown)
