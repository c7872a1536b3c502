"""What `policy diff` promises of an effect, held against the code that decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stagepass.attestor import KeyRing, PublicKey
from stagepass.clock import format_time
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Candidate, Evidence
from stagepass.policy.diff import diff
from stagepass.policy.diff_rules import Effect
from stagepass.policy.evaluate import evaluate
from stagepass.policy.load import PolicyError
from stagepass.policy.model import PolicySet
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import APPROVAL, BREAK_GLASS, STAGE_ENTERED, Scope
from stagepass.predicates.people import APPROVED, Approval, BreakGlass
from stagepass.stage import Place
from tests.policy_tools.changes import STRANGER, TABLE
from tests.policy_tools.full import KEYS, full_set
from tests.property.worlds import LAW
from tests.world import (
    DAY,
    DIGEST,
    DROP,
    HOUR,
    IMAGE,
    NOW,
    PROVENANCE,
    VULNERABILITIES,
    signed,
    signed_pass,
    signer,
    statement,
)

SCOPE = Scope("shop", "production", None, None)
UID = {"environment.cluster": "6f1c"}


def _approval(by: str, at: datetime) -> bytes:
    claim = Approval(APPROVED, SCOPE, at, at + 60 * DAY)
    return signed(statement(APPROVAL, claim.compose()), by)


def _scan(found: str, at: datetime) -> bytes:
    predicate = f'{{"critical": [{found}], "scanned": "{format_time(at)}"}}'
    return signed(statement(VULNERABILITIES, predicate.encode()), "scanner")


def _emergency(by: str, span: Any) -> bytes:
    claim = BreakGlass(SCOPE, "it burns", NOW - HOUR, NOW - HOUR + span)
    return signed(statement(BREAK_GLASS, claim.compose()), by)


def _receipt() -> bytes:
    where = Environment("prod-eu", namespace="shop")
    claim = StageEntered("shop", "production", where, NOW, NOW + 60 * DAY)
    return signed(statement(STAGE_ENTERED, claim.compose(None, ())), "prod-eu")


LONG = {"valid_for": 90 * DAY}
BUNDLES = {
    "built": signed(statement(PROVENANCE), "ci"),
    "signed off": signed(statement("x"), "scanner"),
    "tested": signed_pass("test", changes=UID, **LONG),
    "tested, no uid": signed_pass("test", **LONG),
    "staged": signed_pass("staging", watched=30 * HOUR, **LONG),
    "staged, short": signed_pass("staging", watched=HOUR, **LONG),
    "staged by a stranger": signed_pass("staging", by="stranger", **LONG),
    "clean": _scan("", NOW),
    "clean, old": _scan("", NOW - 6 * DAY),
    "flawed": _scan("1", NOW),
    "alice": _approval("alice", NOW),
    "bob": _approval("bob", NOW - 6 * DAY),
    "carol": _approval("carol", NOW),
    "emergency": _emergency("carol", 4 * HOUR),
    "long emergency": _emergency("carol", 7 * HOUR),
    "entered": _receipt(),
}
GOOD = ("built", "tested", "staged", "clean", "alice", "bob")
EVIDENCE = [
    GOOD,
    *combinations(GOOD, len(GOOD) - 1),
    (*GOOD, "entered"),
    (*GOOD, "signed off"),
    ("built", "tested, no uid", "staged", "clean", "alice", "bob"),
    ("built", "tested", "staged, short", "clean", "alice", "bob"),
    ("built", "tested", "staged by a stranger", "clean", "alice", "bob"),
    ("built", "tested", "staged", "clean, old", "alice", "bob"),
    ("built", "tested", "staged", "flawed", "alice", "bob"),
    ("built", "tested", "staged", "clean", "alice", "carol"),
    ("built", "emergency"),
    ("built", "long emergency"),
]
CART = ImageRef.parse(f"registry.example.com/cart@{DIGEST}")
PROXY = ImageRef.parse("registry.k8s.io/kube-proxy:v1")
PINNED = ImageRef.parse(f"registry.k8s.io/kube-proxy@{DIGEST}")
PRODUCTION = (IMAGE, Place("prod-eu", "shop"))
ELSEWHERE = [
    *((IMAGE, Place(c, "shop")) for c in ("test", "staging", "prod-us", "qa", "prod-asia")),
    *((IMAGE, Place("staging-2", "shop")), (IMAGE, Place("prod-eu", "shop-2"))),
    *((CART, Place("prod-eu", "shop")), (CART, Place("test", "other"))),
    *((image, Place("test", ns)) for image in (PROXY, PINNED) for ns in ("kube-system", "shop")),
    *((IMAGE, Place("test", "other")), (PINNED, Place("test", "monitoring"))),
]
SATURDAY, LATER, LAST = NOW + 2 * DAY, NOW + 20 * DAY, NOW + 50 * DAY
ALL = [
    *product([PRODUCTION], EVIDENCE, [NOW, SATURDAY, LATER]),
    *product(ELSEWHERE, [GOOD, ("built",), ()], [NOW, LAST]),
]
"""(image and place, evidence, moment)"""
CHANGES = [
    *(changes for changes, _ in TABLE),
    {"attestors.scanner.keys.1": STRANGER},
    {"attestors.staging-cluster.keys.1": STRANGER},
    {"attestors.ci.keys.1": {"file": "keys/bob.pub", "owner": "bob"}},
    {"attestors.staging-cluster.keys.0.clusters": DROP},
    {"attestors.staging-cluster.keys.0.validUntil": "2026-12-01T00:00:00Z"},
    {"attestors.managers.keys.1.owner": "alice"},
]


@cache
def attested(name: str) -> Attestation:
    """The bundle, verified once: by a ring of every key there is."""
    ring = KeyRing.of((PublicKey.parse(signer(key).public_pem), key) for key in KEYS)
    found = ring.verify(Candidate(BUNDLES[name], name), DIGEST)
    assert isinstance(found, Attestation)
    return found


def evidence(policy: PolicySet, names: tuple[str, ...]) -> Evidence:
    """As the key ring of that set would give it."""
    owners = policy.keys.owners
    found = [attested(name) for name in names]
    return Evidence(tuple(replace(a, owner=owners[a.key_id]) for a in found if a.key_id in owners))


def allowed(policy: PolicySet, question: tuple[Any, ...]) -> bool:
    (image, place), names, now = question
    return evaluate(policy, image, place, evidence(policy, names), now=now).allowed


def promises_hold(old: PolicySet, new: PolicySet, questions: Iterable[tuple[Any, ...]]) -> set[str]:
    """Ask both sets, and return what was seen to happen."""
    effects = {change.effect for change in diff(old, new)}
    seen: set[str] = set()
    for question in questions:
        before, after = allowed(old, question), allowed(new, question)
        if after and not before:
            assert effects & {Effect.LOOSER, Effect.CHANGED}, question
            seen.add("let in")
        if before and not after:
            assert effects & {Effect.STRICTER, Effect.CHANGED}, question
            seen.add("refused")
    return seen


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: next(iter(changes)))
def test_a_stricter_change_lets_nothing_in_and_a_looser_one_refuses_nothing(
    changes: dict[str, Any],
) -> None:
    """Every single change, both ways, on every question."""
    old, new = full_set(), full_set(changes)

    assert promises_hold(old, new, ALL) == {OPPOSITE[x] for x in promises_hold(new, old, ALL)}


OPPOSITE = {"let in": "refused", "refused": "let in"}


@pytest.mark.parametrize(
    ("path", "value", "seen"),
    [
        ("pipeline.stages.2.after.0.soak", "48h", "refused"),
        ("pipeline.stages.2.after", DROP, "let in"),
        ("pipeline.stages.2.requires.1.approval.threshold", 1, "let in"),
        ("pipeline.stages.2.enforcement", "warn", "let in"),
        ("pipeline.images.1", "registry.example.com/cart", "let in"),
        ("defaults.exempt", DROP, "refused"),
    ],
)
def test_the_questions_tell_such_sets_apart(path: str, value: Any, seen: str) -> None:
    """Else the law above would hold of anything."""
    assert promises_hold(full_set(), full_set({path: value}), ALL) == {seen}


def _merged(some: list[dict[str, Any]]) -> PolicySet | None:
    """The full set with several changes, or None where they do not go together."""
    try:
        return full_set({path: value for changes in some for path, value in changes.items()})
    except (PolicyError, LookupError, TypeError):
        return None


SOME = st.lists(st.sampled_from(CHANGES), max_size=3)


@LAW
@given(SOME, SOME, st.lists(st.sampled_from(ALL), min_size=20, max_size=20))
def test_so_do_many_changes_of_one_kind(
    old_changes: list[dict[str, Any]],
    new_changes: list[dict[str, Any]],
    questions: list[tuple[Any, ...]],
) -> None:
    """A set of which every line says stricter lets nothing in; of which none is told decides alike."""
    old, new = _merged(old_changes), _merged(new_changes)
    if old is None or new is None:
        assume(False)
    else:
        promises_hold(old, new, questions)
