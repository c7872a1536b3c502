"""`python -m applier`: the Git-pull applier of one cluster."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from applier.app import make_loop
from applier.cluster import Cluster
from applier.report import LogReporter
from applier.settings import Settings
from stagepass.errors import StagepassError

_USAGE = 64


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="applier", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("run", help="apply what holds its passes, until SIGTERM")
    command.add_argument("--kubeconfig", type=Path, help="by default, as the Pod it runs in")
    command.set_defaults(run=_run)
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except StagepassError as error:
        sys.stderr.write(f"applier: {error}\n")
        return _USAGE
    return code


def _run(chosen: argparse.Namespace) -> int:
    settings = Settings.from_environ(os.environ)
    loop = make_loop(settings, Cluster.connect(chosen.kubeconfig), lambda *_: LogReporter())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    loop.run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
