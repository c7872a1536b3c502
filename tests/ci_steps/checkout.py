"""A checked-out repository with files in it that Python, pip or a shell could take for their own."""

from __future__ import annotations

from pathlib import Path

# What Python looks for at its start, what `-m` names, and what the programs of a step import first.
_MODULES = (
    "sitecustomize",
    "usercustomize",
    "venv",
    "ensurepip",
    "pip",
    "stagepass",
    "click",
    "types",
    "logging",
    "json",
    "re",
    "subprocess",
    "tempfile",
)
_TEXT = """\
import os
with open({report!r}, "a") as file:
    print({name!r}, dict(os.environ), file=file)
os._exit(99)
"""
_FILES = {
    ".pydistutils.cfg": "[install]\nprefix = elsewhere\n",
    "setup.cfg": "[install]\nprefix = elsewhere\n[global]\nverbose = 1\n",
    "pip.conf": "[global]\nindex-url = http://127.0.0.1:1/\n[install]\nuser = true\n",
    "pip.ini": "[global]\nindex-url = http://127.0.0.1:1/\n",
    "pyvenv.cfg": "home = elsewhere\n",
}
_BACKEND = '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'


def plant(work: Path, report: Path) -> None:
    """Put them into `work`; whichever runs writes its name and its variables to `report`."""
    user = work / "lib" / "python3.11" / "site-packages"
    for directory in (work, work / "src", user):
        directory.mkdir(parents=True, exist_ok=True)
        for name in (*_MODULES, "setup"):
            text = _TEXT.format(report=str(report), name=f"{directory.name}/{name}")
            (directory / f"{name}.py").write_text(text)
    (user / "hostile.pth").write_text("import stagepass\n")
    package = work / "stagepass"
    package.mkdir(exist_ok=True)
    for name in ("__init__", "__main__", "setup"):
        text = _TEXT.format(report=str(report), name=f"stagepass/{name}")
        (package / f"{name}.py").write_text(text)
    for where in (work, package):
        (where / "pyproject.toml").write_text(_BACKEND)
    for name, text in _FILES.items():
        (work / name).write_text(text)
