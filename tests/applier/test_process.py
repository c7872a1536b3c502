from __future__ import annotations

from pathlib import Path

import pytest

from applier.process import TimedOutError, run


def _timed_out(script: str, tmp_path: Path) -> TimedOutError:
    with pytest.raises(TimedOutError) as raised:
        run(
            ["/bin/sh", "-c", script],
            env={"PATH": "/usr/bin:/bin"},
            cwd=tmp_path,
            timeout=2,
            max_output=100,
        )
    return raised.value


def test_at_the_deadline_it_is_known_who_computed_and_who_waited(tmp_path: Path) -> None:
    """With its children: a fetch computes in a grandchild."""
    busy = _timed_out("(while :; do :; done) & wait", tmp_path)
    idle = _timed_out("sleep 60", tmp_path)

    assert idle.computed < 0.1 < busy.computed


def test_a_program_that_computes_for_too_long_is_ended(tmp_path: Path) -> None:
    done = run(
        ["/bin/sh", "-c", "while :; do :; done"],
        env={},
        cwd=tmp_path,
        timeout=60,
        max_output=100,
        max_cpu=1,
    )

    assert done.code < 0
