"""What is reported: a figure of ours, the same of a reference, and the goal one of them is held to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Is(StrEnum):
    """How a figure relates to its goal."""

    AT_MOST = "<="
    AT_LEAST = ">="
    EXACTLY = "="


@dataclass(frozen=True, slots=True)
class Goal:
    """What we want; missing it fails nothing."""

    relation: Is
    limit: float

    def met_by(self, figure: float) -> bool:
        """Whether `figure` is within it."""
        if self.relation is Is.AT_MOST:
            return figure <= self.limit
        return figure >= self.limit if self.relation is Is.AT_LEAST else figure == self.limit

    def __str__(self) -> str:
        return f"{self.relation} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """
    One measure: `ours` and `reference` in `unit`, `ratio` of the two measured in pairs.

    The goal is about the ratio where there is one, else about `ours`.
    """

    measure: str
    unit: str
    ours: float
    reference: float | None = None
    ratio: float | None = None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, None where there is none."""
        figure = self.ours if self.ratio is None else self.ratio
        return None if self.goal is None else self.goal.met_by(figure)


@dataclass(frozen=True, slots=True)
class Section:
    """A table. `note` says what was compared with what, and how."""

    name: str
    title: str
    ours: str
    reference: str
    note: str
    rows: tuple[Row, ...]
