"""How commands print: JSON lines for programs, tables for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 222


def print_json(document: Mapping[str, Any]) -> None:
    """One object, on one line."""
    sys.stdout.write(orjson.dumps(document).decode() + "\n")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """One line for each row on a terminal as wide as needed."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        # Text, never a bare string: who names a commit or an object would write markup.
        table.add_row(*(Text(_printable(cell)) for cell in row))
    console = Console()
    (console if console.is_terminal else Console(width=_WIDE)).print(table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """One fact a line; what is empty is left out."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        for text in value if isinstance(value, list) else [value]:
            if text not in ("", None):
                sys.stdout.write(f"{name:<{width}}  {_printable(str(text))}\n")


def print_line(text: str) -> None:
    """A sentence."""
    sys.stdout.write(_printable(text) + "\n")


def _printable(text: str) -> str:
    """Without what would steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
