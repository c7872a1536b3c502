from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagepass.errors import InputError
from stagepass.policy.expression import Condition, ConditionError

NOW = datetime(2026, 11, 2, 8, 5, 3, tzinfo=UTC)
NAME, DIGEST = "registry.example.com/shop/web", f"sha256:{'ab' * 32}"
TESTED = (
    'predicate.result == "PASSED" && timestamp(predicate.finishedOn) > now - duration("24h")'
    " && predicate.tests.all(t, t.failed == 0)"
)
REPORT = {
    "result": "PASSED",
    "finishedOn": "2026-11-02T00:00:00Z",
    "tests": [{"failed": 0}, {"failed": 0}],
}


def judged(text: str, predicate: dict[str, Any], now: datetime = NOW) -> bool:
    return Condition.compile(text).judge(predicate, name=NAME, digest=DIGEST, now=now)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("text", "predicate", "answer"),
    [
        (TESTED, REPORT, True),
        (TESTED, REPORT | {"result": "FAILED"}, False),
        (TESTED, REPORT | {"finishedOn": "2026-11-01T08:05:03Z"}, False),
        (TESTED, REPORT | {"tests": [{"failed": 0}, {"failed": 1}]}, False),
        (TESTED, REPORT | {"tests": []}, True),  # every one of none: ask for size() as well
        ("predicate.n == 0", {"n": 0.0}, True),  # JSON has one kind of number
        ("predicate.n == 1", {"n": True}, False),
        ("predicate.n == 1", {"n": None}, False),
        ("predicate.n > 0", {"n": 2**64 - 1}, True),
        ("predicate.n == predicate.n", {"n": float("nan")}, False),
        ("predicate.ok", {"ok": True}, True),
        ("!has(predicate.a)", {}, True),
        ("predicate.a == 1 || true", {}, True),  # CEL: what cannot matter may fail
        ("predicate.a == 1 && false", {}, False),
        ('predicate["a-b"].c[1] == "x"', {"a-b": {"c": [0, "x"]}}, True),
        ("size(predicate.critical) == 0", {"critical": []}, True),
        ("predicate.a == 1 &&\n// the other half\n predicate.b == 2", {"a": 1, "b": 3}, False),
        (f'subject.name == "{NAME}" && subject.digest == "{DIGEST}"', {}, True),
        ('now == timestamp("2026-11-02T08:05:03Z")', {}, True),
        ('now.getDayOfWeek("Europe/Berlin") == 1', {}, True),
        ('predicate.s.matches("^(a+)+$")', {"s": "a" * 100_000 + "b"}, False),  # linear: RE2
        ("predicate == predicate", nested(64), True),
        ("&&".join(["true"] * 600), {}, True),
        ("!" * 4_000 + "true", {}, True),
    ],
)
def test_a_condition_is_true_or_false(text: str, predicate: dict[str, Any], answer: bool) -> None:
    assert judged(text, predicate) is answer


@pytest.mark.parametrize(
    ("text", "predicate", "message"),
    [
        ("predicate.a == 1", {}, 'Key not found in map : "a"'),
        ("predicate.a != 1", {}, 'Key not found in map : "a"'),
        ("predicate.a.b == 1", {"a": None}, ""),
        ("predicate.a.b == 1", {"a": "text"}, ""),
        ("predicate.a[1] == 1", {"a": [1]}, "index"),
        ("!predicate.l.exists(x, x.failed > 0)", {"l": [{}]}, "failed"),
        ("predicate.n > 0", {"n": "1"}, "overload"),
        ("predicate.n > 0", {"n": 2**64}, "out of range"),
        ("predicate.n + 1 > 0", {"n": 2**63 - 1}, "overflow"),
        ("1 / predicate.n == 1", {"n": 0}, "divide by zero"),
        ("predicate.ok ? true : false", {"ok": "true"}, "overload"),
        ("timestamp(predicate.t) > now", {"t": "yesterday"}, "Timestamp"),
        ("predicate.s.matches(predicate.r)", {"s": "aa", "r": r"(a)\1"}, "regular expression"),
        ("predicate.s == 'x'", {"s": "\ud800"}, ""),
        ("predicate.s == 'x'", {"\ud800": "x"}, ""),
        ("predicate.s == 'x'", {"s": (1, 2)}, "tuple"),
        ("subject.tag == 'x'", {}, 'Key not found in map : "tag"'),
        ("predicate.ok", {"ok": "true"}, "answers a STRING, not true or false"),
        ("predicate.ok", {"ok": 1}, "answers a INT, not true or false"),
        ("predicate.ok", {"ok": None}, "answers a NULL, not true or false"),
        ("predicate", {"ok": True}, "not true or false"),
        ("predicate.l.all(x, x >= 0)", {"l": list(range(10_000))}, "Iteration budget exceeded"),
        (
            "predicate.l.all(a, predicate.l.all(b, predicate.l.all(c, a + b + c < 1000)))",
            {"l": list(range(200))},
            "too large for this condition",
        ),
        ("predicate.s == 'PASSED'", {"s": "PASSED\0x"}, "NUL"),  # the engine cuts there
        ("predicate.PASSED", {"PASSED\0x": True}, "NUL"),
        ("predicate.l[0].s == 'x'", {"l": [{"s": "x", "other": ["\0"]}]}, "NUL"),
        ("true", nested(65), "more than 64 levels deep"),
        ("true", nested(20_000), "more than 64 levels deep"),
        ("true", {"a": [[[nested(62)]]]}, "more than 64 levels deep"),
    ],
)
def test_no_verdict_is_never_a_yes(text: str, predicate: dict[str, Any], message: str) -> None:
    """The engine answers errors as truthy texts, or raises."""
    condition = Condition.compile(text)

    with pytest.raises(ConditionError) as caught:
        condition.judge(predicate, name=NAME, digest=DIGEST, now=NOW)

    assert message.lower() in str(caught.value).lower()
    assert str(caught.value) == caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CEL condition: line 1, column 1"),
        ("predicate.a ==", "not a CEL condition: line 1, column 15"),
        ("predicate.a and true", "mismatched input 'and'"),
        ("true\0 && false", "not a CEL condition"),
        ("predicat.a == 1", "'predicat.a' (did you mean 'predicate'?)"),
        ("image == 'x'", "undeclared reference to 'image' (variables: predicate, subject, now"),
        ("subject.name == 1", "no matching overload for '_==_' applied to '(string, int)'"),
        ("now", "this one is a TIMESTAMP"),
        ("'true'", "this one is a STRING"),
        ("null", "this one is a NULL"),
        ("[true]", "this one is a LIST"),
        (f"{'(' * 2_000}true{')' * 2_000}", "recursion limit exceeded"),
        (f"{'(' * 5_000}true{')' * 5_000}", "10004 bytes; at most 4096"),
        (f"{'1+' * 1_000}1 > 0", "recursion"),
        (f"predicate{'.a' * 2_000} == 1", "recursion"),
        (f"'{'é' * 2_050}' == ''", "4108 bytes; at most 4096"),
        ("'\ud800' == predicate.s", "half a surrogate pair"),
        ("predicate.a == 1 // always && predicate.b == 2", "ends inside a // comment"),
        ("predicate.a == 1 //\n", "ends inside a // comment"),
    ],
)
def test_what_is_no_question_on_declared_names_does_not_compile(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Condition.compile(text)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_slashes_in_a_string_are_no_comment() -> None:
    text = 'predicate.builder.id == "https://ci.example.com/builder"'

    assert judged(text, {"builder": {"id": "https://ci.example.com/builder"}})
    assert not judged(text, {"builder": {"id": "https:"}})


def test_a_condition_is_its_text() -> None:
    one, same, other = (Condition.compile(text) for text in ("true", "true", "false"))

    assert one == same
    assert one != other
    assert {one, same, other} == {one, other}
    assert repr(one) == "Condition(text='true')"


def test_now_is_one_moment_in_every_zone() -> None:
    text = 'now == timestamp("2026-11-02T08:05:03Z")'

    assert judged(text, {}, NOW.astimezone(timezone(timedelta(hours=5, minutes=30))))


def test_an_error_is_cut_to_one_line() -> None:
    """A signer chooses the text that an error may quote."""
    with pytest.raises(ConditionError) as caught:
        judged("predicate[predicate.k] == 1", {"k": "line\nfeed" * 10_000})

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 320


def test_threads_share_one_condition() -> None:
    """Eight threads, which the interpreter switches as often as it can, get their own answers."""
    condition = Condition.compile('predicate.l.all(x, x == predicate.n) && subject.name == "7"')

    def run(thread: int) -> list[bool]:
        wrong = {"l": [thread] * 20, "n": -1}
        right = {"l": [thread] * 20, "n": thread}
        return [
            condition.judge(predicate, name=str(thread), digest=DIGEST, now=NOW)
            for _ in range(250)
            for predicate in (right, wrong)
        ]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(run, range(8)))
    finally:
        sys.setswitchinterval(interval)

    assert answers == [[thread == 7, False] * 250 for thread in range(8)]


@pytest.mark.parametrize("value", [None, [None], {"a": None}, "text", 7, 1.5, True, False])
def test_judging_leaves_no_reference_behind_and_takes_none(value: Any) -> None:
    """A None released once too often, some thousand times, aborts the interpreter."""
    condition = Condition.compile("predicate.ok")
    watched: list[object] = [None, True, False, value]

    def judge_often() -> None:
        for _ in range(1_000):
            with suppress(ConditionError):
                condition.judge({"ok": value}, name=NAME, digest=DIGEST, now=NOW)

    judge_often()
    before = [sys.getrefcount(each) for each in watched]
    judge_often()

    after = [sys.getrefcount(each) for each in watched]
    assert [abs(a - b) < 500 for a, b in zip(after, before, strict=True)] == [True] * 4


_WHATEVER = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "failed", "\ud800"]), inner, max_size=4)
    ),
    max_leaves=12,
)
_CONDITIONS = [
    "predicate.a.b",
    "predicate.a || predicate.b",
    "predicate.a != predicate.b",
    "!(predicate.a == 1)",
    "predicate.a > predicate.b",
    "predicate.a.all(t, t.failed == 0)",
    "predicate.a.exists(t, t == predicate.b)",
    "predicate.a in predicate.b",
    "string(predicate.a) == 'x'",
    "timestamp(predicate.a) < now",
    "predicate.a.matches(predicate.b)",
    "has(predicate.a.b) ? predicate.a.b : predicate.b",
]


@pytest.mark.parametrize("text", _CONDITIONS)
@settings(deadline=None, max_examples=60)
@given(a=_WHATEVER, b=_WHATEVER)
def test_whatever_a_signer_writes_there_is_a_verdict_or_an_error(text: str, a: Any, b: Any) -> None:
    condition = Condition.compile(text)

    try:
        answer = condition.judge({"a": a, "b": b}, name=NAME, digest=DIGEST, now=NOW)
    except ConditionError:
        return
    assert type(answer) is bool


@settings(deadline=None, max_examples=100)
@given(predicate=st.dictionaries(st.sampled_from(["a", "b"]), _WHATEVER))
def test_an_error_is_never_a_yes(predicate: dict[str, Any]) -> None:
    """Beside an error, only a condition that holds without it is true."""
    failing = "predicate.missing == 1"

    for text in (failing, f"!({failing})", f"{failing} && true", f"{failing} || false"):
        with pytest.raises(ConditionError):
            judged(text, predicate)


@settings(deadline=None, max_examples=100)
@given(value=_WHATEVER)
def test_only_true_is_a_yes(value: Any) -> None:
    try:
        answer = judged("predicate.ok", {"ok": value})
    except ConditionError:
        assert type(value) is not bool
    else:
        assert answer is value


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60) | st.text("predicat.now()[]{}&|!=?:'\"/\\ \n", max_size=60))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        condition = Condition.compile(text)
    except InputError:
        return
    assert condition.text == text
