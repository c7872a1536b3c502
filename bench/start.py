"""Start: whole processes of the command line, beside the import of click alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench import sample
from bench.figures import Goal, Is, Section

_GOAL = Goal(Is.AT_MOST, 1.3)
_NOTE = "Whole processes, {rounds} each, alternating; medians. CPU is user and system time (wait4)."


@dataclass(frozen=True, slots=True)
class _Process:
    """What one whole process took."""

    cpu_ms: float
    wall_ms: float


def measure(root: Path, *, quick: bool) -> Section:  # noqa: ARG001  # as its siblings
    """The table."""
    rounds = 2 if quick else 15
    script = Path(sys.executable).parent / "stagepass"
    commands = [str(script), "--version"], [sys.executable, "-c", "import click"]
    for command in commands:
        _run(command)
    pairs = [(_run(commands[0]), _run(commands[1])) for _ in range(rounds)]
    ours, reference = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    rows = (
        sample.compare("CPU", "ms", [p.cpu_ms for p in ours], [p.cpu_ms for p in reference], _GOAL),
        sample.compare(
            "wall", "ms", [p.wall_ms for p in ours], [p.wall_ms for p in reference], _GOAL
        ),
    )
    note = _NOTE.format(rounds=rounds)
    return Section("start", "Start: stagepass --version", "stagepass", "import click", note, rows)


def _run(command: list[str]) -> _Process:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    ended = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return _Process((used.ru_utime + used.ru_stime) * 1000, (ended - started) * 1000)
