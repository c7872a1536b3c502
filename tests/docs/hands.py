"""
A reader of docs/tutorial.md with a shell, a Git server and two clusters: what the page shows is typed.

Marks above a block: `<!-- file NAME -->`, `<!-- run -->`, `<!-- watch -->` (asked again until it says
what is shown) and `<!-- terminal -->` (each command in a terminal of its own, until the end).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.walk import Block, Command, commands

_ASSIGNED = re.compile(r"([A-Z]+)=(\S+)")
_SECONDS, _POLL = 60.0, 0.3


@dataclass(slots=True)
class Hands:
    """
    In the directory `root`, with the environment `environ`.

    `standing_for` maps what the page shows to what is really there, such as the address of a server.
    """

    root: Path
    environ: Mapping[str, str]
    standing_for: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    terminals: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, block: Block) -> None:
        """Do what the block shows. Raises `AssertionError` where something else comes of it."""
        kind, _, name = block.mark.partition(" ")
        if kind == "file":
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._real(block.text))
            return
        act = {"run": self._run, "watch": self._watch, "terminal": self._open}[kind]
        for command in commands(block):
            act(command)

    def close(self) -> None:
        """Close every terminal, with what runs in it."""
        for each in self.terminals:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()

    def logs(self) -> str:
        """What the terminals show, the end of it."""
        texts = (path.read_text()[-3000:] for path in sorted(self.root.glob("terminal-*.log")))
        return "\n---\n".join(texts)

    def _run(self, command: Command) -> None:
        if found := _ASSIGNED.fullmatch(command.text):
            self.variables[found[1]] = found[2]
            return
        code, said = self._typed(command.text)
        assert code == 0, f"$ {command.text}\nexits with {code}, and says\n{said}"
        assert is_shown(command.output, said), f"$ {command.text}\n{said}"

    def _watch(self, command: Command) -> None:
        end = time.monotonic() + _SECONDS
        while not is_shown(command.output, said := self._typed(command.text)[1]):
            dead = [each.args for each in self.terminals if each.poll() is not None]
            assert not dead, self.logs()
            assert time.monotonic() < end, f"$ {command.text}\n{said}\n{self.logs()}"
            time.sleep(_POLL)

    def _open(self, command: Command) -> None:
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig=KILL"] if setpriv else []
        with (self.root / f"terminal-{len(self.terminals)}.log").open("wb") as log:
            opened = subprocess.Popen(
                [*leash, "bash", "-c", f"exec {self._real(command.text)}"],
                cwd=self.root,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.terminals.append(opened)

    def _typed(self, text: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", self._real(text)],
            cwd=self.root,
            env={**self.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    def _real(self, text: str) -> str:
        for shown, real in self.standing_for.items():
            text = text.replace(shown, real)
        return text


def is_shown(shown: str, said: str) -> bool:
    """
    Whether `said` is what a page shows as `shown`, blanks between words aside.

    `...` stands for anything within a line, and a line of it alone for any number of lines.
    """
    if not shown:
        return not said.strip()
    lines = [re.sub(r"\\\.\\\.\\\.", "[^\n]*", re.escape(_plain(line))) for line in _lines(shown)]
    pattern = "\n".join(lines).replace("\n[^\n]*\n", "\n(?:[^\n]*\n)*")
    pattern = re.sub(r"(?:^|\n)\[\^\n\]\*$", r"(?:\\n?[^\\n]*)*", pattern)
    return re.fullmatch(pattern, "\n".join(map(_plain, _lines(said)))) is not None


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def _plain(line: str) -> str:
    return " ".join(line.split())
