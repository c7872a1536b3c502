"""
Try every vector and print the table: what was done, where, what should come of it, and what came.

    python -m tests.vectors

Exits 1 where a result is not the expected one. The real control plane takes part if it is built.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.cluster import tools
from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import Gate
from tests.cluster.shop import Shop
from tests.vectors.bench import Bench
from tests.vectors.row import Case, Door, Row
from tests.vectors.table import ROWS

_NOT_BUILT = "not tried: run `make tools`"


def main() -> int:
    """The exit code."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = stack.enter_context(Bench(root / "bench"))
        gate = _gate(stack, root) if _is_built() else None
        results = [(row, list(_tried(row, bench, gate))) for row in ROWS]
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(_table(results))
    wrong = sum(got not in (case.expected, _NOT_BUILT) for _, row in results for case, got in row)
    console.print(_totals(wrong))
    return 1 if wrong else 0


def _is_built() -> bool:
    return {name for module in tools.MODULES for name in module.commands.values()} <= set(
        tools.binaries()
    )


def _gate(stack: ExitStack, root: Path) -> Gate:
    for name in ("control-plane", "shop", "gate"):
        (root / name).mkdir()
    plane = stack.enter_context(ControlPlane(root / "control-plane"))
    return stack.enter_context(Gate(plane, Shop(root / "shop"), root / "gate"))


def _tried(row: Row, bench: Bench, gate: Gate | None) -> Iterator[tuple[Case, str]]:
    for case in row.cases:
        if case.door is not Door.APISERVER:
            yield case, bench.answer(case)
        elif gate is None:
            yield case, _NOT_BUILT
        else:
            gate.namespace = gate.control_plane.namespace("gate")
            yield case, str(case.run(gate))


def _table(results: list[tuple[Row, list[tuple[Case, str]]]]) -> Table:
    table = Table(title="Ways past the gate", show_lines=False, row_styles=["", "dim"])
    for name in ("id", "attack", "door", "input", "expected", "got"):
        table.add_column(name, overflow="fold")
    for row, cases in results:
        if not cases:
            table.add_row(row.id, row.attack, "-", "-", "-", f"not applicable: {row.note}")
        for number, (case, got) in enumerate(cases):
            head = ("", "") if number else (row.id, row.attack)
            cells = (*head, str(case.door), case.name, case.expected, _shown(case, got))
            table.add_row(*cells[:3], *map(escape, cells[3:5]), cells[5])
    return table


def _shown(case: Case, got: str) -> str:
    if got != case.expected:
        return f"[bold red]{escape(got)}[/]"
    if case.wanted:
        return f"[yellow]{escape(got)} (the catalogue wants: {escape(case.wanted)})[/]"
    return f"[green]{escape(got)}[/]"


def _totals(wrong: int) -> str:
    cases = [case for row in ROWS for case in row.cases]
    doors = Counter(str(case.door) for case in cases)
    tried = sum(row.is_applicable for row in ROWS)
    differs = sum(any(case.wanted for case in row.cases) for row in ROWS)
    listed = ", ".join(f"{door}: {count}" for door, count in sorted(doors.items()))
    return (
        f"{len(ROWS)} vectors: {tried} tried, {len(ROWS) - tried} not applicable; {differs} end"
        f" otherwise than the catalogue wants.\n{len(cases)} inputs ({listed}); {wrong} unexpected."
    )


if __name__ == "__main__":
    sys.exit(main())
