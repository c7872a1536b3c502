"""The seeded bugs do not rot: each still applies to the sources as they are, and names real tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.seeded.__main__ import Outcome, _report
from tests.seeded.patch import Edit, Seed
from tests.seeded.seeds import SEEDS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.id)
def test_every_patch_applies_exactly_once_and_is_python_still(seed: Seed, tmp_path: Path) -> None:
    for edit in seed.edits:
        (tmp_path / edit.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / edit.file, tmp_path / edit.file)
        edit.apply(tmp_path)
        compile((tmp_path / edit.file).read_text(), edit.file, "exec")
    for edit in seed.edits:
        assert (tmp_path / edit.file).read_text() != (ROOT / edit.file).read_text()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.id)
def test_every_seed_says_what_it_is_and_which_tests_kill_it(seed: Seed) -> None:
    assert seed.origin
    assert seed.what
    assert seed.edits
    assert [k for k in seed.killers if not (ROOT / "tests" / k).is_file()] == []
    assert seed.killers


def test_there_are_at_least_fifteen_with_distinct_ids() -> None:
    assert len({seed.id for seed in SEEDS}) == len(SEEDS) >= 15


@pytest.mark.parametrize(("text", "count"), [("a = 1\n", 0), ("b = 1\nb = 1\n", 2)])
def test_a_patch_whose_place_is_gone_or_doubtful_fails_loudly(
    text: str, count: int, tmp_path: Path
) -> None:
    (tmp_path / "x.py").write_text(text)

    with pytest.raises(ValueError, match=rf"x\.py: found {count} times, not once: 'b = 1'"):
        Edit("x.py", "b = 1", "b = 2").apply(tmp_path)
    assert (tmp_path / "x.py").read_text() == text


@pytest.mark.parametrize("problem", ["SURVIVED", "DOES NOT APPLY", "BROKEN"])
def test_one_seed_that_no_test_killed_fails_the_run(
    problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    killed, alive = Outcome(SEEDS[0], "x.py::test", "", 1), Outcome(SEEDS[1], "", problem, 1)

    assert [_report([killed]), _report([killed, alive]), _report([])] == [0, 1, 1]
    told = capsys.readouterr().out
    assert "x.py::test" in told
    assert problem in told
    assert "1/2 killed" in told
