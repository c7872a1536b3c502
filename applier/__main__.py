"""`python -m applier`: the Git-pull applier of one cluster."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from applier.failure import Failure, Kind
from stagepass.errors import StagepassError

_DENIED, _UNDETERMINED, _USAGE = 1, 2, 64


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with 64: argparse's own 2 means *could not find out* here."""
        self.print_usage(sys.stderr)
        self.exit(_USAGE, f"applier: {message}\n")


def make_parser() -> argparse.ArgumentParser:
    """Every command with its options; `module` and `run` say what to call."""
    parser = _Parser(prog="python -m applier", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    cluster = _Parser(add_help=False)
    cluster.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="by default, as the Pod it runs in"
    )
    shown = _Parser(add_help=False, parents=[cluster])
    shown.add_argument(
        "--output", choices=("table", "json"), default="table", help="one JSON object a line"
    )
    run = commands.add_parser(
        "run", parents=[cluster], help="apply what holds its passes, until SIGTERM"
    )
    _add_place(run, "only this pipeline, with --stage", required=False)
    run.set_defaults(module="applier.commands_run", run="run")
    status = commands.add_parser("status", parents=[shown], help="where each version is, and why")
    _add_namespace(status)
    status.set_defaults(module="applier.commands_status", run="status")
    plan = commands.add_parser("plan", parents=[shown], help="what would be done; writes nothing")
    _add_place(plan, "the pipeline", required=True)
    plan.set_defaults(module="applier.commands_plan", run="plan")
    _add_letters(commands.add_parser("dlq", help="versions that were given up"), shown)
    _add_rights(commands.add_parser("rbac", help="print whom the applier may act as, as YAML"))
    return parser


def _add_place(parser: _Parser, text: str, *, required: bool) -> None:
    parser.add_argument("--pipeline", metavar="P", required=required, default="", help=text)
    parser.add_argument("--stage", metavar="S", required=required, default="", help="the stage")


def _add_namespace(parser: _Parser) -> None:
    parser.add_argument(
        "--namespace",
        metavar="N",
        default=os.environ.get("STAGEPASS_NAMESPACE") or "stagepass-applier",
        help="the applier's own; by default STAGEPASS_NAMESPACE, or stagepass-applier",
    )


def _add_rights(parser: _Parser) -> None:
    _add_namespace(parser)
    for name, text in (("policy", "the policy set"), ("cluster", "this cluster's name in it")):
        metavar = "DIR" if name == "policy" else "NAME"
        parser.add_argument(f"--{name}", metavar=metavar, required=True, help=text)
    parser.add_argument(
        "--root-key", metavar="FILE", default="", help="take the set only as this key signed it"
    )
    parser.add_argument(
        "--account", metavar="NAME", default="stagepass-applier", help="the applier's own"
    )
    parser.add_argument(
        "--mirror",
        metavar="N",
        default="",
        help="also the rights to bring evidence into the namespace N, the gate's",
    )
    parser.set_defaults(module="applier.commands_rbac", run="rbac")


def _add_letters(parser: _Parser, shown: _Parser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text in (
        ("ls", "all of them, open ones first"),
        ("show", "everything about one"),
        ("redrive", "try the version again at once, with attempts at zero"),
        ("close", "nobody will mend it: not opened again for the same version"),
    ):
        command = commands.add_parser(name, parents=[shown], help=text)
        _add_namespace(command)
        if name != "ls":
            command.add_argument("name", metavar="NAME", help="as `dlq ls` prints it")
        if name == "close":
            command.add_argument("--reason", metavar="TEXT", required=True, help="for the record")
        command.set_defaults(module="applier.commands_dlq", run=name)


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    chosen = make_parser().parse_args(arguments)
    try:
        # Loaded by name: what runs for months needs no tables, and a listing needs no Git.
        code: int = getattr(importlib.import_module(chosen.module), chosen.run)(chosen)
    except Failure as failure:
        sys.stderr.write(f"applier: {failure}\n")
        return _UNDETERMINED if failure.reason.kind is Kind.TRANSIENT else _DENIED
    except StagepassError as error:
        sys.stderr.write(f"applier: {error}\n")
        return _USAGE
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
