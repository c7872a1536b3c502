"""The sections as tables for people, or as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from bench.figures import Row, Section
from bench.peers import NOTE, PEERS


def machine() -> str:
    """What it ran on: every figure but a ratio depends on it."""
    load = " / ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {load}"


def as_json(sections: Sequence[Section]) -> str:
    """One object: `machine`, `sections` with their rows, `peers`."""
    document = {
        "machine": machine(),
        "sections": [
            {
                "name": section.name,
                "note": section.note,
                "rows": [
                    {
                        **asdict(row),
                        "goal": None if row.goal is None else str(row.goal),
                        "met": row.met,
                    }
                    for row in section.rows
                ],
            }
            for section in sections
        ],
        "peers": {"note": NOTE, "rows": [asdict(peer) for peer in PEERS]},
    }
    return json.dumps(document, indent=1)


def print_section(console: Console, section: Section) -> None:
    """A table, with the note below it."""
    table = Table(title=section.title, title_justify="left", title_style="bold")
    table.add_column("MEASURE", no_wrap=True)
    for heading in (section.ours.upper(), section.reference.upper(), "RATIO", "GOAL"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for row in section.rows:
        table.add_row(*_cells(row))
    console.print(table)
    console.print(section.note, style="dim")
    console.print()


def print_peers(console: Console) -> None:
    """The constants, so labelled."""
    table = Table(title="Other gates, CPU-ms a review", title_justify="left", title_style="bold")
    for heading in ("GATE", "1", "3", "6 ATTESTATIONS", "REQUESTS", "SOURCE"):
        table.add_column(heading)
    for peer in PEERS:
        table.add_row(peer.gate, *peer.cpu_ms, peer.requests, peer.source)
    console.print(table)
    console.print(NOTE, style="dim")


def _cells(row: Row) -> list[str]:
    def number(value: float | None, unit: str) -> str:
        if value is None:
            return ""
        return f"{value:.{0 if value >= 100 else 2}f} {unit}".strip()

    met = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[row.met]
    goal = "" if row.goal is None else str(row.goal)
    return [
        row.measure,
        number(row.ours, row.unit),
        number(row.reference, row.unit),
        number(row.ratio, ""),
        goal,
        met,
    ]
