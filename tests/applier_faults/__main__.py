"""
A real applier while one fault after another happens to it and to what it talks to.

    python -m tests.applier_faults [--quick] [FAULT...]
    python -m tests.applier_faults --kills [--every N] [--released]
    python -m tests.applier_faults --crowd

Prints the figures of each fault. With --kills, it is killed with SIGKILL before and after every write
of a reconcile instead, and started again, with --released where manifests are required; with --crowd,
fifty applications make each other wait. Exits 1 where anything differs from what the same commits do
without a fault, 2 where a fault is not known.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.applier_faults import faults
from tests.applier_faults.crowd import measure
from tests.applier_faults.kill import AFTER, BEFORE, Outcome, Reconciles
from tests.applier_faults.result import head, totals
from tests.applier_faults.site import Site


def run(every: int, tell: bool = False, *, released: bool = False, near: str = "") -> list[Outcome]:
    """
    The outcome of a kill before and after each `every`-th write.

    With `near`, those around the writes that it is part of: one more or less may come before them.
    """
    outcomes: list[Outcome] = []
    with (
        tempfile.TemporaryDirectory(prefix="kill-") as directory,
        Site(Path(directory), released=released) as site,
    ):
        reconciles = Reconciles(site)
        writes = reconciles.first()
        if tell:
            print(f"{len(writes)} writes in one reconcile", flush=True)
        hits = {at + i for at, what in enumerate(writes) if near in what for i in (-1, 0, 1)}
        for at in sorted(hits) if near else range(0, len(writes), every):
            for moment in (BEFORE, AFTER):
                outcomes.append(reconciles.killed(at, moment))
                if tell:
                    print(outcomes[-1].line(), flush=True)
    return outcomes


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.applier_faults", description=__doc__)
    parser.add_argument("--kills", action="store_true", help="before and after every write")
    parser.add_argument("--every", type=int, default=1, help="only each N-th write (default: 1)")
    parser.add_argument("--released", action="store_true", help="releases, and their mirror")
    parser.add_argument("--crowd", action="store_true", help="fifty applications and a poison")
    parser.add_argument("--quick", action="store_true", help="a short form of each fault")
    parser.add_argument("names", nargs="*", metavar="FAULT", help="; ".join(faults.FAULTS))
    options = parser.parse_args(arguments)
    if options.crowd:
        with tempfile.TemporaryDirectory(prefix="crowd-") as folder, Site(Path(folder)) as site:
            measure(site, lambda line: print(line, flush=True))
        return 0
    if options.kills:
        return _kills(options.every, released=options.released)
    if unknown := [name for name in options.names if name not in faults.FAULTS]:
        print(f"no such fault: {', '.join(unknown)}", file=sys.stderr)
        return 2
    print(head(), flush=True)
    names = options.names or list(faults.FAULTS)
    results = faults.run(names, quick=options.quick, tell=lambda r: print(r.line(), flush=True))
    print(totals(results))
    return 1 if any(result.is_bad for result in results) else 0


def _kills(every: int, *, released: bool) -> int:
    outcomes = run(every, tell=True, released=released)
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    print(f"{len(outcomes)} kills, {wrong} with a difference")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
