from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagepass.clock import parse_time
from stagepass.errors import InputError
from stagepass.policy.windows import Window

_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def denied(text: str, zone: str, moment: str) -> bool:
    return Window.parse(text, zone).denies(parse_time(moment))


@pytest.mark.parametrize(
    ("text", "moment", "answer"),
    [
        # a Friday in winter: Berlin is one hour ahead
        ("Fri 16:00 - Mon 08:00", "2026-11-06T14:59:59Z", False),
        ("Fri 16:00 - Mon 08:00", "2026-11-06T15:00:00Z", True),
        ("Fri 16:00 - Mon 08:00", "2026-11-08T12:00:00Z", True),
        ("Fri 16:00 - Mon 08:00", "2026-11-09T06:59:59.999999Z", True),
        ("Fri 16:00 - Mon 08:00", "2026-11-09T07:00:00Z", False),
        # and in summer: two
        ("Fri 16:00 - Mon 08:00", "2026-07-03T14:00:00Z", True),
        ("Fri 16:00 - Mon 08:00", "2026-07-06T06:00:00Z", False),
        ("Wed 10:00 - Wed 09:00", "2026-11-05T08:30:00Z", True),
        ("Sun 23:59 - Mon 00:00", "2026-11-08T22:59:30Z", True),
        ("Sun 23:59 - Mon 00:00", "2026-11-08T23:00:00Z", False),
        ("22:00 - 06:00", "2026-11-04T21:00:00Z", True),
        ("22:00 - 06:00", "2026-11-05T04:59:59Z", True),
        ("22:00 - 06:00", "2026-11-05T05:00:00Z", False),
        # around a year's end: 2026-12-31 is a Thursday
        ("Thu 20:00 - Fri 10:00", "2026-12-31T19:00:00Z", True),
        ("Thu 20:00 - Fri 10:00", "2027-01-01T09:00:00Z", False),
        ("23:00 - 01:00", "2026-12-31T23:30:00Z", True),
        ("23:00 - 01:00", "2027-01-01T00:00:00Z", False),
    ],
)
def test_a_window_is_a_span_of_local_time(text: str, moment: str, answer: bool) -> None:
    """Its start is inclusive, its end exclusive, around a week's, a day's or a year's end."""
    assert denied(text, BERLIN, moment) is answer


@pytest.mark.parametrize(
    ("text", "zone", "day", "expected"),
    [
        # 02:00 → 03:00 at 01:00Z: the wall never shows 02:30
        ("02:30 - 02:45", BERLIN, "2026-03-29", []),
        ("01:30 - 02:30", BERLIN, "2026-03-29", ["00:30", "01:00"]),
        ("02:30 - 03:30", BERLIN, "2026-03-29", ["01:00", "01:30"]),
        # 03:00 → 02:00 at 01:00Z: it shows 02:30 twice
        ("02:30 - 02:45", BERLIN, "2026-10-25", ["00:30", "00:45", "01:30", "01:45"]),
        ("02:30 - 03:30", BERLIN, "2026-10-25", ["00:30", "01:00", "01:30", "02:30"]),
        ("01:30 - 02:30", BERLIN, "2026-10-25", ["23:30", "00:30", "01:00", "01:30"]),
        # 02:00 → 03:00 at 07:00Z, and back at 06:00Z
        ("02:30 - 02:45", NEW_YORK, "2026-03-08", []),
        ("01:30 - 03:30", NEW_YORK, "2026-03-08", ["06:30", "07:30"]),
        ("01:30 - 01:45", NEW_YORK, "2026-11-01", ["05:30", "05:45", "06:30", "06:45"]),
        ("Sun 01:30 - Sun 03:00", NEW_YORK, "2026-11-01", ["05:30", "06:00", "06:30", "08:00"]),
        # by half an hour, at 15:30Z of the day before and at 15:00Z
        ("02:00 - 02:30", LORD_HOWE, "2026-10-04", []),
        ("02:15 - 03:00", LORD_HOWE, "2026-10-04", ["15:30", "16:00"]),
        ("01:30 - 01:45", LORD_HOWE, "2026-04-05", ["14:30", "14:45", "15:00", "15:15"]),
        ("01:45 - 02:30", LORD_HOWE, "2026-04-05", ["14:45", "15:00", "15:15", "16:00"]),
    ],
)
def test_the_wall_clock_rules_when_it_is_changed(
    text: str, zone: str, day: str, expected: list[str]
) -> None:
    """Each minute of the local day is asked; `expected` are the UTC times at which the answer turns."""
    window = Window.parse(text, zone)
    midnight = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    minutes = [midnight + MINUTE * i for i in range(23 * 60)]
    turns = [m for m in minutes[1:] if window.denies(m) is not window.denies(m - MINUTE)]

    assert [f"{moment:%H:%M}" for moment in turns] == expected
    assert _turns_by_next_change(window, midnight, minutes[-1]) == turns


def _turns_by_next_change(window: Window, begin: datetime, end: datetime) -> list[datetime]:
    """The moments at which the answer turns, found by jumping from one `next_change` to the next."""
    found, moment = [], begin
    while (later := window.next_change(moment)) <= end:
        assert later > moment
        if window.denies(later) is not window.denies(moment):
            found.append(later)
        moment = later
    return found


@pytest.mark.parametrize(
    ("text", "zone", "moment", "change"),
    [
        ("Fri 16:00 - Mon 08:00", BERLIN, "2026-11-04T12:00:00Z", "2026-11-06T15:00:00Z"),
        ("Fri 16:00 - Mon 08:00", BERLIN, "2026-11-06T15:00:00Z", "2026-11-09T07:00:00Z"),
        ("Fri 16:00 - Mon 08:00", BERLIN, "2026-11-09T06:59:59.999999Z", "2026-11-09T07:00:00Z"),
        ("Mon 00:00 - Mon 00:01", "UTC", "2026-11-02T00:01:00Z", "2026-11-09T00:00:00Z"),
        ("22:00 - 06:00", BERLIN, "2026-12-31T23:30:00Z", "2027-01-01T05:00:00Z"),
        ("22:00 - 06:00", "Asia/Kathmandu", "2026-11-04T00:00:00Z", "2026-11-04T00:15:00Z"),
        # the clock is changed first, which may turn the answer or not
        ("Fri 16:00 - Mon 08:00", BERLIN, "2026-10-24T12:00:00Z", "2026-10-25T01:00:00Z"),
        ("Fri 16:00 - Mon 08:00", BERLIN, "2026-10-25T00:59:59.5Z", "2026-10-25T01:00:00Z"),
        ("Fri 16:00 - Mon 08:00", BERLIN, "2026-10-25T01:00:00Z", "2026-10-26T07:00:00Z"),
        ("02:30 - 12:00", LORD_HOWE, "2026-04-04T14:50:00Z", "2026-04-04T15:00:00Z"),
        # twice within a week: +2, +3 and +2 again
        ("Sat 01:47 - Sat 01:48", "Asia/Gaza", "2040-10-19T23:50:00Z", "2040-10-20T00:00:00Z"),
        # 2011-12-30 was left out in Samoa, which crossed the date line
        ("Sat 08:00 - Sun 08:00", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-30T10:00:00Z"),
    ],
)
def test_the_next_change_is_an_edge_or_a_change_of_the_clock(
    text: str, zone: str, moment: str, change: str
) -> None:
    found = Window.parse(text, zone).next_change(parse_time(moment))

    assert found == parse_time(change)
    assert found.tzinfo is UTC


_ZONES = [
    BERLIN,
    NEW_YORK,
    LORD_HOWE,
    "UTC",
    "Africa/Casablanca",
    "America/St_Johns",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
]
_CLOCKS = st.times().map(lambda time: f"{time:%H:%M}")
_WEEKLY = st.tuples(st.sampled_from(_DAYS), _CLOCKS).map(" ".join)
_TEXTS = (
    (st.tuples(_CLOCKS, _CLOCKS) | st.tuples(_WEEKLY, _WEEKLY))
    .filter(lambda edges: edges[0] != edges[1])
    .map(" - ".join)
)
_WINDOWS = st.builds(Window.parse, _TEXTS, st.sampled_from(_ZONES))
_MOMENTS = st.integers(-800_000_000, 2_800_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
# When the clock of one of the zones above is changed.
_SHIFTS = (
    "2026-03-29T01:00:00Z 2026-10-25T01:00:00Z 2026-03-08T07:00:00Z 2026-11-01T06:00:00Z"
    " 2026-10-03T15:30:00Z 2026-04-04T15:00:00Z 2011-12-30T10:00:00Z 2040-10-27T00:00:00Z"
)
_NEAR_SHIFTS = st.builds(
    lambda shift, seconds: parse_time(shift) + timedelta(seconds=seconds),
    st.sampled_from(_SHIFTS.split()),
    st.floats(-200_000, 200_000) | st.integers(-5_000, 5_000),
)


@settings(deadline=None, max_examples=200)
@given(
    window=_WINDOWS,
    moment=_MOMENTS | _NEAR_SHIFTS,
    samples=st.lists(st.floats(0, 1, exclude_max=True), min_size=20, max_size=40),
)
def test_nothing_changes_before_the_next_change(
    window: Window, moment: datetime, samples: list[float]
) -> None:
    change = window.next_change(moment)
    sampled = [moment + (change - moment) * sample for sample in samples]
    answers = {window.denies(at) for at in (moment, change - _TICK, *sampled) if at < change}

    assert moment < change <= moment + timedelta(days=7)
    assert answers == {window.denies(moment)}


@settings(deadline=None, max_examples=200)
@given(window=_WINDOWS, moment=_MOMENTS | _NEAR_SHIFTS)
def test_the_local_time_as_written_agrees(window: Window, moment: datetime) -> None:
    """The same rule on texts: `5 16:00` stands between `5 15:59` and `7 08:00` as a string does."""
    local = moment.astimezone(window.zone)
    edges = [
        f"{_DAYS.index(day) + 1} {time}" if day else time
        for day, _, time in (edge.rpartition(" ") for edge in window.text.split(" - "))
    ]
    at = f"{local:%u %H:%M}" if " " in edges[0] else f"{local:%H:%M}"
    start, end = edges
    within = start <= at < end if start < end else not end <= at < start

    assert window.denies(moment) is within


@settings(deadline=None, max_examples=30)
@given(window=_WINDOWS, moment=_MOMENTS)
def test_the_next_change_is_rarely_early(window: Window, moment: datetime) -> None:
    """Two edges for each period, and what the clock's own changes (at most two a fortnight) add."""
    steps, end = 0, moment + 14 * DAY
    most = 2 * (14 * DAY // window.period) + 2 + 3
    while moment < end and steps <= most:
        moment, steps = window.next_change(moment), steps + 1

    assert steps <= most


def test_the_zone_of_the_moment_does_not_matter() -> None:
    """Adding a duration to a time of a zone moves its wall clock, not the moment."""
    window = Window.parse("02:30 - 03:30", BERLIN)
    moment = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)

    for zone in (BERLIN, NEW_YORK, "Pacific/Kiritimati"):
        local = moment.astimezone(ZoneInfo(zone))
        assert window.denies(local) is window.denies(moment)
        assert window.next_change(local) == window.next_change(moment)


def test_the_ends_of_the_calendar_are_moments_too() -> None:
    """A statement may bear any date, and local time does not exist everywhere on the first and last."""
    for zone in (NEW_YORK, "Pacific/Kiritimati"):
        window = Window.parse("22:00 - 06:00", zone)
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

        assert first < window.next_change(first) < first + 3 * DAY
        assert window.next_change(last) == last
        assert window.next_change(last - _TICK) == last
        assert window.denies(last) is window.denies(last - DAY)
        assert window.denies(first) is window.denies(window.next_change(first) - _TICK)


def test_a_time_without_a_zone_is_a_bug() -> None:
    window = Window.parse("22:00 - 06:00", BERLIN)

    for ask in (window.denies, window.next_change):
        with pytest.raises(ValueError, match="without a zone"):
            ask(NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fri 16:00 - 18:00",
        "16:00 - Mon 08:00",
        "Fri 16:00-Mon 08:00",
        "Fri 16:00 \u2013 Mon 08:00",
        "fri 16:00 - mon 08:00",
        "Friday 16:00 - Monday 08:00",
        "Fri 16:00 - Mon 08:00\n",
        "Fri 16:00 - Mon 24:00",
        "22:00 - 24:00",
        "9:00 - 17:00",
        "2\u0662:00 - 06:00",
    ],
)
def test_any_other_form_of_window_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a window") as caught:
        Window.parse(text, BERLIN)

    assert "Fri 16:00 - Mon 08:00" in caught.value.hint


@pytest.mark.parametrize("text", ["06:00 - 06:00", "Fri 16:00 - Fri 16:00"])
def test_a_window_that_ends_where_it_starts_is_refused(text: str) -> None:
    """It could mean never or always."""
    with pytest.raises(InputError, match="ends where it starts"):
        Window.parse(text, BERLIN)


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Berlim", "did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("Europe", ""),
        ("", "like Europe/Berlin or UTC"),
        ("+02:00", ""),
        ("localtime", "like Europe/Berlin or UTC"),
        ("posixrules", "like Europe/Berlin or UTC"),
        ("right/Europe/Berlin", "did you mean 'Europe/Berlin'?"),
        ("../../etc/localtime", ""),
    ],
)
def test_a_zone_is_an_iana_name(zone: str, hint: str) -> None:
    """Never a file of this machine, which may differ from the next gate's."""
    with pytest.raises(InputError, match="is not an IANA time zone") as caught:
        Window.parse("22:00 - 06:00", zone)

    assert hint in caught.value.hint


def test_a_window_is_a_value() -> None:
    one, same = (Window.parse("Fri 16:00 - Mon 08:00", BERLIN) for _ in range(2))

    assert one == same
    assert hash(one) == hash(same)
    assert one != Window.parse("Fri 16:00 - Mon 08:00", NEW_YORK)
    assert str(one) == "Fri 16:00 - Mon 08:00 Europe/Berlin"
