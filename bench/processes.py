"""What the kernel says about processes of ours: their CPU time, memory and sockets (Linux only)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_ESTABLISHED, _LISTENING = "01", "0A"


def tree(pid: int) -> list[int]:
    """`pid` and its children (proc(5), `/proc/PID/task/TID/children`)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def cpu_seconds(pids: Iterable[int]) -> float:
    """
    User and system time of all threads of these processes.

    The sum of utime and stime in `/proc/PID/stat`, but in nanoseconds instead of ticks of 10 ms: the
    clock that clock_getcpuclockid(3) names for a process.
    """
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def children_seconds(pid: int) -> float:
    """User and system time of the children that it has waited for, in ticks of 10 ms (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """VmRSS in MiB: pages it has in memory, shared ones too (proc(5), `/proc/PID/status`)."""
    return _status_mib(pid, "VmRSS:")


def peak_mib(pid: int) -> float:
    """VmHWM in MiB: the most that it ever had in memory."""
    return _status_mib(pid, "VmHWM:")


def _status_mib(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith(field))
    return int(kib) / 1024


def listeners(port: int) -> int:
    """How many sockets listen on the loopback `port`: one for each gunicorn worker."""
    return sum(state == _LISTENING for state, _, _ in _sockets(port))


def clients_of(port: int, pids: Iterable[int]) -> dict[int, int]:
    """The client's port of each connection to `port` → the process that holds its server end."""
    owners = {inode: pid for pid in pids for inode in _inodes(pid)}
    return {
        peer: owners[inode]
        for state, peer, inode in _sockets(port)
        if state == _ESTABLISHED and inode in owners
    }


def _sockets(port: int) -> Iterable[tuple[str, int, str]]:
    """(state, peer's port, inode) of every TCP socket bound to `port` (proc(5), `/proc/net/tcp`)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].rpartition(":")[2], 16) == port:
            yield words[3], int(words[2].rpartition(":")[2], 16), words[9]


def _inodes(pid: int) -> Iterable[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed since it was listed
            target = link.readlink().name
            if target.startswith("socket:["):
                yield target[len("socket:[") : -1]
