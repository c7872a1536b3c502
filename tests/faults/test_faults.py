"""The harness in short, and that it would see a wrong answer."""

from __future__ import annotations

import json

import pytest

from tests.faults.__main__ import QUICK_SECONDS, main, run
from tests.faults.clock import ByTheClock
from tests.faults.policy import OneInForce
from tests.faults.result import Result, totals
from tests.faults.tally import GRANTED_SECONDS, Kind, Rules, Said, Tally

_FAULTS = (
    "registry refused",
    "registry hung",
    "registry wrong digest",
    "worker killed (-9)",
)


def test_under_each_fault_every_answer_is_explicit_and_none_is_wrong() -> None:
    results = run(_FAULTS, QUICK_SECONDS)

    for result in results:
        assert result.wrong == (), result.name
        assert result.odd == (), result.name
        assert result.sent > 0, result.name
        assert result.explicit == result.sent - result.cut, (result.name, result.errors)
        assert "NOT WELL AGAIN" not in result.note, result.name
    assert all(result.undetermined > 0 for result in results[:3]), "the registry had no fault"


def test_answers_follow_a_clock_that_is_stepped() -> None:
    """With admissions in memory, over the ends of an age and of a pass, and back before they began."""
    (result,) = run(["clock stepped"], QUICK_SECONDS)
    if result.skipped:
        pytest.skip(result.skipped)

    assert (result.wrong, result.odd, result.errors) == ((), (), ())
    assert result.explicit == result.sent > 0


def test_every_answer_is_of_one_of_the_sets_that_are_reloaded() -> None:
    (result,) = run(["1,000 policy reloads"], 0.1)

    assert (result.wrong, result.odd, result.errors) == ((), (), ())
    assert result.note.startswith("20 sets, 40 loads in 2 workers")


def _answer(allowed: bool, decision: str = "", revision: str = "a", uid: str = "u") -> bytes:
    notes = {"decision": decision, "policy-revision": revision}
    return json.dumps(
        {"response": {"uid": uid, "allowed": allowed, "auditAnnotations": notes}}
    ).encode()


@pytest.mark.parametrize(
    ("kind", "rules", "body", "wrong"),
    [
        (Kind.UNATTESTED, Rules(), _answer(True, "admitted"), True),
        (Kind.UNATTESTED, Rules(), _answer(False, "denied"), False),
        (Kind.UNATTESTED, Rules(), _answer(False, "undetermined"), False),
        (Kind.DIRECTORY, Rules(), _answer(True, "admitted"), False),
        (Kind.DIRECTORY, Rules(), _answer(False, "denied"), True),
        (Kind.DIRECTORY, Rules(hidden=True), _answer(False, "denied"), True),
        (Kind.REGISTRY, Rules(), _answer(False, "denied"), True),
        (Kind.REGISTRY, Rules(), _answer(False, "undetermined"), False),
        (Kind.REGISTRY, Rules(hidden=True), _answer(False, "denied"), False),
        (Kind.DIRECTORY, Rules(stricter=frozenset("a")), _answer(True, "admitted"), True),
        (Kind.DIRECTORY, Rules(stricter=frozenset("a")), _answer(False, "denied"), False),
        (Kind.DIRECTORY, Rules(known=frozenset("b")), _answer(True, "admitted"), True),
    ],
)
def test_what_counts_as_wrong(kind: Kind, rules: Rules, body: bytes, wrong: bool) -> None:
    tally = Tally(rules)

    tally.answered(kind, "u", 200, body, 0.1)

    assert (tally.explicit, bool(tally.wrong)) == (1, wrong)


def _said(allowed: bool, revision: str = "a", text: str = "", codes: str = "") -> Said:
    """Of an image attested by directory, asked about from 10 to 11."""
    decision = "admitted" if allowed else "denied"
    return Said(Kind.DIRECTORY, allowed, decision, codes, revision, text, 10.0, 11.0)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (_said(False, "even", "scan-0"), False),
        (_said(True, "odd"), False),
        (_said(True, "even"), True),
        (_said(False, "odd", "scan-0"), True),
        (_said(False, "even", "scan-2"), True),
        (_said(False, "even", ""), True),
        (_said(False, "later", "scan-2"), True),
        (_said(True, "nobody's"), True),
    ],
)
def test_an_answer_is_of_one_policy_set_that_was_in_force(said: Said, wrong: bool) -> None:
    """Set 0 wants a scan and was there from 1 on, set 1 from 9 on, set 2 from 12 on."""
    rules = OneInForce(
        stricter=frozenset({"even", "later"}), revisions={"even": 0, "odd": 1, "later": 2}
    )
    rules.written.extend((1.0, 9.0, 12.0))

    assert bool(rules.problem(said)) is wrong


def test_an_answer_of_a_set_that_no_worker_had_any_more_is_wrong() -> None:
    rules = OneInForce(stricter=frozenset({"even"}), revisions={"even": 0, "odd": 1})
    rules.written.extend((1.0, 9.0))
    rules.replaced.append(9.9)

    assert "no worker had" in rules.problem(_said(False, "even", "scan-0"))
    assert rules.problem(_said(True, "odd")) == ""


@pytest.mark.parametrize(
    ("steps", "said", "wrong"),
    [
        ([(1.0, 2.0)], _said(True), False),
        ([(1.0, 4.0)], _said(False, codes="STALE"), False),
        ([(1.0, 4.0)], _said(True), True),
        ([(1.0, 2.0), (9.0, -2.0)], _said(True), True),
        ([(1.0, 2.0), (10.5, -2.0)], _said(True), False),
        ([(1.0, 2.0), (9.0, -2.0)], _said(False, codes="STALE"), True),
        ([(1.0, 2.0)], _said(False, codes="STALE"), True),
    ],
)
def test_an_answer_is_that_of_the_hour(
    steps: list[tuple[float, float]], said: Said, wrong: bool
) -> None:
    rules = ByTheClock(steps=steps)

    assert bool(rules.problem(said)) is wrong


@pytest.mark.parametrize(
    ("status", "body", "seconds"),
    [
        (200, _answer(False, "denied", uid="another"), 0.1),
        (500, _answer(False, "denied"), 0.1),
        (200, b"{}", 0.1),
        (200, b"not JSON", 0.1),
        (200, _answer(False, "denied"), GRANTED_SECONDS + 0.1),
    ],
)
def test_what_is_no_explicit_answer(status: int, body: bytes, seconds: float) -> None:
    tally = Tally()

    tally.answered(Kind.UNATTESTED, "u", status, body, seconds)

    assert (tally.explicit, len(tally.odd)) == (0, 1)


def test_only_what_a_fault_cuts_is_laid_at_its_door() -> None:
    tally = Tally()
    for begun, at in ((1.0, 5.1), (5.1, 5.15), (1.0, 4.9), (1.0, 9.0), (5.3, 5.4)):
        tally.failed(begun, at, OSError("reset"))

    assert tally.cut([(5.0, 5.2)]) == 2


def test_what_was_not_run_counts_as_nothing() -> None:
    skipped = Result("clock", skipped="no such clock")

    assert "NOT RUN: no such clock" in skipped.line()
    assert "total of 0" in totals([skipped])
    assert "missed" in totals([skipped])


def test_an_unknown_fault_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no such fault"]) == 2
    assert "no such fault" in capsys.readouterr().err
