"""Run a program with bounds: one deadline, one cap on what it prints, and nothing of it left over."""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MAX_STDERR = 64 << 10
_CHUNK = 64 << 10


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended; a negative `code` is the signal that ended it. `stderr` is cut."""

    code: int
    stdout: bytes
    stderr: bytes


class TimedOutError(Exception):
    """
    The deadline passed; the whole process group was killed.

    `computed` is how many seconds of a processor those of the group had taken that were computing then,
    not waiting.
    """

    def __init__(self, message: str, computed: float) -> None:
        self.computed = computed
        super().__init__(message)


class OutputLimitError(Exception):
    """It printed more than allowed; the whole process group was killed."""


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float,
    max_output: int,
    stdin: bytes = b"",
    pass_fds: Sequence[int] = (),
    max_file: int | None = None,
    max_memory: int | None = None,
    max_cpu: int | None = None,
) -> Finished:
    """
    The program's end, within `timeout` seconds and `max_output` bytes of standard output.

    The environment is `env` and nothing else. `max_file` caps, in bytes, each file that it and its
    children write (RLIMIT_FSIZE), `max_memory` the address space of each (RLIMIT_AS), and `max_cpu`,
    in seconds, what each computes (RLIMIT_CPU). Raises `TimedOutError`, `OutputLimitError`, or
    `OSError` where the program cannot be started.
    """
    deadline = time.monotonic() + timeout
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
        pass_fds=pass_fds,
        bufsize=0,
    )
    try:
        _limit(process.pid, resource.RLIMIT_FSIZE, max_file)
        _limit(process.pid, resource.RLIMIT_AS, max_memory)
        _limit(process.pid, resource.RLIMIT_CPU, max_cpu)
        stdout, stderr = _exchange(process, stdin, deadline, max_output)
        code = process.wait(max(0.01, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimedOutError(f"no end within {timeout:g} s", _computed(process.pid)) from error
    finally:
        _end(process)
    return Finished(code, stdout, stderr)


def _limit(pid: int, kind: int, size: int | None) -> None:
    if size is not None:
        with suppress(ProcessLookupError):  # it may have ended already
            resource.prlimit(pid, kind, (size, size))


def _computed(group: int) -> float:
    """proc(5), after the name in brackets: 1st the state, 3rd the group, 12th and 13th ticks."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = stat.read_text("latin-1").rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] == "R":
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the group of a program that still runs. Not reaped yet, so its number is still its own."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _exchange(
    process: subprocess.Popen[bytes], stdin: bytes, deadline: float, max_output: int
) -> tuple[bytes, bytes]:
    """Feed standard input and drain both outputs at once: else full pipes would wait for each other."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise ValueError("a program without its three pipes")
    stdout, stderr, rest = bytearray(), bytearray(), memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ, stdout)
        selector.register(process.stderr, selectors.EVENT_READ, stderr)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    rest = _feed(selector, process.stdin, rest)
                elif not (chunk := os.read(key.fd, _CHUNK)):
                    selector.unregister(key.fileobj)
                elif key.data is stdout or len(stderr) < MAX_STDERR:
                    key.data.extend(chunk)
            if len(stdout) > max_output:
                raise OutputLimitError(f"over {max_output} bytes of output")
    return bytes(stdout), bytes(stderr)


def _feed(selector: selectors.BaseSelector, stream: IO[bytes], rest: memoryview) -> memoryview:
    """Write a piece; what is left. Closes the pipe at the end, or when nobody reads it any more."""
    with suppress(BrokenPipeError):
        rest = rest[os.write(stream.fileno(), rest[:_CHUNK]) :]
        if rest:
            return rest
    selector.unregister(stream)
    stream.close()
    return rest[:0]
