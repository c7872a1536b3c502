"""How long to wait before the next try. Pure: the caller rolls the dice."""

from __future__ import annotations

from datetime import timedelta

BASE = timedelta(seconds=5)
LIMIT = timedelta(minutes=10)


def delay(
    attempt: int, *, jitter: float, base: timedelta = BASE, limit: timedelta = LIMIT
) -> timedelta:
    """
    Before the try after `attempt` failed ones (1, 2, …): doubled each time, at most `limit`.

    `jitter` in [0, 1) spreads it over the upper half, so that no two appliers march in step and no
    unlucky roll hammers. Raises `ValueError` for any other attempt or jitter.
    """
    if attempt < 1 or not 0 <= jitter < 1:
        raise ValueError(f"attempt {attempt}, jitter {jitter}")
    whole = min(base * (1 << min(attempt - 1, 32)), limit)
    return whole * (0.5 + jitter / 2)
