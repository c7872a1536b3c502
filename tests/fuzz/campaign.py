"""Executions one after the other, each with a seed of its own, until there are enough or time is up."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Result:
    """How often each end was reached, and what went wrong, by seed."""

    outcomes: Counter[str]
    failures: dict[int, str] = field(default_factory=dict)

    @property
    def executions(self) -> int:
        return sum(self.outcomes.values()) + len(self.failures)

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        return f"{self.executions} executions: {ends}; {len(self.failures)} wrong"


def run(
    execute: Callable[[int], str], first: int, *, count: int, seconds: float, failures: int = 5
) -> Result:
    """`execute` with the seeds `first`, `first + 1`, ...: `count` of them, or as many as time allows."""
    result = Result(Counter())
    end = time.monotonic() + seconds
    with quiet():
        for seed in range(first, first + count):
            try:
                result.outcomes[execute(seed)] += 1
            except Exception:  # a crash is a finding, and the next seed may find another
                result.failures[seed] = traceback.format_exc(limit=-4)
            if time.monotonic() > end or len(result.failures) >= failures:
                break
    return result


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the gate's log, of which every execution writes a line."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        yield
