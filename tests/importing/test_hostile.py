"""Sources that are not what they should be: refused or translated strictly, never an error of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stagepass.cli.main import run
from tests.importing.conftest import EXAMPLES

_SYSTEMS = {
    "gba": ["binauthz-policy.yaml", "binauthz-attestors.yaml"],
    "policy-controller": ["cip-keys.yaml", "cip-more.yaml"],
    "kyverno": ["kyverno-clusterpolicy.yaml", "kyverno-ivp.yaml"],
}
_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, 1.5, True, "", "x", "*", "**", [], {}, [None], ["x"], {"x": 1}, [[]]]
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    return [p for k, v in members for p in ((*path, k), *_paths(v, (*path, k)))]


@pytest.mark.parametrize("system", _SYSTEMS)
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data())
def test_any_member_may_be_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str, data: st.DataObject
) -> None:
    documents = [
        document
        for name in _SYSTEMS[system]
        for document in yaml.safe_load_all((EXAMPLES / name).read_text())
    ]
    *parents, last = data.draw(st.sampled_from(_paths(documents)))
    node: Any = documents
    for step in parents:
        node = node[step]
    node[last] = data.draw(_ODD)
    file = tmp_path / "source.yaml"
    file.write_text("\n---\n".join(json.dumps(document) for document in documents))
    place = ["--cluster", "prod", "--namespace", "shop"]
    capsys.readouterr()
    code = run(["import", system, str(file), *data.draw(st.sampled_from([[], place]))])
    assert code in (0, 1, 64), capsys.readouterr().err


@pytest.mark.parametrize("system", _SYSTEMS)
@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "apiVersion: v1\nkind: List\nitems: []\n"]
)
def test_a_source_that_holds_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str, text: str
) -> None:
    """A set that only denies would look like what came of it."""
    file = tmp_path / "empty.yaml"
    file.write_text(text)
    code = run(["import", system, str(file)])
    said = capsys.readouterr()
    assert (code, said.out) == (64, "")
    assert f"{file}: holds no policy" in said.err


def test_attestors_without_a_policy_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    file = EXAMPLES / "binauthz-attestors.yaml"
    code = run(["import", "gba", str(file)])
    said = capsys.readouterr()
    assert (code, said.out) == (64, "")
    assert f"{file}: no policy of Binary Authorization is among these" in said.err


def test_two_policies_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(EXAMPLES / "binauthz-policy.yaml")
    code = run(["import", "gba", file, file])
    assert code == 64
    assert "is a second policy; give one" in capsys.readouterr().err
