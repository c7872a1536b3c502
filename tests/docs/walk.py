"""
A page of docs/, walked as its reader would: files written as shown, commands run, output compared.

A mark above a block says what it is: `<!-- policy -->` a whole policy set, `<!-- file NAME -->` any
other file, `<!-- run -->` commands with what they print.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import string
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stagepass.cli.main import run
from stagepass.signing import PrivateKey

_BLOCK = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^## (.*?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_PUBLIC_KEY = re.compile(r"file: keys/([\w-]+)\.pub")
_NO = ("denied", "FAIL", "looser", "stricter", "changed", "trust-root-not-bound")
_EXIT_CODES = {**dict.fromkeys(_NO, 1), "undetermined": 2, "error:": 64}
"""First word of a line printed → exit code. Without any of them it is 0."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `mark` is the comment above it, "" for none."""

    mark: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command, and the output that the page shows for it."""

    text: str
    output: str


def sections(page: str) -> dict[str, list[Block]]:
    """Title → blocks, of every section that has a block."""
    found = {title: blocks(text) for title, text in _SECTION.findall(page)}
    return {title: each for title, each in found.items() if each}


def blocks(text: str) -> list[Block]:
    """Every fenced block of `text`, in order."""
    return [Block(*groups) for groups in _BLOCK.findall(text)]


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block; a backslash at the end of a line continues it."""
    for part in re.split(r"^\$ ", block.text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Command(command.strip(), output.strip())


@dataclass(slots=True)
class Reader:
    """Somebody who follows a section in the directory `root`, which is the current one."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def write_policy(self, text: str) -> None:
        """The set, with every key it names: private halves stay outside."""
        public = self.root / "policy" / "keys"
        public.mkdir(parents=True, exist_ok=True)
        (public.parent / "policy.yaml").write_text(text)
        for name in _PUBLIC_KEY.findall(text):
            if not (self.root / "keys" / f"{name}.key").exists():
                PrivateKey.generate().write(self.root / "keys", name)
            shutil.copy(self.root / "keys" / f"{name}.pub", public)

    def write(self, name: str, text: str) -> None:
        """Any other file."""
        (self.root / name).write_text(self._expanded(text))

    def type(self, command: Command) -> None:
        """Run it. Raises `AssertionError` where it prints or answers anything else than shown."""
        assigned = re.fullmatch(r"([A-Z]+)=(\S+)", command.text)
        if assigned:
            self.variables[assigned[1]] = assigned[2]
            return
        code, said = self._run(self._expanded(command.text))
        assert re.fullmatch(_pattern(command.output), said), f"$ {command.text}\n{said}"
        words = [line.partition(" ")[0] for line in said.splitlines()]
        expected = next((_EXIT_CODES[word] for word in words if word in _EXIT_CODES), 0)
        assert code == expected, f"$ {command.text}\nexits with {code}, and says\n{said}"

    def _expanded(self, text: str) -> str:
        return string.Template(text).safe_substitute(self.variables)

    def _run(self, line: str) -> tuple[int, str]:
        program, *arguments = shlex.split(line)
        if program == "stagepass":
            output = io.StringIO()
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                code = run(arguments)
            said = output.getvalue()
        else:
            shell = subprocess.run(
                ["bash", "-c", line],
                cwd=self.root,
                env={"PATH": os.environ["PATH"]},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            code, said = shell.returncode, shell.stdout
        # A page is not padded with blanks, and a table is.
        return code, "\n".join(text.rstrip() for text in said.splitlines()).strip()


def _pattern(shown: str) -> str:
    """`...` stands for anything within a line."""
    return re.escape(shown).replace(r"\.\.\.", "[^\n]*")
