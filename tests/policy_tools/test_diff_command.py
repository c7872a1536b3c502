"""`stagepass policy diff`: exit codes, what is printed, and what a new set would strand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stagepass.cli.main import run
from stagepass.clock import format_time
from tests.cli.conftest import Result
from tests.cli.test_offline import watched
from tests.core.objects import containers, pod
from tests.world import DAY, IMAGE, NOW, OTHER_IMAGE, good_evidence, stored, write_policy

SOAK = {"pipeline.stages.2.after.0.soak": "48h"}
PLACE = "prod-eu/shop"


@dataclass(frozen=True, slots=True)
class Sets:
    """Two policy directories, an evidence directory that proves IMAGE, and what runs in prod-eu."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, name: str, changes: dict[str, Any] | None = None) -> Path:
        return write_policy(self.root / name, changes)

    def running(self, *images: str) -> Path:
        """As `kubectl get pods -o json` prints it, each image in two Pods."""
        pods = [pod({"containers": containers(image)}) for image in images for _ in range(2)]
        path = self.root / "running.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
        return path

    def diff(self, *arguments: str, old: str = "old", new: str = "new") -> Result:
        self.capsys.readouterr()
        code = run(["policy", "diff", str(self.root / old), str(self.root / new), *arguments])
        return Result(code, *self.capsys.readouterr())

    def stranding(self, *images: str, now: str = format_time(NOW)) -> list[str]:
        """The options for what runs."""
        running, evidence = str(self.running(*images)), f"dir:{self.root / 'evidence'}"
        where = ["--cluster", "prod-eu", "--evidence", evidence, "--now", now]
        return ["--running", running, *where]


@pytest.fixture
def sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Sets:
    """The old set is the shop's."""
    stored(tmp_path / "evidence", good_evidence())
    found = Sets(tmp_path, capsys)
    found.write("old")
    return found


def test_sets_that_decide_alike_exit_0(sets: Sets) -> None:
    """A comment is another revision, and nothing else."""
    policy = sets.write("new") / "policy.yaml"
    policy.write_text(f"# more words\n{policy.read_text()}")

    assert (sets.diff().code, sets.diff().out) == (0, "the sets decide alike\n")
    line = sets.diff("--output", "json").line
    assert line["changes"] == []
    assert line["old"] != line["new"]
    assert "stranded" not in line


def test_every_change_is_a_line_with_its_effect(sets: Sets) -> None:
    sets.write("new", {**SOAK, "pipeline.stages.1.enforcement": "warn"})
    result = sets.diff()

    assert result.code == 1
    assert result.out.splitlines() == [
        "stricter  pipeline shop: production after staging: soak is 2d, was 1d",
        "looser    pipeline shop: staging: enforcement is warn, was enforce",
        "2 changes: 1 stricter, 1 looser",
    ]


def test_a_machine_reads_one_object(sets: Sets) -> None:
    sets.write("new", SOAK)
    result = sets.diff("--output", "json")

    assert result.code == 1
    assert result.line["changes"] == [
        {
            "effect": "stricter",
            "where": "pipeline shop: production after staging",
            "message": "soak is 2d, was 1d",
        }
    ]


def test_what_runs_and_could_not_restart_is_named(sets: Sets) -> None:
    """What the old set refuses as well was stranded before; what no set judges is not."""
    sets.write("new", SOAK)
    options = sets.stranding(str(IMAGE), str(OTHER_IMAGE))
    as_text, as_json = sets.diff(*options), sets.diff(*options, "--output", "json")

    assert (as_text.code, as_json.code) == (1, 1)
    reason = "SOAKING: the pass of 'staging' in 'staging' watched it for 1d of 2d"
    assert as_text.out.splitlines()[1:] == [
        f"stranded  {IMAGE} in {PLACE}: {reason}",
        "1 changes: 1 stricter",
        "1 running images would be stranded",
    ]
    (stuck,) = as_json.line["stranded"]
    assert (stuck["image"], stuck["cluster"], stuck["namespace"], stuck["decision"]) == (
        *(str(IMAGE), "prod-eu", "shop", "denied"),
    )
    assert [v["code"] for v in stuck["violations"]] == ["SOAKING"]


def test_what_enforcement_let_run_is_stranded_by_more_of_it(sets: Sets) -> None:
    """From warn to enforce nothing else is asked for, and yet it could not restart."""
    sets.write("lax", {"pipeline.stages.2.enforcement": "warn"})
    lost = sets.diff(*sets.stranding(str(OTHER_IMAGE)), old="lax", new="old")
    back = sets.diff(*sets.stranding(str(OTHER_IMAGE)), old="old", new="lax")

    assert f"stranded  {OTHER_IMAGE} in {PLACE}: PASS_MISSING" in lost.out
    assert "0 running images would be stranded" in back.out


def test_now_may_be_another_time(sets: Sets) -> None:
    sets.write("new", {"pipeline.stages.2.after.0.maxAge": "7d"})
    later = format_time(NOW + 10 * DAY)

    assert "0 running images" in sets.diff(*sets.stranding(str(IMAGE))).out
    assert "1 running images" in sets.diff(*sets.stranding(str(IMAGE), now=later)).out


def test_what_could_not_be_found_out_is_no_promise(sets: Sets) -> None:
    """No evidence was read: neither set lets it in, so nothing is said to be stranded by the new one."""
    sets.write("new", SOAK)
    running = ["--running", str(sets.running(str(IMAGE))), "--cluster", "prod-eu", "--offline"]

    result = sets.diff(*running)
    assert result.out.splitlines()[-2:] == [
        "could not find out whether 1 running images may stay",
        "0 running images would be stranded",
    ]
    line = sets.diff(*running, "--output", "json").line
    assert (line["running"], line["undetermined"], line["stranded"]) == (1, 1, [])


@pytest.mark.parametrize(("new", "code"), [("old", 0), ("new", 1)])
def test_an_empty_cluster_strands_nothing(sets: Sets, new: str, code: int) -> None:
    sets.write("new", SOAK)
    result = sets.diff(*sets.stranding(), new=new)

    assert result.code == code
    assert result.out.splitlines()[-2:] == ["nothing runs", "0 running images would be stranded"]


def test_an_empty_file_is_no_empty_cluster(sets: Sets) -> None:
    """It is what a command that failed leaves behind."""
    arguments = sets.stranding()
    (sets.root / "running.json").write_text("")
    result = sets.diff(*arguments, new="old")

    assert (result.code, "no objects" in result.err) == (64, True)


def test_what_cannot_be_used_exits_64(sets: Sets) -> None:
    sets.write("new", SOAK)
    broken = sets.write("broken") / "policy.yaml"
    broken.write_text("kind: Nonsense\n")
    running = str(sets.running(str(IMAGE)))

    assert sets.diff(new="absent").code == 64
    assert sets.diff(new="broken").code == 64
    assert sets.diff(old="broken").code == 64
    assert sets.diff("--running", running).code == 64
    assert "--running needs --cluster" in sets.diff("--running", running).err
    absent = sets.diff("--running", "absent.json", "--cluster", "prod-eu")
    assert (absent.code, absent.out) == (64, "")


def test_nothing_is_asked_without_what_runs(sets: Sets) -> None:
    sets.write("new", SOAK)
    result = watched("policy", "diff", str(sets.root / "old"), str(sets.root / "new"))

    assert (result.returncode, result.stderr) == (1, "")
