"""Programs of Debian that some tests run against."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_SYSTEM = f"{os.defpath}:/usr/local/sbin:/usr/sbin:/sbin"


def program(name: str, package: str) -> str:
    """
    The path of `name`, its package installed first where it is missing and we may.

    Raises `RuntimeError`, with the command that installs it. Where systemd runs nothing is installed: the
    package would start a service of its own.
    """
    may = os.geteuid() == 0 and not Path("/run/systemd/system").exists()
    if _find(name) is None and may and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
            subprocess.run(["apt-get", "-q", *command], env=environment, capture_output=True)
    found = _find(name)
    if found is None:
        raise RuntimeError(f"the program {name} is missing: apt-get install {package}")
    return found


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SYSTEM)
