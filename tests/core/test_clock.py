from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stagepass.clock import format_duration, format_time, parse_duration, parse_time
from stagepass.errors import InputError


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-02T08:05:03Z", datetime(2026, 11, 2, 8, 5, 3, tzinfo=UTC)),
        ("2026-11-02T08:05:03.5Z", datetime(2026, 11, 2, 8, 5, 3, 500_000, tzinfo=UTC)),
        ("2026-11-02T08:05:03.123456789Z", datetime(2026, 11, 2, 8, 5, 3, 123_456, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_rfc_3339_in_utc(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-02",
        "2026-11-02T08:05:03",
        "2026-11-02T08:05Z",
        "2026-11-02 08:05:03Z",
        "2026-11-02t08:05:03z",
        "2026-11-02T08:05:03+00:00",
        "2026-11-02T08:05:03+01:00",
        "2026-11-02T08:05:03.Z",
        "2026-11-02T08:05:03,5Z",
        "2026-11-02T08:05:03.1234567890Z",
        "2026-11-02T08:05:03Z\n",
        "2026-11-02T24:00:00Z",
        "2026-11-02T08:05:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "20261102T080503Z",
        "2026-W45-1T00:00:00Z",
        "\u0662026-11-02T08:05:03Z",
        "now",
        None,
        1_762_070_703,
        True,
        ["2026-11-02T08:05:03Z"],
    ],
)
def test_any_other_form_of_time_is_refused(text: object) -> None:
    with pytest.raises(InputError):
        parse_time(text)


def test_times_are_written_in_whole_seconds_of_utc() -> None:
    moment = parse_time("2026-11-02T08:05:03.999Z")

    assert format_time(moment) == "2026-11-02T08:05:03Z"
    assert parse_time(format_time(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "span", "shortest"),
    [
        ("90s", timedelta(seconds=90), "1m30s"),
        ("15m", timedelta(minutes=15), "15m"),
        ("24h", timedelta(days=1), "1d"),
        ("30d", timedelta(days=30), "30d"),
        ("1d12h", timedelta(days=1, hours=12), "1d12h"),
        ("1h1h", timedelta(hours=2), "2h"),
        ("0s", timedelta(), "0s"),
        ("36500d", timedelta(days=36_500), "36500d"),
    ],
)
def test_a_duration_is_counts_and_units_and_is_shown_in_its_shortest_form(
    text: str, span: timedelta, shortest: str
) -> None:
    assert parse_duration(text) == span
    assert format_duration(span) == shortest
    assert parse_duration(shortest) == span


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "h",
        "1w",
        "1H",
        "1.5h",
        "-1h",
        "+1h",
        "1 h",
        "1h ",
        "1h\n",
        "P1D",
        "\uff11h",
        60,
        None,
    ],
)
def test_any_other_form_of_duration_is_refused(text: object) -> None:
    with pytest.raises(InputError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36500d1s", "999999d", "999999d" * 1200])
def test_a_duration_that_no_date_could_follow_is_refused(text: str) -> None:
    """Added to a time it would overflow, in the middle of a decision."""
    with pytest.raises(InputError, match="at most"):
        parse_duration(text)
