"""Start: whole processes of the command line, beside the import of click alone."""

from __future__ import annotations

import sys
from pathlib import Path

from bench import whole
from bench.figures import Goal, Is, Section

_GOAL = Goal(Is.AT_MOST, 1.3)
_NOTE = "Whole processes, {rounds} each, alternating; medians. CPU is user and system time (wait4)."


def measure(root: Path, *, quick: bool) -> Section:  # noqa: ARG001  # as its siblings
    """The table."""
    rounds = 2 if quick else 15
    script = Path(sys.executable).parent / "stagepass"
    commands = [str(script), "--version"], [sys.executable, "-c", "import click"]
    for command in commands:
        whole.run(command)
    pairs = [(whole.run(commands[0]), whole.run(commands[1])) for _ in range(rounds)]
    rows = whole.compare([pair[0] for pair in pairs], [pair[1] for pair in pairs], _GOAL)
    note = _NOTE.format(rounds=rounds)
    return Section("start", "Start: stagepass --version", "stagepass", "import click", note, rows)
