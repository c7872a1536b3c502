"""The body of a request: whole and within its size, or an error that its sender gets to read."""

from __future__ import annotations

from contextlib import suppress
from wsgiref.types import WSGIEnvironment

from gunicorn.http.errors import ParseException

from stagepass.errors import InputError
from stagepass.review import MAX_BYTES

_STEP = 1 << 16


class TooLarge(Exception):
    """The body has over `MAX_BYTES` bytes, or says so."""


def read_body(environ: WSGIEnvironment) -> bytes:
    """All of it, as gunicorn frames it. Raises `InputError` where it breaks off, and `TooLarge`."""
    announced = environ.get("CONTENT_LENGTH")
    # Of chunks nobody knows how many there are: one byte over the limit is enough to know.
    length = MAX_BYTES + 1 if announced is None else _length(announced)
    try:
        data: bytes = environ["wsgi.input"].read(length) if length <= MAX_BYTES + 1 else b""
    except (OSError, ParseException) as error:
        raise InputError("the body broke off, or is not chunked as it says") from error
    if length > MAX_BYTES and (announced or len(data) > MAX_BYTES):
        _discard(environ, length)
        raise TooLarge
    if announced and len(data) < length:
        raise InputError("the body broke off")
    return data


def _length(announced: str) -> int:
    try:
        return int(announced)
    except ValueError as error:
        raise InputError("Content-Length is not a number") from error


def _discard(environ: WSGIEnvironment, length: int) -> None:
    """
    Read on, for a while: a connection closed with bytes unread is reset, and the 413 lost with it.

    Not where the rest is longer than that anyway.
    """
    if length > 2 * MAX_BYTES:
        return
    with suppress(OSError, ParseException):
        for _ in range(0, MAX_BYTES, _STEP):
            if not environ["wsgi.input"].read(_STEP):
                return
