"""The log: one whole line for each event, whoever writes it."""

from __future__ import annotations

import io
import json
import select
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from stagepass import log


class _Pipe(io.StringIO):
    """A stream whose first write waits, and which remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []
        self.entered, self.goes_on = Event(), Event()

    def write(self, text: str) -> int:
        self.writes.append(text)
        self.entered.set()
        self.goes_on.wait(20)
        return len(text)


def test_lines_that_pile_up_behind_a_write_are_written_whole_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe = _Pipe()
    monkeypatch.setattr(sys, "stdout", pipe)
    with ThreadPoolExecutor(1) as first:
        held = first.submit(log.info, "first", number=0)
        assert pipe.entered.wait(20)
        for number in range(1, 101):
            log.info("more", number=number)  # nobody waits
        assert len(pipe.writes) == 1
        pipe.goes_on.set()
        held.result(20)

    assert all(len(text.encode()) <= select.PIPE_BUF for text in pipe.writes)
    assert all(text.endswith("\n") for text in pipe.writes)
    numbers = [json.loads(line)["number"] for text in pipe.writes for line in text.splitlines()]
    assert numbers == list(range(101))
    assert len(pipe.writes) < 10
