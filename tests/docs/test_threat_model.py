from __future__ import annotations

import re

import pytest

from tests.repository.sources import ROOT

_PAGE = (ROOT / "docs" / "threat-model.md").read_text()
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_STOPPED = "| attempt | stopped by | proof |"


def _stopped() -> list[str]:
    """The lines of every table of attempts that are stopped."""
    tables = re.findall(rf"^{re.escape(_STOPPED)}\n\|---.*\n((?:\|.*\n)+)", _PAGE, re.MULTILINE)
    return [line for table in tables for line in table.splitlines()]


def test_what_stops_an_attempt_is_proven() -> None:
    """Each such line names a test, or says which mechanism it is."""
    lines = _stopped()
    assert len(lines) > 40
    assert [line for line in lines if not _TEST.search(line) and "| mechanism: " not in line] == []


@pytest.mark.parametrize("file", sorted({file for file, _ in _TEST.findall(_PAGE)}))
def test_every_test_that_is_named_is_there(file: str) -> None:
    """A test that is renamed takes the page along."""
    source = (ROOT / file).read_text()
    names = {name for path, name in _TEST.findall(_PAGE) if path == file}

    assert [name for name in sorted(names) if f"def {name}(" not in source] == []
