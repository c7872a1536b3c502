"""The files against what their systems accept, where no published schema can be installed."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
import yaml

from tests.ci_steps import pages
from tests.ci_steps.embed import CI, SCRIPT
from tests.ci_steps.systems import SYSTEMS

_READ = set(re.findall(r"STAGEPASS_[A-Z_]+", SCRIPT.read_text()))
_SECRET = {"STAGEPASS_KEY", "STAGEPASS_KEY_FILE", "STAGEPASS_KEY_PASSPHRASE"}
_IMAGE = {"image": "registry.example.com/shop@sha256:" + "0" * 64}


def load(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CI / path).read_text())
    return found


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name not in ("shell", "jenkins")])
def test_a_step_sets_only_what_the_script_reads(name: str) -> None:
    """And all of it, but for secrets and for what that system has no use for."""
    given = {n for n in SYSTEMS[name](_IMAGE).environment if n.startswith("STAGEPASS_")}
    if name == "buildkite":
        given = set(
            re.findall(
                r"(STAGEPASS_\w+)=\$[{i]",
                (CI / "buildkite" / "hooks" / "post-command").read_text(),
            )
        )
    optional = {"STAGEPASS_IDENTITY", "STAGEPASS_IDENTITY_TOKEN_FILE", "STAGEPASS_PYTHON"}

    assert given - _READ == set()
    assert _READ - given - _SECRET - optional == set()
    assert given & {"STAGEPASS_IDENTITY", "STAGEPASS_IDENTITY_TOKEN_FILE"}


def test_the_page_has_every_variable_and_no_other() -> None:
    rows = re.findall(r"^\| (`STAGEPASS[^|]+) \|", (pages.DOCS / "shell.md").read_text(), re.M)

    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == _READ


def test_a_teamcity_recipe_is_as_its_specification_says() -> None:
    recipe = load("teamcity/stagepass-sign.yml")
    allowed = {"name", "title", "version", "description", "container", "inputs", "steps"}

    assert set(recipe) <= allowed
    assert re.fullmatch(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*", recipe["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", recipe["version"])
    assert len(recipe["title"]) <= 50
    assert len(recipe["description"]) <= 1000
    for entry in recipe["inputs"]:
        ((name, spec),) = entry.items()
        assert name.startswith("env.")  # a plain input would be text in the script
        assert len(name) <= 50
        assert set(spec) <= {"type", "label", "description", "default", "required", "options"}
        assert spec["type"] in {"text", "boolean", "select", "password"}
        assert ("options" in spec) is (spec["type"] == "select")
        assert isinstance(spec.get("default"), str) or spec.get("required") is True
        assert len(spec["label"]) <= 100
        assert len(spec["description"]) <= 250
    (step,) = recipe["steps"]
    assert set(step) == {"name", "script"}
    assert len(step["script"]) <= 50_000


def test_a_tekton_task_names_what_it_declares_and_uses_it() -> None:
    task = load("tekton/task.yaml")
    spec, text = task["spec"], (CI / "tekton" / "task.yaml").read_text()
    (step,) = spec["steps"]
    declared = {each["name"] for each in spec["params"]}

    assert (task["apiVersion"], task["kind"]) == ("tekton.dev/v1", "Task")
    assert set(spec) == {"description", "params", "workspaces", "volumes", "steps"}
    assert all(set(p) <= {"name", "type", "default", "description"} for p in spec["params"])
    assert all(p["type"] == "string" for p in spec["params"])
    assert set(re.findall(r"\$\(params\.([\w-]+)\)", text)) == declared
    assert {w["name"] for w in spec["workspaces"]} >= set(
        re.findall(r"\$\(workspaces\.(\w+)\.path\)", text)
    )
    assert set(step) == {
        *("name", "image", "workingDir", "securityContext", "volumeMounts", "env", "script"),
    }
    assert {m["name"] for m in step["volumeMounts"]} == {v["name"] for v in spec["volumes"]}
    assert all(set(entry) == {"name", "value"} for entry in step["env"])
    assert not _SECRET - {"STAGEPASS_KEY_FILE"} & {entry["name"] for entry in step["env"]}


def test_a_buildkite_plugin_reads_the_options_it_declares() -> None:
    plugin = load("buildkite/plugin.yml")
    schema = plugin["configuration"]
    hook = (CI / "buildkite" / "hooks" / "post-command").read_text()
    read = set(re.findall(r"BUILDKITE_PLUGIN_STAGEPASS_([A-Z_]+)", hook))

    assert set(plugin) == {"name", "description", "author", "requirements", "configuration"}
    assert {"properties", "required", "additionalProperties"} <= set(schema)
    assert {name.upper().replace("-", "_") for name in schema["properties"]} == read
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_buildkite_page_is_as_the_plugin_asks() -> None:
    (step,) = yaml.safe_load(pages.block("buildkite", "step"))["steps"]
    ((_, options),) = step["plugins"][0].items()
    validator = jsonschema.Draft202012Validator(load("buildkite/plugin.yml")["configuration"])

    validator.validate(options)
    assert not validator.is_valid({})
    assert not validator.is_valid({**options, "imgae": "x"})


def test_jenkins_puts_no_argument_into_a_script() -> None:
    """Groovy fills in double quotes; the script is a resource, and nothing is added to it."""
    groovy = (CI / "jenkins" / "vars" / "stagepass.groovy").read_text()

    assert re.findall(r"\bsh\b.*", groovy.split("withEnv")[1]) == [
        "sh label: 'Sign', script: libraryResource('dev/stagepass/stagepass-sign.sh')"
    ]
    table = dict(re.findall(r"^ +(\w+): '(STAGEPASS_\w+)'", groovy, re.MULTILINE))
    assert set(table.values()) <= _READ


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_page_gives_inputs_that_the_step_has(name: str) -> None:
    """And pins the version of this repository."""
    given = pages.inputs(name)
    version = re.search(r'^version = "(.+)"', (CI.parents[1] / "pyproject.toml").read_text(), re.M)
    assert version is not None

    assert SYSTEMS[name]({**_IMAGE, **given}) if name != "buildkite" else SYSTEMS[name](given)
    assert given["install"] in (
        "dist",
        f"stagepass=={version[1]}",
        f"stagepass[keyless]=={version[1]}",
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_page_takes_from_the_checkout_where_the_token_is_sent(name: str) -> None:
    """Whoever edits that file in a pull request would be sent the token."""
    assert pages.inputs(name).get("trust-config", pages.CREDENTIAL) == pages.CREDENTIAL


def test_the_overview_links_every_page() -> None:
    links = set(re.findall(r"\[\w+\.md\]\((\w+)\.md\)", (pages.DOCS / "README.md").read_text()))

    assert links == set(SYSTEMS)
    assert {p.stem for p in pages.DOCS.glob("*.md")} == {*links, "README"}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_overview_has_the_issuer_of_a_page(name: str) -> None:
    """Where it is the same for everybody."""
    issuer = pages.attestor(name)["identities"][0]["issuer"]
    if name not in ("tekton", "jenkins"):
        assert f"`{issuer}`" in (pages.DOCS / "README.md").read_text()
