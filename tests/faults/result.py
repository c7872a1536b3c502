"""What came of one fault, and how that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.tally import Tally, Window

GOAL = 0.9995
"""The share of explicit answers that a gate should reach."""
_COLUMNS = ("sent", "explicit", "wrong", "undet.", "failed", "cut", "odd", "slowest ms")
_HEAD = f"{'fault':<28}" + "".join(f"{name:>11}" for name in _COLUMNS) + "  note"


@dataclass(frozen=True, slots=True)
class Result:
    """
    The numbers of one fault. `slowest` in seconds.

    `failed`: requests without an answer, `cut` of them on connections that the fault itself cuts.
    `odd`: HTTP answers that are no verdict. `skipped`: why it was not run, "" where it was.
    """

    name: str
    sent: int = 0
    explicit: int = 0
    undetermined: int = 0
    failed: int = 0
    cut: int = 0
    slowest: float = 0.0
    wrong: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    note: str = ""
    skipped: str = ""

    @classmethod
    def of(
        cls, name: str, tallies: Sequence[Tally], note: str = "", cuts: Sequence[Window] = ()
    ) -> Result:
        """The sum of `tallies`; `cuts` are when the fault cut connections."""
        held = sum(tally.held for tally in tallies)
        notes = [note, f"{held} undetermined though attested by directory" if held else ""]
        return cls(
            name,
            sent=sum(tally.sent for tally in tallies),
            explicit=sum(tally.explicit for tally in tallies),
            undetermined=sum(tally.undetermined for tally in tallies),
            failed=sum(len(tally.broken) for tally in tallies),
            cut=sum(tally.cut(cuts) for tally in tallies),
            slowest=max(tally.slowest for tally in tallies),
            wrong=tuple(text for tally in tallies for text in tally.wrong),
            odd=tuple(text for tally in tallies for text in tally.odd),
            errors=tuple(text for tally in tallies for _, _, text in tally.broken),
            note="; ".join(text for text in notes if text),
        )

    def line(self) -> str:
        """One line of the table."""
        if self.skipped:
            return f"{self.name:<28}  NOT RUN: {self.skipped}"
        numbers = (self.sent, self.explicit, len(self.wrong), self.undetermined, self.failed)
        more = (self.cut, len(self.odd), round(self.slowest * 1000))
        cells = "".join(f"{number:>11,}" for number in (*numbers, *more))
        return f"{self.name:<28}{cells}  {self.note}".rstrip()


def head() -> str:
    """The first line of the table."""
    return _HEAD


def totals(results: Sequence[Result]) -> str:
    """The last lines of the table: sums, shares, and what went wrong in its own words."""
    ran = [result for result in results if not result.skipped]
    total = Result(
        f"total of {len(ran)}",
        sent=sum(result.sent for result in ran),
        explicit=sum(result.explicit for result in ran),
        undetermined=sum(result.undetermined for result in ran),
        failed=sum(result.failed for result in ran),
        cut=sum(result.cut for result in ran),
        slowest=max((result.slowest for result in ran), default=0.0),
        wrong=tuple(text for result in ran for text in result.wrong),
        odd=tuple(text for result in ran for text in result.odd),
        note=f"{len(results) - len(ran)} NOT RUN",
    )
    lines = [total.line(), "", _share("explicit answers", total.explicit, total.sent)]
    uncut = total.sent - total.cut
    lines.append(_share("without what the faults cut themselves", total.explicit, uncut))
    for result in ran:
        lines += [f"WRONG {result.name}: {text}" for text in result.wrong[:5]]
        lines += [f"odd {result.name}: {text}" for text in result.odd[:3]]
        kinds = sorted(set(result.errors))
        lines += [f"failed {result.name}: {result.errors.count(k)} x {k}" for k in kinds[:4]]
    return "\n".join(lines)


def _share(what: str, part: int, whole: int) -> str:
    share = part / whole if whole else 0.0
    verdict = "reached" if share >= GOAL else "missed"
    return f"{what}: {part:,} of {whole:,} = {share:.4%} (goal {GOAL:.2%}: {verdict})"
