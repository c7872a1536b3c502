"""
Stands on PATH for python3 and stagepass: writes down its arguments and its variables, and succeeds.

As `python3 -m venv DIRECTORY` it makes one whose programs are recorders too; as `python3 -c` it runs.
`-I` before either is as good. Among the variables, `files` are those named `key` below TMPDIR.
"""

from __future__ import annotations

import stat
import sys
from pathlib import Path

_TEXT = """\
#!{python} -IS
import json, os, sys
name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
asked = arguments[arguments[:1] == ["-I"]:]
if asked[:1] == ["-c"]:
    exec(asked[1])
    sys.exit()
if asked[:2] == ["-m", "venv"]:
    os.makedirs(asked[2] + "/bin")
    for program in ("python", "stagepass"):
        os.symlink(os.path.realpath(sys.argv[0]), asked[2] + "/bin/" + program)
with open({record!r}, "a") as file:
    kept = dict(os.environ)
    walked = os.walk(os.environ.get("TMPDIR", "/nonexistent"))
    kept["files"] = [name for _, _, names in walked for name in names if name == "key"]
    print(json.dumps([name, arguments, kept]), file=file)
"""


def install(directory: Path, record: Path) -> str:
    """Put the recorders there; what they write goes to `record`. Returns the PATH to use."""
    directory.mkdir(parents=True)
    for name in ("python3", "stagepass"):
        program = directory / name
        program.write_text(_TEXT.format(python=sys.executable, record=str(record)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{directory}:/usr/bin:/bin"
