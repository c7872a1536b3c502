"""What the tests of this directory look at: the repository's own files."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    """Every Python file of the product."""
    return [
        path
        for root in ("stagepass", "webhook", "certs", "applier")
        for path in ROOT.glob(f"{root}/**/*.py")
    ]


def functions(path: Path) -> Iterator[Function]:
    """Every function and method in `path`, nested ones too."""
    yield from (
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function)
    )


def body_lines(function: Function) -> int:
    """The lines of its body: no signature, no decorators, no docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def repository_files() -> list[Path]:
    """Every file that Git tracks, and every one that it would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = filter(None, listed.stdout.split("\0"))
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def named(path: Path, line: int | None = None) -> str:
    """`stagepass/digest.py:7`, for a failure's text."""
    name = path.relative_to(ROOT).as_posix()
    return name if line is None else f"{name}:{line}"
