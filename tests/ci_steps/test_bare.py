"""A machine with Python and a shell: the step of docs/ci/shell.md as it stands there."""

from __future__ import annotations

from pathlib import Path

from tests.ci_steps.bare import set_up
from tests.simulators.registry import Registry


def test_from_a_clone_to_an_admitted_image(
    tmp_path: Path, registry: Registry, stocked: Path
) -> None:
    variables = {
        "PATH": f"{stocked}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PIP_NO_INDEX": "1",
    }
    machine = set_up(tmp_path, registry, variables)
    before = machine.admits()
    done = machine.step()

    assert before == 1
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"of {machine.image}" in done.stdout
    assert machine.admits() == 0
