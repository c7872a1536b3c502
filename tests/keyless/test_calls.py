"""Calls of a library that has no time limit of its own, and speaks to the terminal."""

from __future__ import annotations

import logging
import threading
import time
import warnings

import pytest

from stagepass.errors import InputError, Unavailable
from stagepass.keyless.calls import call, local_or_https


def test_who_hangs_is_not_waited_for() -> None:
    gate = threading.Event()
    start = time.monotonic()
    try:
        with pytest.raises(Unavailable, match=r"no answer within 0\.2 seconds") as caught:
            call(gate.wait, "the authority", 0.2)
    finally:
        gate.set()
    assert caught.value.code == "DEADLINE"
    assert time.monotonic() - start < 5


def test_what_a_library_says_is_kept_from_the_terminal_and_handed_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = list(logging.getLogger().handlers)

    def talking() -> int:
        logging.getLogger("some.library").warning("no stamp\x1b[2J from %s", "there")
        warnings.warn("deprecated", stacklevel=1)
        return 7

    assert call(talking, "the authority") == (7, ["no stamp?[2J from there"])
    assert logging.getLogger().handlers == before
    assert capfd.readouterr() == ("", "")


def test_an_error_of_ours_goes_through_as_it_is() -> None:
    error = InputError("set up wrongly", hint="so")

    def failing() -> None:
        raise error

    with pytest.raises(InputError) as caught:
        call(failing, "the authority")
    assert caught.value is error
    assert error.__cause__ is None


def test_any_other_error_is_could_not_find_out() -> None:
    def failing() -> None:
        raise KeyError("signedCertificateEmbeddedSct")

    with pytest.raises(Unavailable, match="KeyError: 'signedCertificateEmbeddedSct'"):
        call(failing, "the authority")


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("https://ca.example.com", True),
        ("http://127.0.0.1:80", True),
        ("http://[::1]:80", True),
        ("http://127.0.0.1.example.com", False),
        ("http://ca.example.com", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_a_secret_goes_nowhere_in_the_clear(url: str, is_fine: bool) -> None:
    if is_fine:
        local_or_https(url, "here")
        return
    with pytest.raises(InputError, match="is no https URL"):
        local_or_https(url, "here")
