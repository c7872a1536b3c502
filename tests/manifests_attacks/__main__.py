"""
Try every attack on manifests and print the table: what was sent, what should come of it, and what came.

    python -m tests.manifests_attacks [--all]

By default rows that differ only in the kind of their object are one line. Exits 1 where a result is not
the expected one. The real control plane takes part if it is built.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.cluster import tools
from tests.cluster.controlplane import ControlPlane
from tests.manifests_attacks.apiserver import attacked
from tests.manifests_attacks.row import BY_THE_API, Attack, Verb
from tests.manifests_attacks.site import Site
from tests.manifests_attacks.table import ROWS, TRICKS
from tests.manifests_attacks.tried import at_api, at_core, played

_Tried = Iterable[tuple[Attack, Verb, str]]


def main() -> int:
    """The exit code."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("core", "control-plane", "attacked"):
            (root / name).mkdir()
        doors = {"core": list(at_core(Site(root / "core"), ROWS))}
        if _is_built():
            plane = stack.enter_context(ControlPlane(root / "control-plane"))
            server = stack.enter_context(attacked(plane, root / "attacked"))
            doors["apiserver"] = list(at_api(server, ROWS))
    console = Console(width=None if sys.stdout.isatty() else 160)
    table, wrong = Table(title="Attested images, manifests that are not", row_styles=["", "dim"]), 0
    for name in ("attack", "of", "door", "want", "got"):
        table.add_column(name, overflow="fold")
    for door, tried in doors.items():
        wrong += _add(table, door, tried)
    for trick in TRICKS:
        got = played(trick)
        wrong += got != trick.expected
        table.add_row(trick.name, "releases", "core", trick.expected, _shown(got, trick.expected))
    console.print(table)
    counted = ", ".join(f"{door}: {len(tried)} requests" for door, tried in doors.items())
    if len(doors) == 1:
        counted += ", apiserver: not tried, run `make tools`"
    total = f"{len(ROWS)} rows ({counted}), {len(TRICKS)} releases that are none"
    console.print(f"{total}; {wrong} unexpected.")
    return 1 if wrong else 0


def _is_built() -> bool:
    wanted = {name for module in tools.MODULES for name in module.commands.values()}
    return wanted <= set(tools.binaries())


def _add(table: Table, door: str, tried: _Tried) -> int:
    """One line for all kinds that end alike; how many ended otherwise than expected."""
    lines: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    wrong = 0
    for row, verb, got in tried:
        good = row.is_expected(got) if door == "apiserver" else got == row.expected
        wrong += not good
        subject, _, what = row.name.rpartition(": ")
        want = f"{row.expected} ({row.why})" if row.why else row.expected
        shown = _grouped(got) if good else f"[bold red]{escape(got)}[/]"
        whole = "--all" in sys.argv[1:] or not subject
        of = "" if whole else subject.partition(" ")[0]
        lines[row.name if whole else what, want, shown].append(f"{of} {verb}".strip())
    for (what, want, got), whom in lines.items():
        table.add_row(escape(what), ", ".join(dict.fromkeys(whom)), door, want, got)
    return wrong


def _grouped(got: str) -> str:
    return BY_THE_API if got.startswith(BY_THE_API) else got


def _shown(got: str, wanted: str) -> str:
    return escape(got) if got == wanted else f"[bold red]{escape(got)}[/]"


if __name__ == "__main__":
    sys.exit(main())
