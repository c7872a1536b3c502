from __future__ import annotations

from pathlib import Path

import pytest

from stagepass.policy.lint import lint
from stagepass.policy.store import load_directory
from tests.docs.walk import Block, Reader, blocks, commands, sections
from tests.repository.sources import ROOT
from tests.world import NOW

_GUIDE = (ROOT / "docs" / "guide.md").read_text()
_SECTIONS = sections(_GUIDE)
_WORDS, _START, *_OTHERS = _SECTIONS


@pytest.mark.parametrize("title", [_START, *_OTHERS])
def test_a_section_does_what_it_says(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its policy sets load without a finding, and its commands print what it shows."""
    monkeypatch.chdir(tmp_path)
    reader = Reader(tmp_path)
    # The first section names the image; after the second, every other one starts.
    for name in dict.fromkeys((_WORDS, _START, title)):
        for block in _SECTIONS[name]:
            _follow(reader, block)
    _load_cleanly(tmp_path / "policy")


def test_every_block_is_marked() -> None:
    """No block escapes: each is loaded, written or run."""
    marks = {"yaml": ("policy", "file "), "json": ("file ",), "console": ("run",)}
    assert [b for b in blocks(_GUIDE) if not b.mark.startswith(marks[b.language])] == []
    assert sum(map(len, _SECTIONS.values())) == len(blocks(_GUIDE))


def _follow(reader: Reader, block: Block) -> None:
    kind, _, name = block.mark.partition(" ")
    if kind == "policy":
        if (reader.root / "policy" / "policy.yaml").exists():
            _load_cleanly(reader.root / "policy")
        reader.write_policy(block.text)
    elif kind == "file":
        reader.write(name, block.text)
    else:
        for command in commands(block):
            reader.type(command)


def _load_cleanly(policy: Path) -> None:
    assert lint(load_directory(policy), now=NOW) == []
