"""`until` and `admitted until` are exact: one second before it is otherwise, and never otherwise between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from stagepass.decision import Answer
from stagepass.policy.evaluate import evaluate
from stagepass.policy.model import PolicySet
from stagepass.policy.outlook import HORIZON, Question, admitted_from, admitted_until
from tests.policy.signed import approval, emergency, key, receipt, scan, shop
from tests.property.worlds import LAW
from tests.world import (
    DAY,
    DROP,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    PROVENANCE,
    SECOND,
    signed_claim,
    signed_pass,
    verified,
)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland")

clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
nightly = st.tuples(clocks, clocks)
weekly = st.tuples(*[st.builds("{} {}".format, st.sampled_from(_DAYS), clocks)] * 2)
windows = st.builds(
    lambda edges, zone: {"deny": " - ".join(edges), "timezone": zone},
    (nightly | weekly).filter(lambda edges: edges[0] != edges[1]),
    st.sampled_from(_ZONES),
)
dates = st.builds(
    lambda seconds: NOW + timedelta(seconds=seconds),
    st.one_of(
        st.integers(-3 * 86400, 0), st.integers(0, 2 * 86400), st.integers(-40 * 86400, 9 * 86400)
    ),
)
lives = (st.integers(1, 86400) | st.integers(86400, 12 * 86400)).map(
    lambda seconds: timedelta(seconds=seconds)
)


def _many(one: Any, least: int = 1) -> Any:
    return st.lists(one, min_size=least, max_size=least + 1)


bundles = st.builds(
    lambda *parts: [signed_claim(PROVENANCE, "ci"), *(b for part in parts for b in part)],
    _many(st.builds(lambda at, life: signed_pass("test", at=at, valid_for=life), dates, lives)),
    _many(st.builds(lambda at, life: signed_pass("staging", at=at, valid_for=life), dates, lives)),
    _many(st.builds(lambda at, life: approval("alice", at=at, valid_for=life), dates, lives)),
    _many(st.builds(lambda at, life: approval("bob", at=at, valid_for=life), dates, lives)),
    _many(st.builds(lambda at: scan(at=at), dates)),
    _many(st.builds(lambda at, life: receipt(entered=at, expires=at + life), dates, lives), 0),
    _many(st.builds(lambda at: emergency(issued=at), dates), 0),
)
"""What may admit to production, each dated and living as it comes."""
good = st.builds(
    lambda at: [
        *(signed_claim(PROVENANCE, "ci"), scan(at=at), approval("bob", at=at)),
        *(signed_pass(s, at=at, valid_for=20 * DAY) for s in ("test", "staging")),
        approval("alice", at=at, valid_for=3 * DAY),
    ],
    st.integers(0, 30).map(lambda hours: NOW + (hours - 24) * HOUR),
)
"""All that is needed, so that only windows and a little age stand in the way."""


def _world(
    closed: list[dict[str, str]], ends: datetime | None, key_ends: datetime, expires: datetime
) -> PolicySet:
    fields = {} if ends is None else {"validUntil": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
    begins = {"validFrom": f"{key_ends:%Y-%m-%dT%H:%M:%SZ}"}
    changes: dict[str, Any] = {
        "pipeline.stages.2.windows": closed or DROP,
        "attestors.staging-cluster.keys": [key("staging-cluster", **fields)],
        "attestors.scanner.keys": [key("scanner", **begins)],
    }
    return replace(shop(changes), expires=expires)


worlds = st.builds(
    _world,
    st.lists(windows, max_size=3),
    st.none() | dates.filter(lambda at: at > NOW),
    dates.filter(lambda at: at < NOW + HOUR),
    dates.map(lambda at: at + 12 * DAY),
)
samples = st.lists(st.sampled_from([n / 1000 for n in range(1000)]), min_size=9, max_size=9)


def _asked(policy: PolicySet, some: list[bytes]) -> Question:
    return Question(policy, IMAGE, PROD_EU, verified(policy, some))


def _is_admitted(asked: Question, now: datetime) -> bool:
    decision = evaluate(asked.policy, asked.image, asked.place, asked.evidence, now=now)
    return decision.answer is Answer.ADMITTED


def _check(asked: Question, found: datetime | None, wanted: bool, shares: list[float]) -> None:
    """`found` is the first moment at which it is as `wanted`."""
    last = NOW + HORIZON if found is None else found
    if found is not None:
        assert _is_admitted(asked, found) is wanted
        if found == NOW:
            return
        assert found.microsecond == 0
        assert _is_admitted(asked, found - SECOND) is not wanted
    near = min(last, NOW + 14 * DAY)
    for share in shares:
        for span in (last - NOW, near - NOW):
            assert _is_admitted(asked, NOW + share * span) is not wanted


@settings(LAW, max_examples=150)
@given(worlds, bundles | good, samples)
def test_until_is_the_first_moment_at_which_the_same_evidence_admits(
    policy: PolicySet, some: list[bytes], shares: list[float]
) -> None:
    asked = _asked(policy, some)

    _check(asked, admitted_from([asked], NOW), True, shares)


@settings(LAW, max_examples=150)
@given(worlds, bundles | good, samples)
def test_admitted_until_is_the_first_moment_at_which_it_no_longer_does(
    policy: PolicySet, some: list[bytes], shares: list[float]
) -> None:
    asked = _asked(policy, some)

    _check(asked, admitted_until([asked], NOW), False, shares)


@settings(LAW, max_examples=60)
@given(worlds, good, good, samples)
def test_of_several_images_until_is_the_first_moment_at_which_all_are_admitted(
    policy: PolicySet, some: list[bytes], others: list[bytes], shares: list[float]
) -> None:
    """Not the latest of their own moments: by then the first may be closed again."""
    both = [_asked(policy, some), _asked(policy, others)]
    found = admitted_from(both, NOW)

    if found is not None:
        assert all(_is_admitted(each, found) for each in both)
        if found == NOW:
            return
        assert not all(_is_admitted(each, found - SECOND) for each in both)
    last = NOW + HORIZON if found is None else found
    for share in shares:
        between = NOW + share * (last - NOW)
        assert not all(_is_admitted(each, between) for each in both)


@pytest.mark.parametrize("first", [admitted_from, admitted_until])
def test_the_laws_are_tried_on_edges_of_all_kinds(first: Callable[..., datetime | None]) -> None:
    """An edge of the evidence falls on any second; that of a window on a whole minute."""
    for is_kind in (lambda at: at.second != 0, lambda at: at.second == 0):
        find(
            st.tuples(worlds, bundles | good),
            lambda world, is_kind=is_kind: (  # type: ignore[misc]
                (at := first([_asked(*world)], NOW)) is not None and at != NOW and is_kind(at)
            ),
            settings=settings(LAW, phases=[Phase.generate], max_examples=400),
        )
