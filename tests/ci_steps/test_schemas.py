"""The files and the pages against the schemas that check-jsonschema ships."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci_steps import pages
from tests.ci_steps.embed import CI


def errors(schema: str, document: Any, tmp_path: Path) -> str:
    """What the schema has against it; empty for nothing."""
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document))
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*checker, str(file)], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def page(name: str) -> Any:
    found = yaml.safe_load(pages.block(name, "step"))
    return {str("on" if key is True else key): value for key, value in found.items()}


def orb() -> Any:
    return yaml.safe_load((CI / "circleci" / "orb.yml").read_text())


def gitlab() -> list[Any]:
    return list(
        yaml.safe_load_all((CI / "gitlab" / "templates" / "stagepass-sign.yml").read_text())
    )


DOCUMENTS = {
    "the action": ("github-actions", yaml.safe_load((CI / "github" / "action.yml").read_text())),
    "the workflow": ("github-workflows", page("github")),
    "the component's inputs": ("gitlab-ci", gitlab()[0]),
    "the component's job": ("gitlab-ci", gitlab()[1]),
    "the pipeline of GitLab": ("gitlab-ci", page("gitlab")),
    "the orb": ("circle-ci", {**page("circleci"), "orbs": {"stagepass": orb()}}),
    "the pipeline of CircleCI": ("circle-ci", page("circleci")),
    "the pipeline of Buildkite": ("buildkite", page("buildkite")),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_as_its_schema_says(name: str, tmp_path: Path) -> None:
    assert errors(*DOCUMENTS[name], tmp_path) == ""


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ("github-actions", {"name": "x", "runs": {"using": "composite"}}),
        ("gitlab-ci", {"job": {"script": 1}}),
        ("circle-ci", {"version": 2.1, "orbs": {"x": {"commands": {"y": {"steps": 1}}}}}),
        ("buildkite", {"steps": [{"command": 1}]}),
    ],
)
def test_a_schema_sees_what_is_wrong(schema: str, document: Any, tmp_path: Path) -> None:
    assert errors(schema, document, tmp_path) != ""
