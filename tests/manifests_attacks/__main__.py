"""
Try every attack on manifests and print the table: what was sent, what should come of it, and what came.

    python -m tests.manifests_attacks

A change that is tried in many kinds is one line, with how many requests ended how. Exits 1 where a result
is not the expected one. The real control plane takes part if it is built.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.cluster import tools
from tests.cluster.controlplane import ControlPlane
from tests.manifests_attacks import subresources
from tests.manifests_attacks.apiserver import ApiServer, attacked
from tests.manifests_attacks.row import BY_THE_API, Attack, Verb
from tests.manifests_attacks.site import Site
from tests.manifests_attacks.table import ROWS, TRICKS
from tests.manifests_attacks.tried import at_api, at_core, played

_NOT_TRIED = "not tried: run `make tools`"


@dataclass
class _Line:
    """One line: of what, and how many requests ended how at each door."""

    want: str
    core: Counter[str] = field(default_factory=Counter)
    api: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)


_Lines = dict[tuple[str, str], _Line]


def main() -> int:
    """The exit code."""
    lines: _Lines = {}
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _count(lines, at_core(Site(_new(root, "core")), ROWS), "core")
        for trick in TRICKS:
            line = lines.setdefault((trick.name, ""), _Line(_want(trick.expected, trick.why)))
            _add(line, "core", got := played(trick), good=got == trick.expected)
        if _is_built():
            server = stack.enter_context(_server(root))
            _count(lines, at_api(server, ROWS), "api")
            for way in subresources.ROWS:
                line = lines.setdefault((way.name, ""), _Line(_want(way.expected, way.why)))
                _add(line, "api", got := way.go(server), good=way.is_expected(got))
    Console(width=None if sys.stdout.isatty() else 180).print(_table(lines))
    wrong = sum(line.wrong.total() for line in lines.values())
    core, api = (sum(getattr(x, door).total() for x in lines.values()) for door in ("core", "api"))
    print(f"{len(lines)} attacks: {core} requests at the core, {api or _NOT_TRIED} at a real API")
    print(f"server that asks a real gate; {wrong} unexpected.")
    return 1 if wrong else 0


def _new(root: Path, name: str) -> Path:
    (root / name).mkdir()
    return root / name


@contextmanager
def _server(root: Path) -> Iterator[ApiServer]:
    with (
        ControlPlane(_new(root, "control-plane")) as plane,
        attacked(plane, _new(root, "attacked")) as server,
    ):
        yield server


def _is_built() -> bool:
    wanted = {name for module in tools.MODULES for name in module.commands.values()}
    return wanted <= set(tools.binaries())


def _want(expected: str, why: str) -> str:
    return f"{expected} ({why})" if why else expected


def _count(lines: _Lines, tried: Iterable[tuple[Attack, Verb, str]], door: str) -> None:
    for row, _, got in tried:
        _, _, what = row.name.rpartition(": ")
        line = lines.setdefault((what, row.expected), _Line(_want(row.expected, row.why)))
        good = row.is_expected(got) if door == "api" else got == row.expected
        _add(line, door, got, good=good)


def _add(line: _Line, door: str, got: str, *, good: bool) -> None:
    shown = BY_THE_API if got.startswith(BY_THE_API) else got
    getattr(line, door)[shown] += 1
    if not good:
        line.wrong[got] += 1


def _table(lines: _Lines) -> Table:
    table = Table(title="Attested images, manifests that are not", row_styles=["", "dim"])
    for name in ("attack", "want", "core", "API server", "unexpected"):
        table.add_column(name, overflow="fold")
    for (what, _), line in lines.items():
        cells = [escape(what), line.want, *map(_counted, (line.core, line.api))]
        table.add_row(*cells, f"[bold red]{_counted(line.wrong)}[/]" if line.wrong else "")
    return table


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {escape(got)}" for got, count in found.items()) or "-"


if __name__ == "__main__":
    sys.exit(main())
