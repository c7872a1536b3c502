"""Every way past the gate that the catalogue knows, tried at the doors where it would be tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.vectors.bench import Bench
from tests.vectors.row import Case, Door
from tests.vectors.table import ROWS

CASES = [
    pytest.param(case, id=f"{row.id} {case.name}")
    for row in ROWS
    for case in row.cases
    if case.door is not Door.APISERVER
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as running:
        yield running


@pytest.mark.parametrize("case", CASES)
def test_it_ends_as_the_table_says(bench: Bench, case: Case) -> None:
    assert bench.answer(case) == case.expected


def test_every_vector_is_in_the_table_once() -> None:
    assert [row.id for row in ROWS] == [f"B{number:02}" for number in range(1, 69)]


def test_what_is_not_tried_or_differs_says_why() -> None:
    silent = [
        row.id
        for row in ROWS
        if not row.note and (not row.cases or any(case.wanted for case in row.cases))
    ]

    assert silent == []
