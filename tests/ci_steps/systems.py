"""
Each CI system as far as it matters to a step: how inputs reach the script, and how it is started.

A job is made from the file that is shipped. Where a system fills in templates, so do these, in every
place where it would: also in the script, so that an input that reached it there would be seen.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.ci_steps.embed import CI, SCRIPT

Inputs = Mapping[str, str]
TOKEN_PATH = "/var/run/stagepass/token"


@dataclass(frozen=True, slots=True)
class Job:
    """What a runner starts: `interpreter` on a file with `script`, or that file itself."""

    script: str
    interpreter: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def _filled(value: Any, pattern: str, values: Mapping[str, str]) -> str:
    """`value` with every reference replaced by what it names. Raises `KeyError` for an unknown one."""
    return re.sub(pattern, lambda found: values[found[1]], str(value))


def _with_defaults(given: Inputs, declared: Mapping[str, Any]) -> dict[str, str]:
    unknown = set(given) - set(declared)
    assert not unknown, f"no such input: {unknown}"
    values = {name: given.get(name, spec.get("default")) for name, spec in declared.items()}
    missing = [name for name, value in values.items() if value is None]
    assert not missing, f"without a value: {missing}"
    return {name: str(value) for name, value in values.items()}


def _secrets(inputs: Inputs) -> tuple[dict[str, str], dict[str, str]]:
    """The inputs, and what a project keeps as a secret variable instead."""
    names = {
        "key": "STAGEPASS_KEY",
        "key-file": "STAGEPASS_KEY_FILE",
        "key-passphrase": "STAGEPASS_KEY_PASSPHRASE",
    }
    plain = {name: value for name, value in inputs.items() if name not in names}
    return plain, {names[name]: value for name, value in inputs.items() if name in names}


def shell(inputs: Inputs) -> Job:
    """Variables, and the script."""
    environment = {f"STAGEPASS_{n.upper().replace('-', '_')}": v for n, v in inputs.items()}
    return Job(SCRIPT.read_text(), ("sh",), environment)


def github(inputs: Inputs) -> Job:
    """A composite action: `${{ inputs.NAME }}` is text, in `env` and in `run`."""
    action = yaml.safe_load((CI / "github" / "action.yml").read_text())
    values = _with_defaults(inputs, action["inputs"])
    (step,) = action["runs"]["steps"]
    pattern = r"\$\{\{ *inputs\.([\w-]+) *\}\}"
    environment = {name: _filled(text, pattern, values) for name, text in step["env"].items()}
    known = {"GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": str(CI / "github"), "CI": "true"}
    script = _filled(step["run"], pattern, values)
    interpreter = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
    return Job(script, interpreter, {**known, **environment})


def gitlab(inputs: Inputs, runner: str = "bash") -> Job:
    """A component: inputs fill in every value; the runner's shell evaluates the script in a pipeline."""
    plain, secrets = _secrets(inputs)
    spec, jobs = yaml.safe_load_all(
        (CI / "gitlab" / "templates" / "stagepass-sign.yml").read_text()
    )
    declared = {name: value or {} for name, value in spec["spec"]["inputs"].items()}
    values = _with_defaults(plain, declared)
    pattern = r"\$\[\[ *inputs\.([\w-]+) *\]\]"
    (job,) = jobs.values()
    environment = {n: _filled(text, pattern, values) for n, text in job["variables"].items()}
    script = "\n".join(_filled(line, pattern, values) for line in job["script"])
    started = f"set -e\n: | eval {shlex.quote(script)}\n"
    if runner == "bash":
        started = f"set -o pipefail\nset +o noclobber\n{started}"
    known = {"GITLAB_CI": "true", "CI": "true", "CI_PROJECT_PATH": "acme/shop"}
    return Job(started, (runner,), {**known, **environment, **secrets})


def circleci(inputs: Inputs) -> Job:
    """An orb's command: `<< parameters.NAME >>` is text, and `\\<<` its escape."""
    plain, secrets = _secrets(inputs)
    command = yaml.safe_load((CI / "circleci" / "orb.yml").read_text())["commands"]["sign"]
    values = _with_defaults(plain, command["parameters"])
    pattern = r"<< *parameters\.([\w-]+) *>>"
    run = command["steps"][0]["run"]
    environment = {n: _filled(text, pattern, values) for n, text in run["environment"].items()}
    script = _filled(run["command"], pattern, values).replace("\\<<", "<<")
    known = {"CIRCLECI": "true", "CI": "true"}
    return Job(script, ("bash", "-eo", "pipefail"), {**known, **environment, **secrets})


def teamcity(inputs: Inputs) -> Job:
    """A recipe: `%NAME%` in the script is text and `%%` a percent sign; `env.` makes a variable."""
    recipe = yaml.safe_load((CI / "teamcity" / "stagepass-sign.yml").read_text())
    declared = {name: spec for entry in recipe["inputs"] for name, spec in entry.items()}
    given = {f"env.STAGEPASS_{n.upper().replace('-', '_')}": v for n, v in inputs.items()}
    values = _with_defaults(given, declared)
    (step,) = recipe["steps"]
    script = _filled(step["script"], r"%([\w.]+)%", values).replace("%%", "%")
    environment = {n.removeprefix("env."): v for n, v in values.items() if n.startswith("env.")}
    return Job(script, (), {"TEAMCITY_VERSION": "2025.11", **environment})


def tekton(inputs: Inputs) -> Job:
    """A Task: `$(params.NAME)` is text; the kubelet then fills in `$(VARIABLE)` of earlier variables."""
    spec = yaml.safe_load((CI / "tekton" / "task.yaml").read_text())["spec"]
    values = _with_defaults(inputs, {each["name"]: each for each in spec["params"]})
    known = {f"params.{name}": value for name, value in values.items()}
    known |= {"workspaces.docker.path": "", "workspaces.source.path": "."}
    pattern = r"\$\(((?:params|workspaces)\.[\w.-]+)\)"
    (step,) = spec["steps"]
    environment: dict[str, str] = {}
    for entry in step["env"]:
        text = _filled(entry["value"], pattern, known)
        earlier = dict(environment)
        environment[entry["name"]] = re.sub(
            r"\$\((\w+)\)", lambda found, e=earlier: e.get(found[1], found[0]), text
        )
    return Job(_filled(step["script"], pattern, known), (), environment)


def buildkite(inputs: Inputs) -> Job:
    """A plugin: its options are variables, and the agent sources the hook."""
    plain, secrets = _secrets(inputs)
    plugin = yaml.safe_load((CI / "buildkite" / "plugin.yml").read_text())
    unknown = set(plain) - set(plugin["configuration"]["properties"])
    assert not unknown, f"no such option: {unknown}"
    options = {
        f"BUILDKITE_PLUGIN_STAGEPASS_{n.upper().replace('-', '_')}": v for n, v in plain.items()
    }
    hook = CI / "buildkite" / "hooks" / "post-command"
    known = {"BUILDKITE": "true", "BUILDKITE_COMMAND_EXIT_STATUS": "0", "CI": "true"}
    return Job(f". {shlex.quote(str(hook))}\n", ("bash",), {**known, **options, **secrets})


def jenkins(inputs: Inputs) -> Job:
    """A library's step: `withEnv` sets what the table says, and `sh` runs the resource."""
    plain, environment = _secrets(inputs)
    groovy = (CI / "jenkins" / "vars" / "stagepass.groovy").read_text()
    table = dict(re.findall(r"^ +(\w+): '(STAGEPASS_\w+)'", groovy, re.MULTILINE))
    if "identity-token-file" in plain:  # a credential, as a key is
        environment["STAGEPASS_IDENTITY_TOKEN_FILE"] = plain.pop("identity-token-file")
    for name, value in plain.items():
        environment[table[re.sub("-(.)", lambda found: found[1].upper(), name)]] = value
    (resource,) = re.findall(r"script: libraryResource\('([^']+)'\)", groovy)
    script = (CI / "jenkins" / "resources" / Path(resource)).read_text()
    return Job(script, (), {"JENKINS_URL": "https://jenkins.example.com/", **environment})


SYSTEMS: dict[str, Callable[[Inputs], Job]] = {
    "shell": shell,
    "github": github,
    "gitlab": gitlab,
    "circleci": circleci,
    "teamcity": teamcity,
    "tekton": tekton,
    "buildkite": buildkite,
    "jenkins": jenkins,
}
