"""Faults of the disk that holds the cache of evidence and the journal of decisions."""

from __future__ import annotations

import errno
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.faults.load import Load
from tests.faults.result import Result
from tests.faults.site import Site

_SIZE = "256k"
_COMMAND_SECONDS = 10.0


class CannotMount(Exception):
    """This machine does not let us have a file system of our own; says why."""


def full(name: str, site: Site, seconds: float) -> Result:
    """Cache and journal share a file system, which is filled to the last byte under load."""
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        try:
            with _mounted(root):
                settings = {"CACHE_DIR": _made(root / "cache"), "STATE_DIR": _made(root / "state")}
                return _loaded(name, site, seconds, settings, fill=root / "ballast")
        except CannotMount as error:
            return Result(name, skipped=str(error))


def read_only(name: str, site: Site, seconds: float) -> Result:
    """The cache is on a file system that nobody may write, root neither."""
    with tempfile.TemporaryDirectory() as root:
        try:
            with _mounted(Path(root), "ro"):
                return _loaded(name, site, seconds, {"CACHE_DIR": root})
        except CannotMount as error:
            return Result(name, skipped=str(error))


def replaced(name: str, site: Site, seconds: float) -> Result:
    """In the place of the cache is a file, since the gate started."""
    with tempfile.TemporaryDirectory() as root:
        cache = _made(Path(root, "cache"))
        return _loaded(name, site, seconds, {"CACHE_DIR": cache}, replace=Path(cache))


def _loaded(
    name: str,
    site: Site,
    seconds: float,
    settings: Mapping[str, str],
    *,
    fill: Path | None = None,
    replace: Path | None = None,
) -> Result:
    """A gate of its own under load, its disk spoiled before the first review and while it answers."""
    with ExitStack() as stack:
        gate = stack.enter_context(site.new_gate(**settings))
        if replace:
            replace.rmdir()
            replace.write_bytes(b"")
        load = stack.enter_context(Load(gate, site.images()))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if fill:
                _fill(fill)
            time.sleep(min(left, 0.05))
        load.__exit__()
        failures = {what: len(gate.log_lines(f"{what}.failed")) for what in ("cache", "journal")}
    told = ", ".join(f"{count} {what} failures" for what, count in failures.items() if count)
    return Result.of(name, [load.tally], f"{told or 'no failures'} logged")


def _fill(ballast: Path) -> None:
    """Until no byte is left."""
    for size in (4096, 1):
        try:
            with ballast.open("ab", buffering=0) as file:
                while file.write(b"\0" * size) == size:
                    pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


@contextmanager
def _mounted(root: Path, *options: str) -> Iterator[None]:
    """A small file system in memory. Raises `CannotMount`."""
    wanted = ",".join((f"size={_SIZE}", *options))
    command = ["mount", "-t", "tmpfs", "-o", wanted, "tmpfs", str(root)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS)
    except OSError as error:
        raise CannotMount(f"cannot mount a file system: {error.strerror}") from error
    if done.returncode:
        raise CannotMount(f"cannot mount a file system: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(root)], check=True, timeout=_COMMAND_SECONDS)


def _made(directory: Path) -> str:
    directory.mkdir()
    return str(directory)
