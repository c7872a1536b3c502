"""`python -m bench [--quick] [--output json] [warm|cold|start ...]`: goals are no gates, so it exits 0."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import cold, report, start, warm

_SECTIONS = {"warm": warm.measure, "cold": cold.measure, "start": start.measure}


def main() -> int:
    """Measure, print, exit 0 whether goals are met or not."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios, side by side.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(_SECTIONS))
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run at all?")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    if unknown := set(options.sections) - _SECTIONS.keys():
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    is_table = options.output == "table"
    if is_table:
        console.print(report.machine(), style="dim")
    sections = []
    with tempfile.TemporaryDirectory(prefix="stagepass-bench-") as directory:
        for name in options.sections or _SECTIONS:
            sections.append(_SECTIONS[name](Path(directory), quick=options.quick))
            if is_table:
                report.print_section(console, sections[-1])
    if is_table:
        report.print_peers(console)
    else:
        print(report.as_json(sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
