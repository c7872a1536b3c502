"""
Bring published vulnerabilities back one at a time, and see which test goes red.

`python -m tests.seeded [ID...]`: exits 1 where one survives or no longer applies.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.seeded.patch import Seed
from tests.seeded.seeds import SEEDS

ROOT = Path(__file__).parents[2]
_PYTEST = (
    *("-m", "pytest", "-p", "xdist", "-p", "_hypothesis_pytestplugin"),
    *("-x", "-q", "-n0", "-m", "not cluster", "--tb=no", "-rfE"),
)
_FIRST = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
# Endless waiting is a way to die as well: more than any green run of one seed's tests takes.
_TIMEOUT = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed: the test that went red, or what is wrong."""

    seed: Seed
    killer: str
    problem: str
    seconds: float


def main(names: list[str]) -> int:
    """Run the seeds called `names`, all of them by default; print a table; 1 unless all are killed."""
    if unknown := set(names) - {seed.id for seed in SEEDS}:
        print(f"no such seed: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [seed for seed in SEEDS if not names or seed.id in names]
    with tempfile.TemporaryDirectory(prefix="seeded-") as directory:
        tree = Path(directory)
        _copy(tree)
        killers = sorted({killer for seed in chosen for killer in seed.killers})
        print(f"green without a bug? {len(killers)} test files ...", file=sys.stderr, flush=True)
        green = _pytest(tree, killers, timeout=10 * _TIMEOUT)
        if green.returncode != 0:
            print(green.stdout + green.stderr, file=sys.stderr)
            print("the tests are red without any bug: nothing can be said", file=sys.stderr)
            return 1
        outcomes = []
        for number, seed in enumerate(chosen, 1):
            print(f"[{number}/{len(chosen)}] {seed.id}", end=" ", file=sys.stderr, flush=True)
            outcomes.append(_run(tree, seed))
            print(outcomes[-1].problem or "killed", file=sys.stderr, flush=True)
    return _report(outcomes)


def _copy(tree: Path) -> None:
    """The sources as they are, committed or not; never what Git ignores (`.venv`, keys, caches)."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, sorted(set(listed.stdout.split("\0")))):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    code = "import stagepass, webhook; print(stagepass.__file__, webhook.__file__)"
    found = _python(tree, ["-c", code]).stdout.split()
    if len(found) != 2 or not all(Path(path).is_relative_to(tree) for path in found):
        raise RuntimeError(f"the tests of {tree} would run other sources: {found}")


def _run(tree: Path, seed: Seed) -> Outcome:
    """The seed applied, its tests run, and everything as it was."""
    started = time.monotonic()
    before = {edit.file: (tree / edit.file).read_bytes() for edit in seed.edits}
    killer, problem = "", ""
    try:
        for edit in seed.edits:
            edit.apply(tree)
        red = _pytest(tree, seed.killers, timeout=_TIMEOUT)
        first = _FIRST.search(red.stdout)
        if red.returncode == 0:
            problem = "SURVIVED"
        elif red.returncode != 1 or first is None:  # 2: not even collected, which proves nothing
            problem = f"BROKEN (pytest exit code {red.returncode})"
        else:
            killer = first[1].removeprefix("tests/")
    except ValueError as error:
        problem = f"DOES NOT APPLY: {error}"
    except subprocess.TimeoutExpired:
        killer = f"no end within {_TIMEOUT} s"
    for file, content in before.items():
        (tree / file).write_bytes(content)
    return Outcome(seed, killer, problem, time.monotonic() - started)


def _pytest(
    tree: Path, killers: Iterable[str], *, timeout: float
) -> subprocess.CompletedProcess[str]:
    return _python(tree, [*_PYTEST, *(f"tests/{killer}" for killer in killers)], timeout=timeout)


def _python(
    tree: Path, arguments: list[str], *, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "PYTHONPATH": str(tree),  # before whatever an editable install names
        "PYTHONDONTWRITEBYTECODE": "1",  # dated to the second, it could outlive a bug
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def _report(outcomes: list[Outcome]) -> int:
    rows = [("id", "origin", "re-introduced", "killed by", "s")]
    for outcome in outcomes:
        end = outcome.problem or outcome.killer
        seed = outcome.seed
        rows.append((seed.id, seed.origin, seed.what, end, f"{outcome.seconds:.1f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]))
    killed = sum(not outcome.problem for outcome in outcomes)
    print(f"\n{killed}/{len(outcomes)} killed")
    return 0 if outcomes and killed == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
