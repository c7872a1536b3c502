"""Every input reaches its program as one argument, unchanged, whatever characters it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ci_steps import recorder
from tests.ci_steps.runner import Agent, Done
from tests.ci_steps.systems import SYSTEMS, Inputs, Job, gitlab

HOSTILE = {
    "substitution": "$(touch pwned)",
    "backticks": "`touch pwned`",
    "double quotes": '"; touch pwned; "',
    "single quotes": "'; touch pwned; '",
    "lines": "a\ntouch pwned\nb",
    "an option": "--help",
    "a pattern": "*",
    "spaces": " a  b\t",
    "a workflow command": "::set-output name=x::y",
}
_FREE = (
    "pipeline",
    "cluster",
    "namespace",
    "release",
    "policy",
    "evidence",
    "trust-config",
    "install",
)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.fixture
def agent(tmp_path: Path, record: Path) -> Agent:
    """A machine whose python3 and stagepass only write down what they were asked."""
    return Agent(tmp_path / "agent", recorder.install(tmp_path / "bin", record))


def calls(record: Path) -> list[tuple[str, list[str], dict[str, str]]]:
    lines = record.read_text().splitlines() if record.exists() else []
    return [(name, arguments, kept) for name, arguments, kept in map(json.loads, lines)]


def hostile(value: str, *, signer: str) -> Inputs:
    """Every input that a pass has, and the same for how it is signed."""
    return {"image": value, "stage": value, signer: value, **dict.fromkeys(_FREE, value)}


def pairs(arguments: list[str]) -> dict[str, str]:
    """The options of `attest`, each with its value."""
    verb, *options = arguments[: arguments.index("--")]
    assert verb == "attest"
    return dict(zip(options[::2], options[1::2], strict=True))


def assert_unharmed(agent: Agent, done: Done) -> None:
    assert done.code == 0, done.log
    assert list(agent.root.rglob("pwned")) == []
    assert list(agent.temporary.iterdir()) == []


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_pass_of_hostile_values(name: str, value: str, agent: Agent, record: Path) -> None:
    inputs = {**hostile(value, signer="key-file"), "install": ""}
    done = agent.run(SYSTEMS[name](inputs))
    ((_, arguments, _),) = [call for call in calls(record) if call[0] == "stagepass"]

    assert_unharmed(agent, done)
    assert arguments[-2:] == ["--", value]
    assert pairs(arguments[:-1]) == {
        "--key": value,
        "--stage": value,
        "--pipeline": value,
        "--cluster": value,
        "--namespace": value,
        "--release": value,
        "--policy": value,
        "--evidence": value,
        "--trust-config": value,
    }


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_installation_of_hostile_values(name: str, agent: Agent, record: Path) -> None:
    """What is installed, its requirements, and a predicate with its type."""
    value = "\"; $(touch pwned) `touch pwned` '\ntouch pwned\n"
    named = ("image", "predicate", "type", "install", "requirements", "key-file")
    done = agent.run(SYSTEMS[name]({**dict.fromkeys(named, value), "evidence": "registry"}))
    installs = [arguments[-1] for _, arguments, _ in calls(record) if "pip" in arguments]
    (signed,) = [arguments for program, arguments, _ in calls(record) if program == "stagepass"]

    assert_unharmed(agent, done)
    assert installs == [value, value]
    assert pairs(signed[:-1]) == {
        "--key": value,
        "--predicate": value,
        "--type": value,
        "--evidence": "registry",
    }


def test_gitlabs_other_shell_takes_them_too(agent: Agent, record: Path) -> None:
    value = "\"; $(touch pwned) `touch pwned` '\ntouch pwned\n"
    done = agent.run(gitlab({"image": value, "stage": "test", "key-file": value}, runner="dash"))

    assert_unharmed(agent, done)
    assert calls(record)[-1][1][-1] == value


@pytest.mark.parametrize(
    ("value", "is_refused"),
    [("--index-url=http://127.0.0.1:1", True), ("-r/etc/passwd", True), ("stagepass==1", False)],
)
def test_what_is_installed_is_never_an_option_of_pip(
    value: str, is_refused: bool, agent: Agent, record: Path
) -> None:
    inputs = {"image": "i", "stage": "test", "key-file": "k", "install": value}
    done = agent.run(SYSTEMS["shell"](inputs))

    assert (done.code == 64) is is_refused
    assert any("pip" in arguments for _, arguments, _ in calls(record)) is not is_refused


@pytest.mark.parametrize(
    ("signing", "extra"), [({"identity": "true"}, "[keyless]"), ({"key-file": "k"}, "")], ids=str
)
def test_sigstore_comes_along_for_an_identity_only(
    signing: Inputs, extra: str, agent: Agent, record: Path
) -> None:
    (agent.work / "dist").mkdir(parents=True)
    (agent.work / "one.whl").touch()
    for install in ("dist", "one.whl"):
        inputs = {"image": "i", "stage": "test", "install": install, **signing}
        assert_unharmed(agent, agent.run(SYSTEMS["shell"](inputs)))
    installs = [arguments for _, arguments, _ in calls(record) if "pip" in arguments]

    assert installs[0][-4:] == ["--no-index", "--find-links", "dist", f"stagepass{extra}"]
    assert installs[1][-1] == f"one.whl{extra}"


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "tekton"])
def test_a_secret_key_is_seen_by_nobody(name: str, agent: Agent, record: Path) -> None:
    """Not by what is installed, in no argument and no log; its file goes when the step ends."""
    secret = "-----BEGIN TEST-----\nhidden\n-----END TEST-----"
    inputs = {"image": "i", "stage": "test", "key": secret, "install": "stagepass"}
    done = agent.run(SYSTEMS[name](inputs))

    assert_unharmed(agent, done)
    assert "hidden" not in done.log
    assert len(calls(record)) == 3
    assert "hidden" not in record.read_text()


def test_a_secret_key_is_not_in_the_trace_of_the_shell(agent: Agent) -> None:
    job = SYSTEMS["shell"]({"image": "i", "stage": "test", "key": "hidden"})
    done = agent.run(Job(job.script, ("sh", "-x"), job.environment))

    assert_unharmed(agent, done)
    assert "+ stagepass attest" in done.log
    assert "hidden" not in done.log


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": ""}, "set STAGEPASS_IMAGE"),
        ({"stage": ""}, "set either STAGEPASS_PREDICATE"),
        ({"predicate": "p.json"}, "set either STAGEPASS_PREDICATE"),
        ({"key-file": ""}, "nothing to sign with"),
        ({"key": "k"}, "more than one thing to sign with"),
        ({"identity": "true"}, "more than one thing to sign with"),
        ({"key-file": "", "identity": "yes"}, "STAGEPASS_IDENTITY is true or false"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_with_a_reason(
    change: dict[str, Any], reason: str, agent: Agent, record: Path
) -> None:
    """Without a signer it is refused, never signed as whoever the machine happens to be."""
    inputs = {"image": "i", "stage": "test", "key-file": "k"} | change
    done = agent.run(SYSTEMS["github"](inputs))

    assert done.code == 64
    assert done.log.startswith(f"stagepass-sign: {reason}")
    assert not any(program == "stagepass" for program, _, _ in calls(record))


@pytest.mark.parametrize(
    ("name", "inputs", "wanted"),
    [
        ("github", {"identity": "true"}, ["--identity"]),
        ("gitlab", {"identity": "true"}, ["--identity"]),
        ("circleci", {"identity": "true"}, ["--identity"]),
        ("buildkite", {"identity": "true"}, ["--identity"]),
        ("teamcity", {"identity-token-file": "/t"}, ["--identity-token", "/t"]),
        ("tekton", {"identity-token-file": "/t"}, ["--identity-token", "/t"]),
        ("jenkins", {"identity-token-file": "/t"}, ["--identity-token", "/t"]),
    ],
)
def test_an_identity_is_asked_for_by_name(
    name: str, inputs: Inputs, wanted: list[str], agent: Agent, record: Path
) -> None:
    done = agent.run(SYSTEMS[name]({"image": "i", "stage": "test", **inputs}))

    assert_unharmed(agent, done)
    assert calls(record)[-1][1][1 : 1 + len(wanted)] == wanted


def test_a_failed_command_is_not_signed_for(agent: Agent, record: Path) -> None:
    """Buildkite runs the hook after a command that failed, too."""
    job = SYSTEMS["buildkite"]({"image": "i", "stage": "test", "key-file": "k"})
    failed = {**job.environment, "BUILDKITE_COMMAND_EXIT_STATUS": "1"}
    done = agent.run(Job(job.script, job.interpreter, failed))

    assert_unharmed(agent, done)
    assert calls(record) == []


def test_an_image_that_only_the_command_knows_comes_through_a_file(
    agent: Agent, record: Path
) -> None:
    agent.work.mkdir(parents=True)
    (agent.work / "image.txt").write_text("registry.example.com/shop@sha256:1\n")
    inputs = {"image-file": "image.txt", "stage": "test", "key-file": "k"}
    done = agent.run(SYSTEMS["buildkite"](inputs))

    assert_unharmed(agent, done)
    assert calls(record)[-1][1][-1] == "registry.example.com/shop@sha256:1"


def test_an_image_that_only_an_earlier_step_knows_comes_through_bash_env(
    agent: Agent, record: Path, tmp_path: Path
) -> None:
    """CircleCI fills in no variables; what `BASH_ENV` exports is set after the step's own."""
    exported = tmp_path / "bash.env"
    exported.write_text("export STAGEPASS_IMAGE=registry.example.com/shop@sha256:1\n")
    job = SYSTEMS["circleci"]({"stage": "test", "key-file": "k"})
    done = agent.run(job, {"BASH_ENV": str(exported)})

    assert_unharmed(agent, done)
    assert calls(record)[-1][1][-1] == "registry.example.com/shop@sha256:1"
