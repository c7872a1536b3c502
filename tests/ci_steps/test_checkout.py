"""Nothing in the checked-out repository runs with the key or the job's identity in reach."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.ci_steps import recorder
from tests.ci_steps.checkout import plant
from tests.ci_steps.conftest import Provision
from tests.ci_steps.runner import Agent
from tests.ci_steps.shop import Shop
from tests.ci_steps.systems import SYSTEMS
from tests.world import signer

# As a job sets them for its own tests: Python then looks for code in the checkout.
_PYTHON = {
    "PYTHONPATH": ":src:.",
    "PYTHONSTARTUP": "types.py",
    "PYTHONUSERBASE": ".",
    "PYTHONPYCACHEPREFIX": ".",
}
_TOKENS = {
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "hidden",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/hidden",
    "SIGSTORE_ID_TOKEN": "hidden",
    "CIRCLE_OIDC_TOKEN": "hidden",
    "CIRCLE_OIDC_TOKEN_V2": "hidden",
    "BUILDKITE_AGENT_ACCESS_TOKEN": "hidden",
}


def calls(record: Path) -> list[tuple[str, list[str], dict[str, Any]]]:
    return [tuple(json.loads(line)) for line in record.read_text().splitlines()]


@pytest.mark.parametrize("name", ["shell", "github", "buildkite"])
def test_no_file_of_it_runs_when_the_step_installs(
    name: str, shop: Shop, fresh: Provision, tmp_path: Path
) -> None:
    """A wheel with the PYTHON variables of the job; GitHub's and Buildkite's step call the same script."""
    report = tmp_path / "report"
    plant(shop.root, report)
    key = signer("ci").private_pem.decode()
    inputs = {"image": shop.image, "predicate": "provenance.json", "key": key}
    done = fresh.agent.run(
        SYSTEMS[name]({**inputs, **fresh.inputs("file")}), {**_PYTHON, **_TOKENS}
    )

    assert not report.exists(), report.read_text()
    assert done.code == 0, done.log
    assert shop.decision("test") == "admitted"
    assert not (shop.root / "elsewhere").exists()


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "tekton"])
def test_no_file_of_it_runs_when_stagepass_is_there(
    name: str, shop: Shop, agent: Agent, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    plant(shop.root, report)
    key = signer("ci").private_pem.decode()
    inputs = {"image": shop.image, "predicate": "provenance.json", "key": key}
    done = agent.run(SYSTEMS[name](inputs), _PYTHON)

    assert not report.exists(), report.read_text()
    assert done.code == 0, done.log
    assert shop.decision("test") == "admitted"


@pytest.mark.parametrize("install", ["stagepass", "StagePass", "stagepass==0.1.0"])
def test_a_directory_of_it_is_not_the_requirement_of_that_name(
    install: str, shop: Shop, fresh: Provision, tmp_path: Path
) -> None:
    """It holds a wheel of the same version that would run; the index has the one that is meant."""
    report = tmp_path / "report"
    plant(shop.root, report)
    wheels = shop.root / install
    wheels.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheels / fresh.wheel.name, "w") as built:
        built.writestr("stagepass/__init__.py", (shop.root / "stagepass.py").read_text())
        with zipfile.ZipFile(fresh.wheel) as real:
            for member in real.namelist():
                if not member.startswith("stagepass/") and not member.endswith("RECORD"):
                    built.writestr(member, real.read(member))
                elif member.endswith("RECORD"):
                    built.writestr(member, "")
    inputs = {"image": shop.image, "predicate": "provenance.json", "key-file": "ci.key"}
    found = {"PIP_FIND_LINKS": str(fresh.wheel.parent)}
    done = fresh.agent.run(SYSTEMS["shell"]({**inputs, "install": install}), found)

    assert not report.exists(), report.read_text()
    assert done.code == 0, done.log
    assert shop.decision("test") == "admitted"


@pytest.mark.parametrize(
    ("install", "is_directory"),
    [
        ("dist", True),
        ("./stagepass", True),
        ("/absolute@2/dist", True),
        ("stagepass", False),
        ("STAGEPASS[keyless]", False),
        ("acme-stagepass==1", False),
        ("https://example.com/stagepass.whl", False),
        ("stagepass @ https://example.com/s.whl", False),
    ],
)
def test_what_reads_as_a_requirement_is_one_whatever_lies_there(
    install: str, is_directory: bool, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    agent = Agent(tmp_path / "agent", recorder.install(tmp_path / "bin", record))
    if install.startswith("/"):
        install = str(tmp_path) + install
    (agent.work / install).mkdir(parents=True)
    inputs = {"image": "i", "stage": "test", "key-file": "k", "install": install}
    done = agent.run(SYSTEMS["shell"](inputs))
    (installed,) = [arguments for _, arguments, _ in calls(record) if "pip" in arguments]

    assert done.code == 0, done.log
    assert ("--find-links" in installed) is is_directory
    assert (install in installed) is True


@pytest.mark.parametrize("signing", ["key", "key-file", "identity"])
def test_what_is_installed_sees_no_secret_of_the_job(signing: str, tmp_path: Path) -> None:
    """Neither the key, its file and passphrase, nor what asks for the job's identity."""
    record = tmp_path / "record"
    agent = Agent(tmp_path / "agent", recorder.install(tmp_path / "bin", record))
    signs = {"key": "hidden", "key-file": "k", "identity": "true"}[signing]
    inputs = {"image": "i", "stage": "test", signing: signs, "install": "stagepass"}
    inputs |= {"requirements": "lock.txt", "key-passphrase": "hidden"}
    done = agent.run(SYSTEMS["shell"](inputs), _TOKENS)
    *installing, (program, _, variables) = calls(record)

    assert done.code == 0, done.log
    assert (len(installing), program) == (3, "stagepass")
    assert [line for line in installing if "hidden" in json.dumps(line)] == []
    assert [seen["files"] for _, _, seen in installing] == [[]] * 3
    assert {name: variables[name] for name in _TOKENS} == _TOKENS
    assert variables["STAGEPASS_KEY_PASSPHRASE"] == "hidden"
    assert "STAGEPASS_KEY" not in variables
    assert not any(agent.temporary.iterdir())


def test_python_never_looks_for_code_in_it(tmp_path: Path) -> None:
    """`-I` before anything that it runs, and no variable that names another place."""
    record = tmp_path / "record"
    agent = Agent(tmp_path / "agent", recorder.install(tmp_path / "bin", record))
    inputs = {"image": "i", "stage": "test", "key": "k", "install": "stagepass"}
    done = agent.run(SYSTEMS["shell"](inputs), _PYTHON)
    seen = calls(record)

    assert done.code == 0, done.log
    assert [line[1][0] for line in seen] == ["-I", "-I", "attest"]
    assert [name for _, _, kept in seen for name in kept if name in _PYTHON] == []
    assert shutil.which("python3", path=str(tmp_path / "bin"))
