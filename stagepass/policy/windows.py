"""
Recurring spans of local time in which nothing new enters a stage.

A window is judged on the wall clock of its zone. Where that is set back, a wall time occurs twice and
counts both times; where it is set forward, the wall times that are left out do not occur.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from stagepass.errors import InputError, did_you_mean

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EDGE = rf"(?:({'|'.join(_DAYS)}) )?([01]\d|2[0-3]):([0-5]\d)"
_WINDOW = re.compile(f"{_EDGE} - {_EDGE}", re.ASCII)
_LIKE = 'like "Fri 16:00 - Mon 08:00" or, for every night, "22:00 - 06:00"'
_DAY, _WEEK, _SECOND = timedelta(days=1), timedelta(weeks=1), timedelta(seconds=1)
# A zone's clock is never changed twice within 6.9 days (all 598 zones of tzdata 2026.6, 1800-2100).
_PROBE = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Nearer to the ends of the calendar, local time does not exist in every zone (OverflowError).
_FIRST = datetime(1, 1, 3, tzinfo=UTC)
_LAST = datetime(9999, 12, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """
    From `start` (inclusive) to `end` (exclusive), around the week's or the day's end if need be.

    Both count from the start of `period`: Monday 00:00 of a week, or 00:00 of a day.
    """

    text: str
    start: timedelta
    end: timedelta
    period: timedelta
    zone: ZoneInfo

    @classmethod
    def parse(cls, deny_text: str, timezone_name: str) -> Window:
        """`Fri 16:00 - Mon 08:00` or `22:00 - 06:00`, and an IANA zone. Raises `InputError`."""
        found = _WINDOW.fullmatch(deny_text)
        if not found or (found[1] is None) != (found[4] is None):
            raise InputError(f"{deny_text!r} is not a window", hint=_LIKE)
        start, end = _edge(*found.group(1, 2, 3)), _edge(*found.group(4, 5, 6))
        if start == end:
            raise InputError(
                f"the window {deny_text!r} ends where it starts",
                hint=f"two different times, {_LIKE}",
            )
        return cls(deny_text, start, end, _WEEK if found[1] else _DAY, _zone(timezone_name))

    def denies(self, moment: datetime) -> bool:
        """Whether the wall clock of the zone shows a time within, at `moment` (aware)."""
        at = self._position(_clamped(_utc(moment)))
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def next_change(self, moment: datetime) -> datetime:
        """
        The moment (UTC) after `moment` until which `denies` cannot change; never late, maybe early.

        It is the next edge of the window or, if sooner, the next change of the zone's clock.
        """
        utc = _utc(moment)
        if utc < _FIRST:
            return _FIRST
        if utc > _LAST:
            return datetime.max.replace(tzinfo=UTC)
        at = self._position(utc)
        edge = utc + min(
            (edge - at) % self.period or self.period for edge in (self.start, self.end)
        )
        return _next_shift(self.zone, utc, edge) or edge

    def _position(self, utc: datetime) -> timedelta:
        local = utc.astimezone(self.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        since = local.replace(tzinfo=None) - midnight
        return (timedelta(days=local.weekday()) + since) % self.period

    def __str__(self) -> str:
        return f"{self.text} {self.zone.key}"


def _edge(day: str | None, hours: str, minutes: str) -> timedelta:
    days = _DAYS.index(day) if day else 0
    return timedelta(days=days, hours=int(hours), minutes=int(minutes))


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _zone(name: str) -> ZoneInfo:
    """
    An IANA zone. Raises `InputError`.

    `ZoneInfo` alone would also take the machine's own `localtime` and the `right/` zones, which are
    27 seconds off: two gates would judge differently.
    """
    if name not in _zone_names():
        raise InputError(f"{name!r} is not an IANA time zone", hint=_zone_hint(name))
    return ZoneInfo(name)


def _zone_hint(name: str) -> str:
    hint = did_you_mean(name, _zone_names())
    return hint if "mean" in hint else "like Europe/Berlin or UTC"


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone would be read in the machine's own")
    return moment.astimezone(UTC)


def _clamped(utc: datetime) -> datetime:
    return min(max(utc, _FIRST), _LAST)


def _next_shift(zone: ZoneInfo, begin: datetime, end: datetime) -> datetime | None:
    """The first moment in (begin, end] at which the zone's offset differs from that at `begin`."""
    low, last = (begin - _EPOCH) // _SECOND, (end - _EPOCH) // _SECOND
    offset = _offset(zone, low)
    while low < last:
        high = min(low + _PROBE, last)
        if _offset(zone, high) != offset:
            seconds = range(low + 1, high + 1)
            first = bisect_left(seconds, True, key=lambda second: _offset(zone, second) != offset)
            return _EPOCH + seconds[first] * _SECOND
        low = high
    return None


def _offset(zone: ZoneInfo, second: int) -> timedelta | None:
    return (_EPOCH + second * _SECOND).astimezone(zone).utcoffset()
