"""What judging a condition could cost: bounded before it is begun, and generous to honest reports."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.policy.expression import Condition, ConditionError
from stagepass.policy.expression_cost import Cost
from tests.policy.test_expression import DIGEST, NAME, NOW

_MEGABYTE = 1 << 20
_NUMBERS = list(range(9_000))
DEAR: list[tuple[str, dict[str, Any]]] = [
    ('predicate.l.all(x, !predicate.s.matches("(a|b|c|aa)*d"))', {"s": "a" * _MEGABYTE}),
    ('predicate.l.all(x, !predicate.s.contains("b"))', {"s": "a" * _MEGABYTE}),
    ("predicate.l.all(x, size(predicate.s + predicate.s) > 0)", {"s": "a" * _MEGABYTE}),
    ("predicate.l.all(x, x in predicate.l)", {}),
    ("predicate.l.all(x, predicate.l.exists(y, y == x))", {}),
    ("predicate.l.all(x, predicate.l == predicate.l)", {}),
    ("predicate.l.map(x, predicate.l).all(x, x == x)", {}),
    ("predicate.l.map(x, x).size() > 0", {}),
    ("predicate.l.all(x, x.filter(y, true).size() > 0)", {"l": [[0] * 5_000] * 2}),
    (f"[predicate.s]{'.map(a, a + a)' * 24}.size() == 1", {"s": "a" * 99}),
    ('predicate.s.matches("((x?){31}){31}y")', {"s": "x" * 100_000}),
    ("predicate.s.matches(predicate.r)", {"s": "x" * 9_000, "r": "((x?){31}){31}y"}),
    ("predicate.l.all(x, x.matches('((x?){31}){31}y'))", {"l": ["x" * 99] * 9_000}),
    (f"[{','.join(['predicate.s'] * 300)}].all(x, x.matches('(a|b|aa)*d'))", {"s": "a" * 99_999}),
    (" + ".join(["predicate.s"] * 20) + " == ''", {"s": "a" * _MEGABYTE}),
    (" && ".join(["predicate.l == predicate.l"] * 130), {"l": [0] * 300_000}),
]


@pytest.mark.parametrize(("text", "predicate"), DEAR)
def test_what_could_take_long_is_not_begun(text: str, predicate: dict[str, Any]) -> None:
    """The engine counts loop steps, not what each of them reads: the first ran for 43 s."""
    condition = Condition.compile(text)

    with pytest.raises(ConditionError, match="too large for this condition"):
        condition.judge({"l": _NUMBERS} | predicate, name=NAME, digest=DIGEST, now=NOW)


REPORT_OF_A_SCAN = {
    "builder": {"id": "https://ci.example.com/builder"},
    "allowed": [f"CVE-2026-{index:05}" for index in range(50)],
    "vulnerabilities": [
        {"id": f"CVE-2026-{index:05}", "severity": "LOW", "description": "d" * 500}
        for index in range(1_200)
    ],
}


@pytest.mark.parametrize(
    "text",
    [
        'predicate.vulnerabilities.all(v, v.severity != "CRITICAL" && v.severity != "HIGH")',
        'size(predicate.vulnerabilities.filter(v, v.severity == "CRITICAL")) == 0',
        'predicate.vulnerabilities.map(v, v.severity).all(s, s in ["LOW", "MEDIUM"])',
        'predicate.builder.id.matches("^https://ci[.]example[.]com/[a-z]+$")',
    ],
)
def test_an_honest_report_of_700_kb_is_judged(text: str) -> None:
    condition = Condition.compile(text)
    assert condition.judge(REPORT_OF_A_SCAN, name=NAME, digest=DIGEST, now=NOW)


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("predicate.a == 1", Cost(1, 0, 0, 0, 0, 1, 0)),
        ("predicate.a.all(x, x == 1)", Cost(2, 0, 1, 0, 0, 2, 0)),
        ("predicate.a.all(x, x in predicate.b)", Cost(2, 0, 1, 1, 0, 2, 0)),
        ("predicate.a.all(x, x.predicate == 1)", Cost(2, 0, 1, 0, 0, 2, 0)),
        ("predicate.a.all(x, x.b.all(y, y == 1))", Cost(3, 0, 2, 0, 0, 3, 0)),
        ("predicate.a.all(x, x.b.all(y, y == x))", Cost(3, 0, 2, 1, 0, 3, 0)),
        (
            "predicate.a.all(x, x == predicate) && predicate.b.all(x, x == predicate)",
            Cost(4, 0, 2, 1, 0, 3, 0),
        ),
        ("predicate.a.map(x, predicate).all(x, x == predicate)", Cost(3, 0, 2, 2, 1, 3, 0)),
        ("predicate.a.all(x, x.b in ['c', 'd'])", Cost(2, 0, 1, 0, 0, 3, 0)),
        ("predicate.a.map(x, [x, x]).size() == 1", Cost(3, 0, 1, 1, 1, 3, 0)),
        ("predicate.a.all(x, x[x.b] == 1)", Cost(2, 0, 1, 0, 0, 2, 0)),
        ("[predicate].all(x, x == 1)", Cost(2, 0, 1, 1, 0, 2, 0)),
        (
            "predicate.a == '.all(x, x + predicate)' // .all(x, predicate)\n",
            Cost(1, 0, 0, 0, 0, 1, 0),
        ),
        (r"predicate.a == '\' + ' && predicate.b == r'\' + predicate.c", Cost(3, 0, 0, 0, 0, 1, 1)),
        ("predicate.a.filter(x, x == 1).size() == 0", Cost(4, 0, 1, 0, 1, 2, 0)),
        ("predicate.a.all(x, x.map(y, y) == [])", Cost(3, 0, 2, 0, 10_000, 3, 0)),
        ("predicate.a.matches('[a-z]{3}')", Cost(1, 30, 0, 0, 0, 1, 0)),
        ("matches(predicate.a, predicate.b)", Cost(1, None, 0, 0, 0, 2, 0)),
    ],
)
def test_the_cost_of_a_text_is_read_from_its_words(text: str, cost: Cost) -> None:
    assert Cost.of(text.replace("\\", "\\")) == cost
