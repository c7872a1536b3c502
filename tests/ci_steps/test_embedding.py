"""One script, in eight places."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.ci_steps.embed import CI, COPIES, EMBEDDING, SCRIPT, embedded
from tests.ci_steps.systems import SYSTEMS

_IMAGE = {"image": "registry.example.com/shop@sha256:" + "0" * 64}


@pytest.mark.parametrize("copy", COPIES, ids=lambda path: path.relative_to(CI).parts[0])
def test_a_copy_is_the_script(copy: Path) -> None:
    assert copy.read_bytes() == SCRIPT.read_bytes(), "run: make ci-steps"


@pytest.mark.parametrize("file", EMBEDDING, ids=lambda path: path.relative_to(CI).parts[0])
def test_a_file_holds_the_script_byte_for_byte(file: Path) -> None:
    """As a YAML reader sees it, and as `python -m tests.ci_steps.embed` would write it again."""

    def strings(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for each in value.values() for text in strings(each)]
        if isinstance(value, list):
            return [text for each in value for text in strings(each)]
        return [value] if isinstance(value, str) else []

    text = file.read_text()

    assert SCRIPT.read_text() in strings(list(yaml.safe_load_all(text)))
    assert text == embedded(text, SCRIPT.read_text())


@pytest.mark.parametrize("file", [SCRIPT, CI / "buildkite" / "hooks" / "post-command"], ids=str)
def test_shellcheck_has_nothing_to_say(file: Path) -> None:
    checker = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([checker, str(file)], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_script_has_nothing_that_a_system_reads_as_its_own() -> None:
    """TeamCity's %, Tekton's and the kubelet's $$, CircleCI's <<, GitHub's ${{, GitLab's $[[."""
    text = SCRIPT.read_text()

    assert [mark for mark in ("%", "$$", "<<", "${{", "$[[", "$(params") if mark in text] == []
    assert text.startswith("#!/bin/sh\n"), "else Jenkins runs it with -x, which shows every value"


@pytest.mark.parametrize("name", ["circleci", "teamcity", "tekton", "jenkins", "shell"])
def test_what_a_system_runs_is_the_script_whatever_the_inputs_are(name: str) -> None:
    for image in ("$(touch pwned)", "%env.STAGEPASS_KEY%", "<< parameters.stage >>"):
        assert SYSTEMS[name]({"image": image}).script == SCRIPT.read_text()


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_input_reaches_the_text_of_a_script(name: str) -> None:
    assert SYSTEMS[name]({"image": "one"}).script == SYSTEMS[name]({"image": "two"}).script


def test_no_step_knows_a_cluster() -> None:
    """Whoever signs needs no cluster credential; Tekton's token is for Sigstore alone."""
    words = ("kubeconfig", "kubectl", "serviceaccount/token", "automount", "clusterrole")
    found = [
        f"{path.relative_to(CI)}: {word}"
        for path in CI.rglob("*")
        if path.is_file()
        for word in words
        if word in path.read_text().lower()
    ]
    task = yaml.safe_load((CI / "tekton" / "task.yaml").read_text())
    (volume,) = task["spec"]["volumes"]
    (source,) = volume["projected"]["sources"]

    assert found == []
    assert source["serviceAccountToken"]["audience"] == "sigstore"
