"""The harness in short, and that it would see a wrong answer."""

from __future__ import annotations

import json

import pytest

from tests.faults.__main__ import QUICK_SECONDS, main, run
from tests.faults.result import Result, totals
from tests.faults.tally import GRANTED_SECONDS, Kind, Rules, Tally

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

    assert "not run: no such clock" in skipped.line()
    assert "total of 0" in totals([skipped])
    assert "missed" in totals([skipped])


def test_an_unknown_fault_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no such fault"]) == 2
    assert "no such fault" in capsys.readouterr().err
