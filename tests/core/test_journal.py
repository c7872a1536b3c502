from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stagepass.cli.main import run
from stagepass.journal import START, Journal, Problem, check, files

Lines = list[bytes]
_LINES = 6


def written(directory: Path, count: int = _LINES, name: str = "u") -> Path:
    """A new journal in `directory`, of `count` decisions."""
    before = set(directory.glob("*"))
    journal = Journal(directory)
    for index in range(count):
        journal.append(
            {"uid": f"{name}{index}", "allowed": False, "violations": ["PASS_MISSING é"]}
        )
    (path,) = set(files(directory)) - before
    return path


def changed(path: Path, change: Callable[[Lines], Lines]) -> Path:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    return path


def hashes(path: Path) -> list[str]:
    return [json.loads(line)["hash"] for line in path.read_text().splitlines()]


def test_each_line_names_the_hash_of_the_one_before(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in written(tmp_path / "j").read_text().splitlines()]

    assert [line["seq"] for line in lines] == list(range(_LINES))
    assert [line["uid"] for line in lines] == [f"u{i}" for i in range(_LINES)]
    assert [line["previous"] for line in lines] == [START, *(line["hash"] for line in lines[:-1])]


def test_a_journal_as_it_was_written_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "j")
    report = check(path)

    assert (report.lines, report.problems) == (_LINES, ())
    assert report.last == hashes(path)[-1]


def _flip(lines: Lines) -> Lines:
    return [*lines[:2], lines[2].replace(b'"allowed":false', b'"allowed":true '), *lines[3:]]


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        pytest.param(_flip, 3, "altered", id="altered"),
        pytest.param(lambda x: [*x[:2], b"\n", *x[3:]], 3, "altered", id="emptied"),
        pytest.param(lambda x: [*x[:2], b"junk\n", *x[2:]], 3, "altered", id="inserted"),
        pytest.param(lambda x: [*x[:2], *x[3:]], 3, "missing", id="removed"),
        pytest.param(lambda x: x[1:], 1, "missing", id="the first removed"),
        pytest.param(lambda x: [*x[:3], *x[2:]], 4, "repeated", id="repeated"),
        pytest.param(lambda x: [*x[:2], x[3], x[2], *x[4:]], 3, "missing", id="reordered"),
        pytest.param(lambda x: [*x[:2], x[2][:40] + b"\n", *x[3:]], 3, "altered", id="shortened"),
        pytest.param(lambda x: [*x[:2], x[2][:-1] + x[3], *x[4:]], 3, "altered", id="joined"),
        pytest.param(lambda x: [*x[:-1], x[-1][:-5]], _LINES, "breaks off", id="torn"),
        pytest.param(
            lambda x: [*x[:2], x[2].replace(b"\n", b"\r\n"), *x[3:]], 3, "altered", id="CR"
        ),
    ],
)
def test_what_was_done_to_a_line_is_told_with_its_number(
    tmp_path: Path, change: Callable[[Lines], Lines], line: int, message: str
) -> None:
    path = changed(written(tmp_path / "j"), change)

    first = check(path).problems[0]

    assert first.line == line
    assert message in first.message


def test_every_bit_of_a_line_counts(tmp_path: Path) -> None:
    path = written(tmp_path / "j", 3)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for position in range(start, whole.index(b"\n", start) + 1):
        for bit in range(8):
            other = bytearray(whole)
            other[position] ^= 1 << bit
            path.write_bytes(other)
            assert check(path).problems, (position, bit)


def test_a_line_of_another_chain_does_not_fit(tmp_path: Path) -> None:
    """Whole by itself and with the right seq: whoever can write lines cannot replace one of them."""
    other = written(tmp_path / "other", name="other").read_bytes().splitlines(keepends=True)
    path = changed(written(tmp_path / "j"), lambda x: [*x[:2], other[2], *x[3:]])

    replaced = "does not follow the line before it: one of the two was replaced"
    assert check(path).problems == (Problem(3, replaced), Problem(4, replaced))


def test_every_problem_is_told(tmp_path: Path) -> None:
    path = changed(written(tmp_path / "j"), lambda x: [x[0], *_flip(x)[2:4], x[5]])

    assert [p.line for p in check(path).problems] == [2, 3, 4]


def test_a_cut_off_end_needs_the_last_hash(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without it a journal that lost its last line is a shorter journal."""
    path = written(tmp_path / "j")
    last = hashes(path)[-1]
    verify = ["journal", "verify", str(tmp_path / "j")]
    assert run([*verify, "--last", last]) == 0
    changed(path, lambda x: x[:-1])

    assert run(verify) == 0
    assert hashes(path)[-1] in capfd.readouterr().out
    assert run([*verify, "--last", last]) == 1
    assert f"no line has the hash {last}" in capfd.readouterr().err


def test_an_emptied_journal_is_called_empty_and_not_whole(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No line is left to be wrong: only a hash kept elsewhere tells it from a new one."""
    path = written(tmp_path / "j")
    last = hashes(path)[-1]
    path.write_bytes(b"")
    verify = ["journal", "verify", str(path)]

    assert run(verify) == 0
    told = capfd.readouterr().out
    assert told.startswith(f"{path}: empty, 0 lines")
    assert "whole" not in told
    assert "--last" in told
    assert run([*verify, "--last", last]) == 1
    assert f"no line has the hash {last}" in capfd.readouterr().err


def test_lines_after_the_noted_one_are_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path / "j")

    assert run(["journal", "verify", str(path), "--last", hashes(path)[2].upper()]) == 0


def test_a_removed_file_is_found_by_a_noted_hash(tmp_path: Path) -> None:
    gone = written(tmp_path / "j")
    noted = hashes(gone)[-1]
    gone.unlink()
    kept = written(tmp_path / "j", name="later")
    verify = ["journal", "verify", str(tmp_path / "j")]

    assert run([*verify, "--last", hashes(kept)[-1]]) == 0
    assert run([*verify, "--last", hashes(kept)[-1], "--last", noted]) == 1


def test_the_command_names_file_and_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = changed(written(tmp_path / "j"), _flip)

    assert run(["journal", "verify", str(tmp_path / "j")]) == 1
    out, err = capfd.readouterr()
    assert f"{path}:3: altered" in err
    assert f"{path}: broken, {_LINES} lines" in out


def test_json_says_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = changed(written(tmp_path / "j"), _flip)

    assert run(["journal", "verify", str(path), "--output", "json"]) == 1
    told = json.loads(capfd.readouterr().out)
    assert (told["file"], told["lines"], told["last"]) == (str(path), _LINES, hashes(path)[-1])
    assert [p["line"] for p in told["problems"]] == [3]


def test_what_is_no_journal_is_a_usage_error(tmp_path: Path) -> None:
    """Never exit code 0: a mistyped path must not read as a whole journal."""
    assert run(["journal", "verify", str(tmp_path)]) == 64
    assert run(["journal", "verify", str(tmp_path / "none")]) == 64


def test_threads_share_one_chain(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    with ThreadPoolExecutor(8) as pool:
        told = frozenset(pool.map(lambda i: journal.append({"uid": str(i)}), range(400)))
    (path,) = files(tmp_path / "j")
    report = check(path)

    assert (report.lines, report.problems, report.hashes) == (400, (), told)


def test_two_journals_of_one_process_are_two_files(tmp_path: Path) -> None:
    """As two containers with the same pid: neither writes into the other's chain."""
    written(tmp_path / "j")
    written(tmp_path / "j")

    assert [(r.lines, r.problems) for r in map(check, files(tmp_path / "j"))] == [(_LINES, ())] * 2


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = written(tmp_path / "j")

    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


_FULL = """
import resource, sys
from pathlib import Path
from stagepass.journal import Journal

journal = Journal(Path(sys.argv[1]))
journal.append({"uid": "before"})
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, most))
for _ in range(3):
    try:
        journal.append({"uid": "x" * 400})
    except OSError:
        print("failed")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
journal.append({"uid": "after"})
"""


def test_a_full_disk_leaves_no_half_line_and_is_told_of(tmp_path: Path) -> None:
    """A file that may not grow, in a process of its own: part of a line is written, then an error."""
    command = [sys.executable, "-c", _FULL, str(tmp_path / "j")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    (path,) = files(tmp_path / "j")
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert done.stdout.split() == ["failed"] * 3
    assert check(path).problems == ()
    assert [line["uid"] for line in lines] == ["before", "after"]
    assert [line.get("lost") for line in lines] == [None, 3]


def test_a_directory_that_cannot_be_made_is_an_error_each_time(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("a file")
    journal = Journal(tmp_path / "j")
    for _ in range(2):
        with pytest.raises(OSError, match="exists"):
            journal.append({"uid": "x"})
    (tmp_path / "j").unlink()
    journal.append({"uid": "y"})
    (path,) = files(tmp_path / "j")

    assert json.loads(path.read_text())["lost"] == 2
