"""Whole processes, from fork to exit."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import sample
from bench.figures import Goal, Row


@dataclass(frozen=True, slots=True)
class Took:
    """What one whole process took, in ms; CPU is user and system time (wait4)."""

    cpu_ms: float
    wall_ms: float


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Took:
    """One run, silent. Raises `AssertionError` where it exits with anything but 0."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    ended = time.perf_counter()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return Took((used.ru_utime + used.ru_stime) * 1000, (ended - started) * 1000)


def compare(ours: Sequence[Took], reference: Sequence[Took], goal: Goal) -> tuple[Row, Row]:
    """CPU and wall in ms, of runs that followed each other in pairs."""
    return (
        sample.compare("CPU", "ms", [t.cpu_ms for t in ours], [t.cpu_ms for t in reference], goal),
        sample.compare(
            "wall", "ms", [t.wall_ms for t in ours], [t.wall_ms for t in reference], goal
        ),
    )
