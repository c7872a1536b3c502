"""What goes wrong around a real applier changes when its model is reached, and nothing else."""

from __future__ import annotations

import pytest

from tests.applier_faults.faults import FAULTS, run
from tests.applier_faults.model import Found
from tests.applier_faults.result import Result

pytestmark = pytest.mark.cluster

_UNDISTURBED = "nothing wrong with Git"


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """The short form of every fault, one after the other in one cluster."""
    return run(list(FAULTS), quick=True)


def test_after_every_fault_all_is_as_without_it(results: list[Result]) -> None:
    """Nothing lost, doubled or left over; `make applier-faults` takes the long forms."""
    assert not [result.line() for result in results if result.is_bad]


def test_every_fault_struck(results: list[Result]) -> None:
    assert len(results) >= len(FAULTS)
    assert [result.name for result in results if not result.faults] == [_UNDISTURBED]


@pytest.mark.parametrize(
    "bad",
    [
        Result("x", 1.0, lost=1),
        Result("x", 1.0).beside(Found(doubled=1)),
        Result("x", 1.0).beside(Found(orphans=1)),
        Result("x", 1.0).beside(Found(wrong=("live []",))),
    ],
)
def test_a_difference_is_seen(bad: Result) -> None:
    assert bad.is_bad
    assert not Result("x", 1.0).is_bad
