"""SIGKILL in the middle of a reconcile leaves no orphan, no second pass, nothing half done."""

from __future__ import annotations

import pytest

from tests.applier_faults.__main__ import run

pytestmark = pytest.mark.cluster


def test_a_reconcile_that_is_killed_ends_like_one_that_is_not() -> None:
    """Before and after some of its writes; `make applier-faults` takes all of them."""
    outcomes = run(every=6)

    assert len(outcomes) >= 6
    assert not [outcome.line() for outcome in outcomes if outcome.wrong]


def test_neither_does_one_of_a_release() -> None:
    """With the evidence that is brought into the cluster between the state and the objects."""
    outcomes = run(every=1, released=True, near="stagepass-evidence")

    assert any("configmaps/stagepass-evidence" in outcome.write for outcome in outcomes)
    assert not [outcome.line() for outcome in outcomes if outcome.wrong]
