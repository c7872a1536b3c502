"""Runs a job as an agent would: a file in a working directory, a clean environment, a time limit."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.ci_steps.systems import Job

SECONDS = 120


@dataclass(frozen=True, slots=True)
class Done:
    """How a job ended, and all that it printed."""

    code: int
    log: str


@dataclass(frozen=True, slots=True)
class Agent:
    """A machine that runs jobs: `path` is its PATH, `work` the checkout, `temporary` its TMPDIR."""

    root: Path
    path: str

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    def run(self, job: Job, more: Mapping[str, str] | None = None) -> Done:
        """Run it to its end; `more` variables are the agent's own."""
        for directory in (self.work, self.temporary, self.root / "home"):
            directory.mkdir(parents=True, exist_ok=True)
        file = self.root / "script"
        file.write_text(job.script)
        file.chmod(0o700)
        base = {
            "PATH": self.path,
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "PIP_NO_INDEX": "1",
            "PIP_CONFIG_FILE": "/dev/null",
        }
        done = subprocess.run(
            [*job.interpreter, str(file)],
            cwd=self.work,
            env={**base, **(more or {}), **job.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        return Done(done.returncode, done.stdout)
