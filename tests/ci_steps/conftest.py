from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ci_steps.embed import CI
from tests.ci_steps.runner import Agent
from tests.ci_steps.shop import Shop
from tests.simulators.registry import Registry

_ROOT = CI.parents[1]
_OURS = (
    "stagepass",
    "_editable",
    "__editable__",
    "pip",
    "setuptools",
    "_distutils_hack",
    "distutils",
)
_STOCKED = """\
#!/bin/sh
%s "$@" || exit
case " $* " in
  *" -m venv "*)
    for made; do :; done
    echo %s >"$made/%s"
    ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Provision:
    """A machine without stagepass, and the wheel it may install."""

    agent: Agent
    wheel: Path

    def inputs(self, kind: str) -> dict[str, str]:
        """How the step is told: the wheel's `file`, or its `directory`."""
        return {"install": str(self.wheel if kind == "file" else self.wheel.parent)}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the backend of this environment: nothing is fetched."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=_ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything this environment has but stagepass and what installs: stands for a package index."""
    target = tmp_path_factory.mktemp("packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(_OURS) and entry.suffix != ".pth":
            (target / entry.name).symlink_to(entry)
    return target


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the interpreter alone, to be put on PATH as python3."""
    directory = tmp_path_factory.mktemp("python")
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    (directory / "python3").symlink_to(base)
    return directory


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory, packages: Path, python: Path) -> Path:
    """A directory with a python3 whose fresh environments have `packages` in their sight."""
    directory = tmp_path_factory.mktemp("stocked")
    program = directory / "python3"
    library = f"lib/python3.{sys.version_info.minor}/site-packages/packages.pth"
    program.write_text(_STOCKED % (python / "python3", packages, library))
    program.chmod(0o755)
    return directory


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path, stocked: Path) -> Path:
    """The programs of a fresh environment with the wheel in it and `packages` in its sight."""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run([stocked / "python3", "-m", "venv", str(root)], check=True)
    pip = [str(root / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True)
    return root / "bin"


@pytest.fixture
def agent(tmp_path: Path, installed: Path, python: Path) -> Agent:
    """A machine where the wheel is installed already."""
    return Agent(tmp_path / "agent", f"{installed}:{python}:/usr/bin:/bin")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def shop(agent: Agent, registry: Registry) -> Shop:
    """An image in the registry, and a policy set in the checkout that asks for its provenance."""
    return Shop.open(agent.work, registry)


@pytest.fixture
def fresh(agent: Agent, stocked: Path, wheel: Path) -> Provision:
    """The same machine before anything was installed."""
    return Provision(Agent(agent.root, f"{stocked}:/usr/bin:/bin"), wheel)
