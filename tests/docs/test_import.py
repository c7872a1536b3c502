"""docs/import.md against the code that it describes."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from stagepass.cli.import_policy import import_policy
from stagepass.cli.main import run
from stagepass.importing.common import Effect
from stagepass.importing.options import ACCEPTABLE
from stagepass.importing.patterns import Images, of_kyverno, of_policy_controller, of_whitelist
from stagepass.importing.policy_controller import SHORT_TYPES
from stagepass.importing.subjects import of_regexp
from stagepass.policy.store import load_directory
from tests.importing.conftest import EXAMPLES

_PAGE = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
_HOST = "registry.example.com"
_SHOWN = _PAGE.split("```")[1].strip().replace(" \\\n   ", "")
_COMMANDS = [part.splitlines() for part in _SHOWN.split("\n\n")]
_EXPORTED = {
    "policy.yaml": "binauthz-default.yaml",
    "built-by-ci.yaml": "binauthz-attestors.yaml",
    "cips.yaml": "cip-keys.yaml",
    "kyverno.yaml": "kyverno-clusterpolicy.yaml",
}
"""What stands in for the clusters and projects that `gcloud` and `kubectl` would export from."""


@pytest.mark.parametrize("lines", _COMMANDS, ids=lambda lines: lines[-1].split()[2])
def test_the_commands_write_a_set_and_their_exit_code_says_whether_it_is_all(
    lines: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    *exports, command = lines
    monkeypatch.chdir(tmp_path)
    for line in exports:
        program, file = line.split()[0], line.rpartition(" > ")[2]
        assert program in ("gcloud", "kubectl")
        shutil.copy(EXAMPLES / _EXPORTED[file], tmp_path / file)
    stagepass, *arguments = shlex.split(command)
    code = run(arguments)
    said = capsys.readouterr().err

    assert (stagepass, arguments[0], arguments[-2:]) == (
        *("stagepass", "import"),
        ["--into", "policies/"],
    )
    assert code == (1 if "not-translated " in said else 0), said
    assert load_directory(tmp_path / "policies").pipelines


def _first_cells(head: str) -> list[str]:
    """The code in the first column of the table below that header."""
    table = _PAGE.partition(head)[2].partition("\n\n")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def test_every_gate_has_its_commands() -> None:
    assert {lines[-1].split()[2] for lines in _COMMANDS} == set(import_policy.commands)


def test_every_effect_and_every_thing_to_accept_is_described() -> None:
    assert _first_cells("| effect | meaning |") == [str(effect) for effect in Effect]
    assert _first_cells("| `--accept` |") == list(ACCEPTABLE)


def test_every_option_that_is_named_exists() -> None:
    known = {o for c in import_policy.commands.values() for p in c.params for o in p.opts}
    commands = {"--url", "--root"}  # of `trust update`
    assert set(re.findall(r"--[a-z][a-z-]+", _PAGE)) <= known | commands


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("HOST/a/*", ["HOST/a/*"]),
        ("HOST/a/app*", ["HOST/a/app*"]),
        ("HOST/a/**", ["HOST/a/**"]),
        ("HOST/a/app**", ["HOST/a/app*", "HOST/a/app*/**"]),
        ("*", ["docker.io/library/*"]),
        ("*/*", ["docker.io/*/*"]),
    ],
)
def test_the_patterns_of_policy_controller(theirs: str, ours: list[str]) -> None:
    assert f"`{theirs}`" in _PAGE
    patterns = tuple(text.replace("HOST", _HOST) for text in ours)
    assert of_policy_controller(theirs.replace("HOST", _HOST)) == Images(patterns, patterns)


def test_the_other_patterns() -> None:
    assert of_policy_controller(f"{_HOST}/a/app:v1") == Images((), (f"{_HOST}/a/app",))
    assert of_kyverno(f"{_HOST}/a/*").covering == (f"{_HOST}/a/**",)
    assert of_kyverno(f"{_HOST}/a/app*").covering == (f"{_HOST}/a/app*", f"{_HOST}/a/app*/**")
    assert of_kyverno(f"{_HOST}/a/app:*").covering == (f"{_HOST}/a/app",)
    assert of_kyverno("*/app").covering is None
    assert of_whitelist(f"{_HOST}/a/app*") == (f"{_HOST}/a/app*",)
    assert of_whitelist(f"{_HOST}/a/app") == ()


def test_the_regular_expressions() -> None:
    for pattern, glob, exact in ((".+", "**", True), ("[^/@]+", "*", True), (".*", "**", False)):
        found = of_regexp(f"^a{pattern}$")
        assert found is not None
        assert (found.texts, found.exact) == ((f"a{glob}",), exact)


def test_short_names_of_types_are_of_types() -> None:
    assert all(re.match(r"https://[a-z]", uri) for uri in SHORT_TYPES.values())
