"""The pages of docs/ci: the step that each shows, its inputs, and the policy entry that trusts it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from tests.ci_steps.embed import CI

DOCS = CI.parents[1] / "docs" / "ci"
CREDENTIAL = "a credential"
"""Stands for a file that the CI system keeps, out of reach for who writes to the checkout."""


def block(page: str, name: str) -> str:
    """The code block under the comment `name`. Raises where there is not exactly one."""
    text = (DOCS / f"{page}.md").read_text()
    (found,) = re.findall(rf"<!-- {name} -->\n```\w+\n(.*?)```\n", text, re.DOTALL)
    assert isinstance(found, str)
    return found


def attestor(page: str) -> dict[str, Any]:
    """The attestor `ci` of the page's policy entry."""
    found: dict[str, Any] = yaml.safe_load(block(page, "identities"))["attestors"]["ci"]
    return found


def inputs(page: str) -> dict[str, str]:
    """What the page's step gives, by the names of the shared inputs, as text."""
    return {name: _text(value) for name, value in _READERS[page](block(page, "step")).items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _github(text: str) -> dict[str, Any]:
    (job,) = yaml.safe_load(text)["jobs"].values()
    (step,) = (each for each in job["steps"] if "deploy/ci/github" in each.get("uses", ""))
    return dict(step["with"])


def _gitlab(text: str) -> dict[str, Any]:
    (component,) = yaml.safe_load(text)["include"]
    assert "/stagepass-sign@" in component["component"]
    return dict(component["inputs"])


def _circleci(text: str) -> dict[str, Any]:
    (job,) = yaml.safe_load(text)["jobs"].values()
    return dict(job["steps"][-1]["stagepass/sign"])


def _buildkite(text: str) -> dict[str, Any]:
    (step,) = yaml.safe_load(text)["steps"]
    (plugin,) = step["plugins"]
    ((name, options),) = plugin.items()
    assert re.fullmatch(r"acme/stagepass#v.+", name)
    return dict(options)


def _tekton(text: str) -> dict[str, Any]:
    spec = yaml.safe_load(text)["spec"]
    assert spec["podTemplate"] == {"automountServiceAccountToken": False}
    return {each["name"]: each["value"] for each in spec["params"]}


def _teamcity(text: str) -> dict[str, Any]:
    (step,) = (each for each in yaml.safe_load(text)["steps"] if "uses" in each)
    return _named_as_variables(
        {name.removeprefix("env."): value for name, value in step["inputs"].items()}
    )


def _jenkins(text: str) -> dict[str, Any]:
    (call,) = re.findall(r"^ *stagepass (.+)$", text, re.MULTILINE)
    named = dict(re.findall(r"(\w+): ('[^']*'|readFile\([^)]*\)\.trim\(\))", call))
    variable = dict.fromkeys(re.findall(r"variable: '(STAGEPASS_\w+)'", text), CREDENTIAL)
    kebab = {re.sub(r"([A-Z])", r"-\1", n).lower(): v.strip("'") for n, v in named.items()}
    return {**kebab, **_named_as_variables(variable)}


def _shell(text: str) -> dict[str, Any]:
    return _named_as_variables(dict(re.findall(r'^export (\w+)="?([^"\s]+)', text, re.MULTILINE)))


def _named_as_variables(variables: dict[str, Any]) -> dict[str, Any]:
    return {n.removeprefix("STAGEPASS_").lower().replace("_", "-"): v for n, v in variables.items()}


_READERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "github": _github,
    "gitlab": _gitlab,
    "circleci": _circleci,
    "buildkite": _buildkite,
    "tekton": _tekton,
    "teamcity": _teamcity,
    "jenkins": _jenkins,
    "shell": _shell,
}
