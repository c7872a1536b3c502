"""
A real applier is killed with SIGKILL before and after every write of a reconcile, and started again.

    python -m tests.applier_faults [--every N] [--crowd]

Prints how each ended; with --crowd, how long fifty applications make each other wait instead. Exits 1
where anything differs from what the same commit does to an applier that nobody kills.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.applier_faults.crowd import measure
from tests.applier_faults.kill import AFTER, BEFORE, Outcome, Reconciles
from tests.applier_faults.site import Site


def run(every: int, tell: bool = False) -> list[Outcome]:
    """The outcome of a kill before and after each `every`-th write."""
    outcomes: list[Outcome] = []
    with (
        tempfile.TemporaryDirectory(prefix="kill-") as directory,
        Site(Path(directory)) as site,
    ):
        reconciles = Reconciles(site)
        writes = reconciles.first()
        if tell:
            print(f"{len(writes)} writes in one reconcile", flush=True)
        for at in range(0, len(writes), every):
            for moment in (BEFORE, AFTER):
                outcomes.append(reconciles.killed(at, moment))
                if tell:
                    print(outcomes[-1].line(), flush=True)
    return outcomes


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.applier_faults", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each N-th write (default: 1)")
    parser.add_argument("--crowd", action="store_true", help="fifty applications and a poison")
    options = parser.parse_args(arguments)
    if options.crowd:
        with tempfile.TemporaryDirectory(prefix="crowd-") as folder, Site(Path(folder)) as site:
            measure(site, lambda line: print(line, flush=True))
        return 0
    outcomes = run(options.every, tell=True)
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    print(f"{len(outcomes)} kills, {wrong} with a difference")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
