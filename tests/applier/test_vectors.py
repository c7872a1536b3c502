"""The applier's table does not rot: it is whole, names real tests, and prints."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.applier import hostile
from tests.applier.vector import Outcome, Vector
from tests.applier.vectors import VECTORS
from tests.core.test_rules import missing
from tests.repository.sources import ROOT

every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.id)


def test_every_number_is_in_the_table_once() -> None:
    assert [vector.id for vector in VECTORS] == [f"G{number:02}" for number in range(1, 41)]


@every_vector
def test_every_vector_names_tests_that_exist(vector: Vector) -> None:
    assert vector.what.strip()
    assert vector.tests
    assert [node_id for node_id in vector.tests if missing(node_id)] == []
    assert len(set(vector.tests)) == len(vector.tests)


@every_vector
def test_what_does_not_apply_says_why(vector: Vector) -> None:
    assert vector.note.strip() or vector.outcome is not Outcome.NOT_APPLICABLE


def test_whatever_has_hostile_content_is_driven_through_the_loop() -> None:
    """The rows of `hostile` are those of the cluster test (G17 and G18 have no number in them)."""
    content = {v.id for v in hostile.TREES} | {v.id for v in hostile.KUSTOMIZATIONS}
    driven = {v.id for v in VECTORS if any("hostile_trees" in name for name in v.tests)}

    assert content | {"G17", "G18"} <= driven


def test_the_table_is_printed() -> None:
    argv = [sys.executable, "-m", "tests.applier.vectors"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert [v.id for v in VECTORS if v.id not in done.stdout] == []
