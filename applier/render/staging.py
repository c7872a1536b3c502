"""Copies of a renderer's program and its libraries, from which each run's root is linked together."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
import weakref
from contextlib import suppress
from pathlib import Path

TOOL_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_PREFIX = "stagepass-render-"
_LOCK = "lock"
_LIBRARY = re.compile(r"(/\S+) \(0x")
_NEW = 600.0


class Stage:
    """A directory below `parent` with `programs/`, removed with this object, or by the next `Stage`."""

    def __init__(self, parent: Path, program: Path) -> None:
        _sweep(parent)
        self.base = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self.programs = self.base / "programs"
        try:
            lock = os.open(self.base / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._finalizer = weakref.finalize(self, _remove, self.base, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._copy(program)
        except BaseException:
            shutil.rmtree(self.base, ignore_errors=True)
            raise

    def _copy(self, program: Path) -> None:
        self.base.chmod(0o711)  # the child, another user, passes through and lists nothing
        for source, target in [
            (program, program.name),
            *((f, str(f)) for f in _libraries(program)),
        ]:
            copy = self.programs / target.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            copy.chmod(0o755)
        for directory in (self.programs, *self.programs.rglob("*/")):
            directory.chmod(0o755)


def _remove(base: Path, lock: int) -> None:
    shutil.rmtree(base, ignore_errors=True)
    os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove what a killed process left: 80 MB of memory each, which outlive a container's restart."""
    for base in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = base.lstat()
            if found.st_uid == os.geteuid() and _is_stale(base, found.st_mtime):
                shutil.rmtree(base, ignore_errors=True)


def _is_stale(base: Path, changed: float) -> bool:
    """Does nobody hold its lock? One without a lock may be in the making."""
    try:
        lock = os.open(base / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return time.time() - changed > _NEW
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    # Made a moment ago, its owner may not have taken the lock yet.
    return time.time() - changed > 1.0


def _libraries(program: Path) -> list[Path]:
    """The shared libraries of a program that is not static, its loader among them."""
    ldd = shutil.which("ldd", path=TOOL_PATH)
    if ldd is None:
        return []
    env = {"PATH": TOOL_PATH, "LC_ALL": "C"}
    done = subprocess.run([ldd, program], capture_output=True, text=True, env=env, check=False)
    return [Path(name) for name in _LIBRARY.findall(done.stdout)]
