"""The vectors of the table that live in the API server: a real one, asking a real gate."""

from __future__ import annotations

import pytest

from tests.cluster.gate import Gate
from tests.vectors.row import Case, Door
from tests.vectors.table import ROWS

pytestmark = pytest.mark.cluster

CASES = [
    pytest.param(case, id=f"{row.id} {case.name}")
    for row in ROWS
    for case in row.cases
    if case.door is Door.APISERVER
]


@pytest.mark.parametrize("case", CASES)
def test_it_ends_as_the_table_says(gate: Gate, case: Case) -> None:
    assert case.run(gate) == case.expected
