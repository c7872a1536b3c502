"""The body of a request: whole and within its size, or an error that its sender gets to read."""

from __future__ import annotations

from contextlib import suppress

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import RequestEntityTooLarge

from stagepass.errors import InputError
from stagepass.review import MAX_BYTES

_STEP = 1 << 16


def read_body(request: Request) -> bytes:
    """All of it. Raises `InputError` for chunks that are none, and `RequestEntityTooLarge`."""
    # One byte over the limit: werkzeug cuts a chunked body off there, and says nothing.
    request.max_content_length = MAX_BYTES + 1
    try:
        data = request.get_data(cache=False)
        if len(data) > MAX_BYTES:
            raise RequestEntityTooLarge
    except RequestEntityTooLarge:
        _discard(request)
        raise
    except (OSError, ParseException) as error:
        raise InputError("the body broke off, or is not chunked as it says") from error
    return data


def _discard(request: Request) -> None:
    """
    Read on, for a while: a connection closed with bytes unread is reset, and the 413 lost with it.

    Not where the rest is longer than that anyway.
    """
    if (request.content_length or 0) > 2 * MAX_BYTES:
        return
    with suppress(OSError, ParseException):
        for _ in range(0, MAX_BYTES, _STEP):
            if not request.environ["wsgi.input"].read(_STEP):
                return
