"""`stagepass policy test`: what a person and a CI system see."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from examples.shop import KEYS
from stagepass.cli.main import run
from stagepass.signing import PrivateKey
from tests.cli.conftest import Result
from tests.cli.test_offline import watched
from tests.policy_tools.full import write_full
from tests.repository.sources import ROOT
from tests.world import IMAGE

EXAMPLE = ROOT / "examples" / "policy-cases.yaml"
CASES = f"""\
cases:
  - name: refused as expected
    now: "2026-11-26T12:00:00Z"
    cluster: prod-eu
    namespace: shop
    image: &image {IMAGE}
    evidence:
      - attestation: {{type: https://slsa.dev/provenance/v1, by: ci, predicate: {{}}}}
    expect: {{decision: denied}}
  - name: "let in, <hoped> \\u0007"
    now: "2026-11-26T12:00:00Z"
    cluster: staging
    namespace: shop
    image: *image
    expect: {{decision: admitted, allowed: true}}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A set without a private key anywhere near."""
    return write_full(tmp_path / "policy")


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """One case that passes, and one that fails."""
    path = tmp_path / "cases.yaml"
    path.write_text(CASES)
    return path


@pytest.fixture
def only_passing(cases: Path) -> Path:
    """The first of them."""
    cases.write_text(CASES[: CASES.rindex("  - name")])
    return cases


class Command:
    """`stagepass policy test` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object) -> Result:
        self.capsys.readouterr()
        code = run(["policy", "test", *map(str, arguments)])
        return Result(code, *self.capsys.readouterr())


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command."""
    return Command(capsys)


def parsed(report: Path) -> ElementTree.Element:
    """A report that the command wrote."""
    return ElementTree.fromstring(report.read_text())  # noqa: S314  # ours


def test_the_shipped_cases_hold_for_the_shipped_policies(tmp_path: Path, command: Command) -> None:
    """As the file itself says, with keys made on the spot."""
    for path in (ROOT / "policies").glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name in KEYS:
        PrivateKey.generate().write(tmp_path / "keys", name)
    result = command(EXAMPLE, "--policy", tmp_path)

    written = len(yaml.safe_load(EXAMPLE.read_text())["cases"])
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith(f"\n{written} cases: {written} passed, 0 failed\n")


def test_a_case_that_fails_says_what_was_wanted_and_why_it_was_not_so(
    policy: Path, cases: Path, command: Command
) -> None:
    result = command(cases, "--policy", policy)

    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[:2] == ["ok    refused as expected", "FAIL  let in, <hoped> \\x07"]
    assert lines[2:4] == [
        "      decision: wanted admitted, got denied",
        "      allowed: wanted true, got false",
    ]
    assert [line.split(":")[0].strip() for line in lines[4:-1]] == [
        *("REQUIREMENT_MISSING", "PASS_MISSING"),
    ]
    assert lines[-1] == "2 cases: 1 passed, 1 failed"


def test_when_all_pass_it_exits_0(policy: Path, only_passing: Path, command: Command) -> None:
    result = command(only_passing, "--policy", policy)

    assert (result.code, result.out) == (
        0,
        "ok    refused as expected\n1 cases: 1 passed, 0 failed\n",
    )


def test_a_machine_reads_one_line_a_case(policy: Path, cases: Path, command: Command) -> None:
    result = command(cases, "--policy", policy, "--output", "json")
    first, second = result.lines

    assert result.code == 1
    assert (first["passed"], second["passed"]) == (True, False)
    assert (first["name"], first["decision"], first["unlike"]) == (
        *("refused as expected", "denied", []),
    )
    assert second["unlike"][0] == "decision: wanted admitted, got denied"
    assert {v["code"] for v in second["violations"]} == {"PASS_MISSING", "REQUIREMENT_MISSING"}


def test_a_ci_system_reads_junit(
    policy: Path, cases: Path, tmp_path: Path, command: Command
) -> None:
    """Counts, a suite for each file, and the reason in the failure; control characters written out."""
    report = tmp_path / "report.xml"
    result = command(cases, "--policy", policy, "--junit", report)
    root = parsed(report)

    assert result.code == 1
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "2", "1")
    (suite,) = root
    assert (suite.get("name"), suite.get("tests")) == (str(cases), "2")
    passed, failed = suite.findall("testcase")
    assert passed.find("failure") is None
    assert failed.get("name") == "let in, <hoped> \\x07"
    failure = failed.find("failure")
    assert failure is not None
    assert "wanted admitted, got denied" in str(failure.get("message"))
    assert "PASS_MISSING: no pass of stage 'test'" in str(failure.text)


def test_several_files_are_several_suites(
    policy: Path, only_passing: Path, tmp_path: Path, command: Command
) -> None:
    """A name may stand in each of them."""
    other, report = tmp_path / "other.yaml", tmp_path / "report.xml"
    other.write_text(only_passing.read_text())
    result = command(only_passing, other, "--policy", policy, "--junit", report)

    assert result.code == 0
    suites = parsed(report).findall("testsuite")
    assert [suite.get("name") for suite in suites] == [str(only_passing), str(other)]


def test_what_cannot_be_used_exits_64_before_anything_is_judged(
    policy: Path, cases: Path, tmp_path: Path, command: Command
) -> None:
    absent, binary = tmp_path / "absent.yaml", tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(CASES.replace("cluster: staging", "clutser: staging"))

    for bad, told in ((absent, "cannot read"), (binary, "not UTF-8"), (wrong, "clutser")):
        result = command(cases, bad, "--policy", policy)
        assert (result.code, result.out) == (64, "")
        assert told in result.err
    assert command("--policy", policy).code == 64
    assert command(cases).code == 64
    assert command(cases, "--policy", tmp_path / "none").code == 64
    unwritable = command(cases, "--policy", policy, "--junit", tmp_path / "no" / "report.xml")
    assert (unwritable.code, unwritable.out) == (64, "")


def test_nothing_is_asked(policy: Path, only_passing: Path) -> None:
    result = watched("policy", "test", str(only_passing), "--policy", str(policy))

    assert (result.returncode, result.stderr) == (0, "")
