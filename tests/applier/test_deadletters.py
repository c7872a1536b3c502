"""Dead letters as data: their names, what people ask for, and when they have no cause any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from applier.deadletters import Letter, LetterState, why_gone
from applier.failure import Failure, Reason
from applier.state import State, Trouble, Version
from stagepass.errors import InputError

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
GOOD, BAD, NEW = (Version(c * 40, c.upper() * 40) for c in "abc")


def trouble(reason: Reason, version: Version = BAD) -> Trouble:
    return Trouble.of(Failure(reason, "why"), version, NOON, None)


def letter(reason: Reason = Reason.UNHEALTHY, version: Version = BAD) -> Letter:
    return Letter.of("shop.test", replace(trouble(reason, version), attempts=4))


def test_the_name_is_of_what_it_is_about_alone() -> None:
    """So a second write of the same letter finds the first."""
    later = replace(letter(), last=NOON + timedelta(hours=1), attempts=9, message="other words")
    assert later.name == letter().name

    others = [
        letter(Reason.CONFLICT),
        letter(version=NEW),
        replace(letter(), application="shop-test"),
    ]
    assert len({letter().name, *(each.name for each in others)}) == 4


def test_a_name_is_one_that_kubernetes_takes() -> None:
    odd = replace(letter(), application="Ünder_score" * 20 + ".test").name
    assert len(odd) <= 253
    assert odd.isascii()
    assert odd.strip("-") == odd
    assert set(odd) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_it_reads_what_it_wrote() -> None:
    asked = replace(letter(), redrive="now", redriven="now", closing="", because="")
    spec = {**asked.spec(), "redrive": "now"}
    assert Letter.read(spec, asked.status()) == asked


def test_a_letter_whose_writing_was_cut_off_is_open() -> None:
    found = Letter.read(letter().spec(), {})
    assert (found.name, found.is_open, found.attempts) == (letter().name, True, 0)


@pytest.mark.parametrize("spec", [{}, {"application": "a", "reason": "NO_SUCH", "revision": {}}])
def test_what_nobody_wrote_is_refused(spec: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Letter.read(spec, {})


def test_what_was_closed_is_not_opened_again() -> None:
    closed = replace(letter(), closing="nobody wants it").closed()
    assert letter().again(closed) == closed
    asked = replace(letter(), closing="nobody wants it")
    assert letter().again(asked) == asked


def test_what_was_resolved_opens_again_with_its_first_time() -> None:
    before = replace(letter(), first=NOON - timedelta(days=1)).resolved("fixed")
    again = letter().again(before)
    assert (again.state, again.first) == (LetterState.OPEN, before.first)
    assert again.because == ""


def test_a_redrive_counts_once() -> None:
    asked = replace(letter(), redrive="2")
    assert asked.is_redriven
    assert not replace(asked, redriven="2").is_redriven
    assert not replace(asked, closing="no").is_redriven


@pytest.mark.parametrize(
    ("state", "gone"),
    [
        (State(applied=BAD), True),
        (State(), False),  # a redrive begins: nothing is known yet
        (State(applied=GOOD, trouble=trouble(Reason.UNHEALTHY)), False),
        (State(applied=GOOD, trouble=trouble(Reason.API_UNAVAILABLE)), False),
        (State(applied=GOOD, trouble=trouble(Reason.GIT_UNAVAILABLE, GOOD)), False),
        (State(applied=GOOD, trouble=trouble(Reason.UNHEALTHY, GOOD)), False),
        (State(applied=BAD, trouble=trouble(Reason.PROGRESSING)), False),
        (State(applied=BAD, trouble=trouble(Reason.SOAKING)), True),
        (State(applied=BAD, trouble=trouble(Reason.NOTHING_RAN)), True),
        (State(applied=BAD, trouble=trouble(Reason.NOT_AS_RELEASED)), True),
        (State(applied=GOOD, trouble=trouble(Reason.SOAKING, GOOD)), True),  # taken back
        (State(trouble=trouble(Reason.PROGRESSING, NEW)).overtaken(BAD, NEW, NOON, "Watch"), True),
    ],
)
def test_a_letter_lives_as_long_as_its_cause(state: State, gone: bool) -> None:
    assert bool(why_gone(letter(), state)) is gone


def test_another_try_that_gets_further_resolves() -> None:
    state = State(applied=GOOD, trouble=trouble(Reason.NOT_ADMITTED))
    assert why_gone(letter(Reason.RENDER_FAILED), state)
    assert not why_gone(letter(Reason.CONFLICT), state)
