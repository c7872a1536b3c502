"""`python -m bench [--quick|--long] [--output json] [SECTION ...]`: goals are no gates, so it exits 0."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from bench import (
    applier,
    cold,
    keyless,
    manifests,
    memory,
    report,
    start,
    storm,
    turns,
    verify,
    warm,
)
from bench.figures import Section

_QUICK = ("warm", "cold", "start", "storm", "turns", "manifests")
_SECTIONS = (*_QUICK, "keyless", "memory", "verify", "applier")


def _measures(*, quick: bool, long: bool) -> dict[str, Callable[[Path], Section]]:
    return {
        "warm": partial(warm.measure, quick=quick),
        "cold": partial(cold.measure, quick=quick),
        "start": partial(start.measure, quick=quick),
        "storm": partial(storm.measure, quick=quick),
        "turns": partial(turns.measure, quick=quick),
        "manifests": partial(manifests.measure, quick=quick),
        "keyless": partial(keyless.measure, quick=quick),
        "memory": partial(memory.measure, quick=quick, long=long),
        "verify": partial(verify.measure, quick=quick),
        "applier": partial(applier.measure, quick=quick),
    }


def main() -> int:
    """Measure, print, exit 0 whether goals are met or not."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios, side by side.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(_SECTIONS))
    size = parser.add_mutually_exclusive_group()
    quick = f"few rounds, and only {', '.join(_QUICK)} unless named: does it run at all?"
    size.add_argument("--quick", action="store_true", help=quick)
    size.add_argument("--long", action="store_true", help="memory: 100,000 reviews, minutes")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(_SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    is_table = options.output == "table"
    if is_table:
        console.print(report.machine(), style="dim")
    measures = _measures(quick=options.quick, long=options.long)
    sections = []
    with tempfile.TemporaryDirectory(prefix="stagepass-bench-") as directory:
        for name in options.sections or (_QUICK if options.quick else _SECTIONS):
            sections.append(measures[name](Path(directory)))
            if is_table:
                report.print_section(console, sections[-1])
    if is_table:
        report.print_peers(console)
    else:
        print(report.as_json(sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
