"""A few thousand mutants in every run, always the same; `make fuzz` tries others, for longer."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.fuzz import bundles, reviews
from tests.fuzz.bundles import Judge
from tests.fuzz.campaign import run
from tests.fuzz.gate import Gate

_SECONDS = 8.0


def test_no_mutated_review_lets_in_what_nobody_attested_or_breaks_the_gate(tmp_path: Path) -> None:
    with Gate(tmp_path) as gate:
        result = run(partial(reviews.execute, gate), 0, count=1500, seconds=_SECONDS)

    print(f"reviews: {result}")
    assert result.failures == {}
    # Every end is reached: a gate that refuses everything would prove nothing here.
    assert all(result.outcomes[end] for end in ("allowed", "refused", "400"))


def test_no_mutated_bundle_counts_unless_what_is_signed_is_unchanged(tmp_path: Path) -> None:
    result = run(partial(bundles.execute, Judge(tmp_path)), 0, count=1500, seconds=_SECONDS)

    print(f"bundles: {result}")
    assert result.failures == {}
    assert all(result.outcomes[end] for end in ("counts", "refused", "signed"))
