from __future__ import annotations

from pathlib import Path

import pytest

from stagepass.policy.store import load_directory
from tests.docs.walk import Reader, blocks, commands
from tests.repository.sources import ROOT

_BLOCKS = blocks((ROOT / "docs" / "releases.md").read_text())


def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files as written, commands as shown; every block is one of these."""
    monkeypatch.chdir(tmp_path)
    reader = Reader(tmp_path)
    ran = 0
    for block in _BLOCKS:
        kind, _, name = block.mark.partition(" ")
        if kind == "policy":
            reader.write_policy(block.text)
            load_directory(tmp_path / "policy")
        elif kind == "file":
            reader.write(name, block.text)
        else:
            assert kind == "run", block
            for command in commands(block):
                reader.type(command)
                ran += 1

    assert ran == 14
