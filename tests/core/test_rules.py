"""The table of rules does not rot: it is whole, names real tests, and gives a reason for each difference."""

from __future__ import annotations

import ast
import json
from functools import cache

import pytest

from tests.core.rule import ACCEPT, Rule, Verdict
from tests.core.rules import RULES
from tests.core.test_cosign import CASES, FIXTURES, LOOSER, STRICTER, counts
from tests.registry.test_judged_manifests import NOT_LISTED, STRICTER_BY_API, STRICTER_BY_TAG
from tests.repository.sources import ROOT

IDS = [
    *(f"R{number}" for number in range(1, 18)),
    *(f"A{number:02}" for number in range(1, 29)),
    *(f"L{number}" for number in range(1, 5)),
]
JUDGED: dict[str, bool] = {
    case["name"]: case["verifyAttestation"]
    for case in map(
        json.loads, (FIXTURES / "judged-by-cosign/cases.jsonl").read_text().splitlines()
    )
}
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


@cache
def named_in(path: str) -> frozenset[str]:
    """`test_x` and `TestX::test_x` of one file."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            functions = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found.update(f"{node.name}::{each.name}" for each in functions)
    return frozenset(name for name in found if name.split("::")[-1].startswith("test_"))


def missing(node_id: str) -> bool:
    path, _, name = node_id.partition("::")
    return not (ROOT / path).is_file() or name not in named_in(path)


def test_every_rule_is_in_the_table_once() -> None:
    assert sorted(rule.id for rule in RULES) == sorted(IDS)


@every_rule
def test_every_rule_says_what_it_is_about_and_names_tests_that_exist(rule: Rule) -> None:
    assert rule.what.strip()
    assert rule.tests
    assert [node_id for node_id in rule.tests if missing(node_id)] == []
    assert len(set(rule.tests)) == len(rule.tests)


@pytest.mark.parametrize(
    "node_id",
    [
        "tests/core/test_none.py::test_x",
        "tests/core/test_rules.py::test_none",
        "tests/core/test_rules.py::missing",
        "tests/core/test_rules.py",
    ],
)
def test_a_name_of_no_test_is_found_out(node_id: str) -> None:
    assert missing(node_id)
    assert not missing("tests/core/test_rules.py::test_every_rule_is_in_the_table_once")


@every_rule
def test_where_we_differ_from_cosign_there_is_a_reason_and_nowhere_else(rule: Rule) -> None:
    assert bool(rule.reason.strip()) is rule.differs


@every_rule
def test_both_verdicts_are_those_of_the_judged_variations(rule: Rule) -> None:
    """Ours is judged here for bundles; for manifests a registry is needed (`test_judged_manifests`)."""
    assert {_verdict(JUDGED[name]) for name in rule.judged} <= {rule.cosign}
    ours = {_verdict(counts(CASES[name])) for name in rule.judged if name in CASES}
    assert ours <= {rule.verdict}


def test_rules_stand_on_both_sides() -> None:
    assert {rule.id for rule in RULES if rule.differs} >= {"R1", "R8", "A02", "A03", "A26", "L2"}
    assert sum(bool(rule.judged) for rule in RULES) >= 35


def test_every_judged_bundle_on_which_we_differ_has_its_reason() -> None:
    differing = {n for n, c in CASES.items() if counts(c) is not c["verifyAttestation"]}
    reasons = {**STRICTER, **LOOSER}

    assert differing == reasons.keys()
    assert [name for name, reason in reasons.items() if not reason.strip()] == []


def test_every_judged_manifest_on_which_we_may_differ_has_its_reason() -> None:
    """That there is no other difference, `test_judged_manifests` finds out with a registry."""
    for reasons in (STRICTER_BY_TAG, STRICTER_BY_API, NOT_LISTED):
        assert [name for name, reason in reasons.items() if not reason.strip()] == []
        assert all(JUDGED[f"manifest: {name}"] for name in reasons)


def test_every_variation_that_was_judged_is_one_of_a_bundle_or_a_manifest() -> None:
    manifests = [name for name in JUDGED if name.startswith("manifest: ")]

    assert len(JUDGED) == 147
    assert len(CASES) + len(manifests) == len(JUDGED)


def _verdict(counted: bool) -> Verdict:
    return ACCEPT if counted else Verdict.REFUSE
