"""What the children of a process take while it runs: looked at ten times a second."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Self

_EVERY = 0.1


class Watched:
    """
    A context manager around a process with all its descendants.

    `resident` is the largest peak of any child by its program's name, in bytes; `disk` the most that
    lay below `directory`; `renders` the processes that rendered, by the word that their kustomization asks
    for.
    """

    def __init__(self, pid: int, directory: Path) -> None:
        self._pid, self._directory = pid, directory
        self.resident: dict[str, int] = defaultdict(int)
        self.renders: dict[str, set[int]] = defaultdict(set)
        self.disk = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        disk_at = 0.0
        while not self._stop.wait(_EVERY):
            for pid in _descendants(self._pid):
                with suppress(OSError, IndexError, StopIteration):
                    self._look(pid)
            if time.monotonic() - disk_at > 1:
                self.disk = max(self.disk, _size(self._directory))
                disk_at = time.monotonic()

    def _look(self, pid: int) -> None:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        name = status[0].split()[1]
        peak = next(line for line in status if line.startswith("VmHWM")).split()[1]
        self.resident[name] = max(self.resident[name], int(peak) << 10)
        if name == "kubectl":
            text = Path(f"/proc/{pid}/cwd/kustomization.yaml").read_text()
            self.renders[text.partition("greed: ")[2].split()[0]].add(pid)


def _descendants(of: int) -> set[int]:
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(each.parent.name)] = int(each.read_text().rpartition(")")[2].split()[1])
    found, new = set[int](), {of}
    while new:
        found |= new
        new = {pid for pid, parent in parents.items() if parent in new} - found
    return found - {of}


def _size(directory: Path) -> int:
    total = 0
    for each in directory.rglob("*"):
        with suppress(OSError):
            total += each.stat().st_size
    return total
