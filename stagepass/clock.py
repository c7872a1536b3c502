"""
Points in time and spans of it, as policy files and statements write them.

Nothing here reads a clock: `now` is an argument everywhere, and only the composition roots (CLI,
webhook) ask the machine for it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from stagepass.errors import InputError

# RFC 3339 UTC with `Z`, nothing else (predicates.md): an offset or a missing zone is an error.
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_DURATION = re.compile(r"(?:\d{1,6}[dhms])+", re.ASCII)
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
# Long enough for any policy, and short enough that adding it to a time of ours cannot overflow.
_MAX_DAYS = 36_500

SKEW = timedelta(minutes=5)
"""How far ahead of us a signer's clock may be (DESIGN section 4, *Time*)."""


def parse_time(text: object) -> datetime:
    """`2026-11-02T08:05:03Z` as an aware UTC datetime (nanoseconds cut to micro). Raises `InputError`."""
    if not isinstance(text, str) or not _TIMESTAMP.fullmatch(text):
        raise InputError(
            f"{text!r} is not an RFC 3339 time in UTC", hint="like 2026-11-02T08:05:03Z"
        )
    whole, _, fraction = text.removesuffix("Z").partition(".")
    try:
        moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(f"{text!r} is not a date and time: {error}") from error
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction else moment


def format_time(moment: datetime) -> str:
    """Whole seconds, UTC, `Z`: the only form we write."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_duration(text: object) -> timedelta:
    """`90s`, `15m`, `24h`, `30d` or a sequence of them (`1d12h`). Raises `InputError`."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise InputError(f"{text!r} is not a duration", hint="like 90s, 15m, 24h or 30d")
    parts = re.findall(r"(\d+)([dhms])", text)
    seconds = sum(int(count) * _UNITS[unit] for count, unit in parts)
    if seconds > _MAX_DAYS * _UNITS["d"]:
        raise InputError(f"{text[:20]!r} is too long", hint=f"at most {_MAX_DAYS}d")
    return timedelta(seconds=seconds)


def format_duration(span: timedelta) -> str:
    """The shortest exact form `parse_duration` reads back; fractions of a second are dropped."""
    rest, parts = int(span.total_seconds()), []
    for unit, seconds in _UNITS.items():
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
