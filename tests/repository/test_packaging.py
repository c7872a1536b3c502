from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.repository.sources import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the backend of this environment: nothing is fetched."""
    target = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_holds_the_core_alone(wheel: Path) -> None:
    """The webhook and certs are applications: copied into an image, never installed."""
    distribution, version, *_ = wheel.stem.split("-")
    with ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}

    assert top == {"stagepass", f"{distribution}-{version}.dist-info"}


def test_the_wheel_is_typed_and_licensed(wheel: Path) -> None:
    """A type checker reads our annotations, and the licence travels with the code."""
    with ZipFile(wheel) as archive:
        (licence,) = (name for name in archive.namelist() if name.endswith("licenses/LICENSE"))

        assert "stagepass/py.typed" in archive.namelist()
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    """What the tests saw is what is shipped."""
    sources = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("stagepass/**/*.py")}
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".py")}

    assert packed == sources


def test_the_wheel_holds_the_table_of_defaults(wheel: Path) -> None:
    """It is data, which a build may leave behind; without it no object could be compared."""
    name = "stagepass/manifests/defaults.json"
    with ZipFile(wheel) as archive:
        assert archive.read(name) == (ROOT / name).read_bytes()


def test_the_licence_is_whole() -> None:
    """The full Apache text, from its title to its appendix."""
    text = (ROOT / "LICENSE").read_text()

    assert "Version 2.0, January 2004" in text.splitlines()[1]
    assert "END OF TERMS AND CONDITIONS" in text
    assert "How to apply the Apache License" in text
