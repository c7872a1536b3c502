"""The `stagepass` command: its groups, and what an error becomes."""

from __future__ import annotations

import gc
import sys

import click

from stagepass import __version__
from stagepass.cli.lazy import Lazy
from stagepass.errors import StagepassError, Unavailable

USAGE, UNDETERMINED = 64, 2

_COMMANDS = {
    "admit": ("admit", "admit"),
    "approve": ("people", "approve"),
    "attest": ("attest", "attest"),
    "break-glass": ("people", "break_glass"),
    "enter": ("enter", "enter"),
    "evidence": ("evidence", "evidence"),
    "explain": ("explain", "explain"),
    "import": ("import_policy", "import_policy"),
    "journal": ("journal", "journal"),
    "keys": ("keys", "keys"),
    "pin": ("pin", "pin"),
    "policy": ("policy", "policy"),
    "release": ("release", "release"),
    "revoke": ("revoke", "revoke"),
    "scan": ("scan", "scan"),
    "trust": ("trust", "trust"),
    "verify": ("verify", "verify"),
}
"""Command → (module of `stagepass.cli`, name in it)."""


@click.group(cls=Lazy.of(_COMMANDS), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stagepass")
def stagepass() -> None:
    """
    No pass, no stage: sign that an image passed a stage, and decide whether it may enter the next.

    Exit codes: 0 admitted, 1 denied, 2 undetermined, 64 usage or unusable input.
    """


def main() -> None:
    """Run the command line and exit."""
    # The collector would walk all that is imported again and again, and once more at the end: an
    # eighth of the CPU time of `verify`, for nothing. What a long command leaves is still collected.
    gc.set_threshold(100_000)
    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """
    Run one command and return its exit code.

    What we did not foresee exits with 2: a crash must never read as success (CVE-2026-44310).
    """
    try:
        code = stagepass.main(arguments, prog_name="stagepass", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return USAGE
    except click.Abort:
        return USAGE
    except Unavailable as error:
        click.secho(f"could not find out: {error}", err=True, fg="yellow")
        return UNDETERMINED
    except StagepassError as error:
        click.secho(f"error: {error}", err=True, fg="red")
        return USAGE
    except Exception as error:
        click.secho(f"internal error: {type(error).__name__}: {error}", err=True, fg="red")
        return UNDETERMINED
    return code if isinstance(code, int) else 0
