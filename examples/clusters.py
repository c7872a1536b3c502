"""
Three clusters promote a service: `make demo-clusters`.

Real API servers for test, staging and production, each with a gate and an applier. Between them lie a
Git server and a registry, nothing else. What moves are releases that CI signed: objects and images. All
is made in a temporary directory and gone afterwards; it needs the Go programs that `make tools` builds.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tests.cluster import ci, tools
from tests.cluster.delivery import config_map, deployment
from tests.cluster.fleet import STAGES, Fleet

_SECONDS = 90.0
_POLL = 0.2
_SETTINGS = config_map("settings", colour="blue")
_WAITING = {
    "RELEASE_MISSING",
    "NOT_ADMITTED",
    "PROGRESSING",
    "SOAKING",
    "NOTHING_RAN",
    "REF_MISSING",
}
_INTERRUPTED = 128 + signal.SIGINT
_DIGITS = 10


class Board:
    """A live table on a terminal; anywhere else, a line for each change."""

    def __init__(self, console: Console, fleet: Fleet) -> None:
        self._console, self._fleet = console, fleet
        self._commits: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def call(self, commit: str, name: str) -> None:
        """What people call the commit."""
        self._commits[commit] = name

    def watch(self, is_over: Callable[[], bool]) -> bool:
        """Show what happens until it is over; False where that takes too long."""
        end = time.monotonic() + _SECONDS
        if not self._console.is_terminal:
            while not is_over() and time.monotonic() < end:
                self._tell()
                time.sleep(_POLL)
            self._tell()
            return is_over()
        with Live(self._table(), console=self._console, refresh_per_second=8) as live:
            while not is_over() and time.monotonic() < end:
                live.update(self._table())
                time.sleep(_POLL)
            live.update(self._table())
        return is_over()

    def _row(self, stage: str) -> tuple[str, str, str, str]:
        last = self._fleet.deliveries[stage].last()
        reason, message = last.get("reason") or "", str(last.get("message", ""))
        colour = "yellow" if reason in _WAITING else "red"
        good = "[green]as it should be[/]" if last else "starts"
        said = f"[{colour}]{reason}[/] {escape(message)}" if reason else good
        runs, passed = self._name(last.get("applied")), self._name(last.get("passed"))
        return runs, _digits(last.get("release")), passed, said

    def _name(self, commit: str | None) -> str:
        return self._commits.get(commit, commit[:10]) if commit else "-"

    def _table(self) -> Group:
        table = Table(expand=True)
        table.add_column("CLUSTER", width=11)
        table.add_column("RUNS", width=6)
        table.add_column("RELEASE", width=_DIGITS)
        table.add_column("PASSED", width=6)
        table.add_column("WAITS FOR", overflow="ellipsis", no_wrap=True, ratio=1)
        for stage in STAGES:
            table.add_row(stage, *self._row(stage))
        return Group(table)

    def _tell(self) -> None:
        for stage in STAGES:
            runs, release, passed, said = self._row(stage)
            line = f"  {stage:11}runs {runs:5}release {release:12}passed {passed:5}{said}"
            if self._told.get(stage) != line:
                self._told[stage] = line
                text = Text.from_markup(line)
                text.truncate(self._console.width - 1, overflow="ellipsis")
                self._console.print(text)


def play(console: Console, fleet: Fleet) -> list[str]:
    """Five scenes; what did not go as it should."""
    team, board, wrong = fleet.team, Board(console, fleet), []

    def everywhere(key: str, commit: str) -> Callable[[], bool]:
        return lambda: all(fleet.deliveries[s].last().get(key) == commit for s in STAGES)

    def at(stage: str, reason: str) -> Callable[[], bool]:
        return lambda: fleet.deliveries[stage].last().get("reason") == reason

    console.print(
        "\n[bold]1.[/] CI builds 1.0, signs its provenance, commits its digest,"
        " and signs what each stage runs of the commit."
    )
    commit = team.deploy(team.attest(team.image()), more=_SETTINGS)
    board.call(commit, "1.0")
    ci.release(team, commit)
    if not board.watch(everywhere("passed", commit)):
        wrong.append("1.0 did not pass every stage")

    console.print(
        "\n[bold]2.[/] Somebody commits 1.1, which no CI has signed. It stops before test:"
    )
    rogue = team.image()
    board.call(team.deploy(rogue, more=_SETTINGS), "1.1")
    if not board.watch(at("test", "RELEASE_MISSING")):
        wrong.append("1.1 was not stopped")
    _quote(console, "yellow", fleet.deliveries["test"].last().get("message", ""))

    console.print("\n[bold]3.[/] The same image by hand, in production:")
    if not _refused(console, fleet, "run", "by-hand", "--image", rogue):
        wrong.append("kubectl run was not refused")

    console.print("\n[bold]4.[/] What runs in production, one field changed by hand:")
    if not _refused(console, fleet, "set", "env", "deployment/web", "LOG_LEVEL=debug"):
        wrong.append("kubectl set env was not refused")

    console.print(
        "\n[bold]5.[/] 1.2 is signed, and its manifest broken: a dead letter, until 1.3 mends it."
    )
    fixed = team.attest(team.image())
    broken = team.commit(
        {f"{s}/web.yaml": _broken(fixed) for s in STAGES}, "a Deployment with many replicas"
    )
    board.call(broken, "1.2")
    ci.release(team, broken)
    if not board.watch(lambda: bool(letters(fleet, broken))):
        wrong.append("1.2 became no dead letter")
    _quote(console, "dim", "$ python -m applier dlq ls")
    for letter in letters(fleet, broken):
        name, state, reason = letter["name"], letter["state"], letter["reason"]
        _quote(console, "red", f"{name} {state} after {letter['attempts']} attempts: {reason}")
        _quote(console, "red", letter["message"])
    commit = team.deploy(fixed, more=_SETTINGS)
    board.call(commit, "1.3")
    ci.release(team, commit)
    if not board.watch(everywhere("passed", commit)):
        wrong.append("1.3 did not pass every stage")
    return wrong


def letters(fleet: Fleet, commit: str) -> list[dict[str, Any]]:
    """What the applier of `test` gave up of `commit`, as its command says."""
    delivery = fleet.deliveries["test"]
    told = [e for e in delivery.events() if e["event"] == "dead_letter"]
    if not any(commit[:7] in event["name"] for event in told):
        return []
    command = ("-m", "applier", "dlq", "ls", "--output", "json")
    done = subprocess.run(
        [sys.executable, *command, "--kubeconfig", str(delivery.kubeconfig)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,  # 1 while one is open
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [letter for letter in found if letter["revision"]["commit"] == commit]


def _refused(console: Console, fleet: Fleet, *command: str) -> bool:
    """Whether production refuses what somebody types, which is shown."""
    arguments = ("-n", "shop", *command)
    _quote(console, "dim", f"$ kubectl {' '.join(arguments)}")
    done = fleet.deliveries["production"].cluster.kubectl(*arguments, check=False)
    _quote(console, "red", done.stderr)
    return done.returncode != 0


def _digits(digest: str | None) -> str:
    return digest.partition(":")[2][:_DIGITS] if digest else "-"


def _quote(console: Console, style: str, text: str) -> None:
    """What a program said, one line for each of its lines, however long."""
    for line in text.strip().splitlines():
        console.print(f"  [{style}]{escape(line)}[/]", soft_wrap=True)


def _broken(image: str) -> str:
    return deployment(image).replace("replicas: 1", "replicas: many") + _SETTINGS


def main() -> int:
    """0 when every scene went as it should."""
    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    if "kube-apiserver" not in tools.binaries():
        console.print(
            "needs the Go programs: `make tools` builds them, once per machine (15 minutes)"
        )
        return 1
    # Either way out goes through every `with`, so that nothing outlives it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return _perform(console)
    except KeyboardInterrupt:
        console.print("\nStopped; clusters and directories are gone.")
        return _INTERRUPTED


def _perform(console: Console) -> int:
    started = time.monotonic()
    console.print("[bold]No pass, no stage.[/] Starting three clusters ...")
    with (
        tempfile.TemporaryDirectory(prefix="fleet-") as directory,
        Fleet(Path(directory), lambda what: console.print(f"  {what}")) as fleet,
    ):
        wrong = play(console, fleet)
    for each in wrong:
        console.print(f"[red]{each}[/]")
    if not wrong:
        seconds = time.monotonic() - started
        console.print(f"\n[green]All five scenes went as they should, in {seconds:.0f} s.[/]")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
