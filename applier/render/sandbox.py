"""
Where a renderer runs: no network, no token, no environment, no other program, and bounds on everything.

The child sees a root directory that holds its program, that program's libraries and the files to
render, and nothing else of the machine: what it cannot open it cannot leak (CVE-2022-24348, CVE-2026-41050).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from applier.failure import Failure, Reason
from applier.process import Finished, OutputLimitError, TimedOutError, run
from applier.render.redact import without_quotes
from applier.render.staging import TOOL_PATH, Stage

_NOBODY = 65534
_TOOLS = ("setpriv", "prlimit", "unshare")
_KILLED = re.compile(
    rb"out of memory|cannot allocate memory|(?:cpu|file size) limit exceeded|file too large"
    rb"|too many open files",
    re.I,
)
_PROBE = {
    "kustomization.yaml": b"resources: [a.yaml]\n",
    "a.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: probe}\n",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one run (security G28): seconds, bytes, counts."""

    wall: float = 60.0
    cpu: int = 10
    address_space: int = 2_000_000_000
    """Go reserves far more than it uses, so `data` is what bounds its heap."""
    data: int = 512 << 20
    open_files: int = 64
    output: int = 20 << 20


class Sandbox:
    """A proven way to run the renderers' programs. Thread-safe: each run has a root of its own."""

    def __init__(self, stage: Stage, program: str, *, isolated: bool, limits: Limits) -> None:
        self._stage, self._program, self._limits = stage, program, limits
        self.isolated = isolated
        """False: limits alone; network and files are those of the applier."""
        content = (stage.programs / program).read_bytes()
        self.version = hashlib.sha256(content).hexdigest()[:16]
        """Changes with the program's bytes: part of every cache key."""

    @classmethod
    def probe(cls, *, kubectl: Path, require: bool = True, limits: Limits | None = None) -> Sandbox:
        """
        The sandbox, after a render in it that went well. Raises SANDBOX_MISSING.

        `require=False` accepts, where the kernel gives no user namespaces, a child with limits and an
        empty environment alone; `isolated` says which of the two it is.
        """
        why = "no directory to run in"
        for isolated in (True, False) if not require else (True,):
            # Memory first; in containers it is often too small (64 MiB) or forbids programs.
            for parent in (Path("/dev/shm"), Path(tempfile.gettempdir())):  # noqa: S108  # see Stage
                try:
                    stage = Stage(parent, kubectl)
                except OSError as error:  # no such directory, or not enough room in it
                    why = f"{kubectl}: {error}"
                    continue
                found = cls(stage, kubectl.name, isolated=isolated, limits=limits or Limits())
                done = found.finish(["kubectl", "kustomize", "."], _PROBE)
                if done.code == 0 and b"name: probe" in done.stdout:
                    return found
                why = _said(done)
        raise Failure(Reason.SANDBOX_MISSING, f"the kernel does not give the sandbox: {why}")

    def run(self, argv: Sequence[str], files: Mapping[str, bytes]) -> bytes:
        """
        What `argv` prints, run in a directory that holds `files`. `argv[0]` is the program's name.

        Raises RENDER_FAILED with what it said, RENDER_LIMIT where it ran into one.
        """
        done = self.finish(argv, files)
        if done.code < 0 or _KILLED.search(done.stderr):
            raise Failure(Reason.RENDER_LIMIT, f"{argv[0]} was ended: {_said(done)}")
        if done.code != 0:
            raise Failure(Reason.RENDER_FAILED, f"{argv[0]}: {_said(done)}")
        return done.stdout

    def finish(self, argv: Sequence[str], files: Mapping[str, bytes]) -> Finished:
        """The same, whatever the exit code; RENDER_LIMIT at the wall clock's or the output's limit."""
        with self._root(files) as root:
            try:
                return run(
                    [*self._line(root), *argv[1:]],
                    env=_environment(Path("/") if self.isolated else root),
                    cwd=root / "work",
                    timeout=self._limits.wall,
                    max_output=self._limits.output,
                )
            except (TimedOutError, OutputLimitError) as error:
                raise Failure(Reason.RENDER_LIMIT, f"{argv[0]}: {error}") from error
            except OSError as error:
                raise Failure(Reason.SANDBOX_MISSING, f"the sandbox: {error.strerror}") from error

    def _line(self, root: Path) -> list[str]:
        """The words before the program's arguments; control-plane-proof section 8, and a root."""
        tools = {name: shutil.which(name, path=TOOL_PATH) or name for name in _TOOLS}
        line = [tools["setpriv"], "--no-new-privs"]
        if os.geteuid() == 0:
            line += [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        of = self._limits
        line += [
            tools["prlimit"],
            f"--as={of.address_space}",
            f"--data={of.data}",
            f"--cpu={of.cpu}",
        ]
        line += [f"--nofile={of.open_files}", "--core=0", f"--fsize={of.output}"]
        if not self.isolated:
            return [*line, str(root / self._program)]
        # Mapped to itself, not to root (-r): the program then starts without any capability.
        line += [tools["unshare"], "--user", "--map-current-user", "--net", "--ipc"]
        return [*line, f"--root={root}", "--wd=/work", f"/{self._program}"]

    @contextmanager
    def _root(self, files: Mapping[str, bytes]) -> Iterator[Path]:
        """A new root directory, readable to the child, its own nowhere but in `home`."""
        with tempfile.TemporaryDirectory(prefix="run-", dir=self._stage.base) as name:
            root = Path(name)
            for directory in ("work", "home", "empty"):
                (root / directory).mkdir(mode=0o755)
            programs = self._stage.programs
            shutil.copytree(programs, root, copy_function=os.link, dirs_exist_ok=True)
            for path, content in files.items():
                file = root / "work" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            if os.geteuid() == 0:
                os.chown(root, 0, _NOBODY)
                os.chown(root / "home", _NOBODY, _NOBODY)
                root.chmod(0o750)
            yield root


def _environment(root: Path) -> dict[str, str]:
    home = str(root / "home")
    return {
        "PATH": str(root / "empty"),
        "HOME": home,
        "TMPDIR": home,
        "XDG_CONFIG_HOME": home,
        "XDG_CACHE_HOME": home,
        "XDG_DATA_HOME": home,
        "KUBECONFIG": "/dev/null",
    }


def _said(done: Finished) -> str:
    """The end of what it said: a Go program puts its reason there, and a trace before it."""
    if done.code < 0:
        return f"signal {-done.code}"
    text = without_quotes(done.stderr.decode("utf-8", "replace"))
    lines = [line for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal error", "runtime: out of memory"))]
    said = " ".join(fatal[:1] or lines[-3:])
    return "".join(c if c.isprintable() else " " for c in said)[:600] or f"exit code {done.code}"
