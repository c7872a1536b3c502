"""What came of one fault, and how that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.applier_faults.model import Found

_COLUMNS = ("seconds", "writes", "faults", "failures", "lost", "doubled", "orphans")
_HEAD = f"{'fault':<46}" + "".join(f"{name:>9}" for name in _COLUMNS) + "  note"


@dataclass(frozen=True, slots=True)
class Result:
    """
    The figures of one fault; `seconds` runs until everything was as it must be.

    `writes` are calls of the applier that write, `faults` those that were struck, `failures` what the
    applier noted as one, `lost` what was to be kept and is not there.
    """

    name: str
    seconds: float
    writes: int = 0
    faults: int = 0
    failures: int = 0
    lost: int = 0
    doubled: int = 0
    orphans: int = 0
    wrong: tuple[str, ...] = ()
    note: str = ""

    def beside(self, found: Found) -> Result:
        """With what differed in the end."""
        return replace(
            self,
            doubled=self.doubled + found.doubled,
            orphans=self.orphans + found.orphans,
            wrong=(*self.wrong, *found.wrong),
        )

    @property
    def is_bad(self) -> bool:
        """Whether anything is not as it must be."""
        return bool(self.wrong or self.lost or self.doubled or self.orphans)

    def line(self) -> str:
        """One line of the table, with what was wrong below it."""
        numbers = (self.writes, self.faults, self.failures, self.lost, self.doubled, self.orphans)
        cells = f"{self.seconds:>9.1f}" + "".join(f"{number:>9,}" for number in numbers)
        row = f"{self.name:<46}{cells}  {self.note}".rstrip()
        return "\n".join([row, *(f"  WRONG {text}" for text in self.wrong)])


def head() -> str:
    """The first line of the table."""
    return _HEAD


def totals(results: Sequence[Result]) -> str:
    """The last one."""
    bad = sum(result.is_bad for result in results)
    return f"{len(results)} faults, {bad} with a difference"
