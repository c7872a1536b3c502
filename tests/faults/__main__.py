"""
A real gate under load while one fault after another happens to it.

    python -m tests.faults [--quick | --seconds N] [FAULT...]

Prints how every request ended. Exits 1 where an answer was wrong, 2 where a fault is not known.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.faults.faults import FAULTS
from tests.faults.result import Result, head, totals
from tests.faults.site import Site

QUICK_SECONDS, _SECONDS, _MOST_SECONDS = 1.0, 5.0, 600.0


def run(
    names: Sequence[str], seconds: float, tell: Callable[[Result], object] = lambda _: None
) -> list[Result]:
    """The result of each fault, which lasts about `seconds`; `tell` hears of it at once."""
    results = []
    with tempfile.TemporaryDirectory(prefix="faults-") as directory, Site(Path(directory)) as site:
        for name in names:
            results.append(FAULTS[name](name, site, seconds))
            tell(results[-1])
    return results


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a second of each")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of each (default: 5)")
    parser.add_argument("names", nargs="*", metavar="FAULT", help="; ".join(FAULTS))
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in FAULTS]:
        print(f"no such fault: {', '.join(unknown)}", file=sys.stderr)
        return 2
    seconds = QUICK_SECONDS if options.quick else min(options.seconds, _MOST_SECONDS)
    print(head(), flush=True)
    names = options.names or list(FAULTS)
    results = run(names, seconds, lambda result: print(result.line(), flush=True))
    print(totals(results))
    return 1 if any(result.wrong for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
