"""Exempt: what it beats (`UNLISTED`, Baseline), what it never does, and that each use is told."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.cache import DecisionCache
from stagepass.clock import format_time
from stagepass.decision import Answer, Code, Decision
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline
from stagepass.policy.model import PolicySet
from stagepass.stage import Place
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.policy.signed import ARTIFACT, FLOOR, full_evidence, revocation_list, revoked, shop
from tests.world import (
    DAY,
    DIGEST,
    HOUR,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    PROD_EU,
    SECOND,
    codes,
    good_evidence,
    judged,
)

SYSTEM = Place("prod-eu", "kube-system")
PROXY = ImageRef.parse(f"registry.k8s.io/kube-proxy@{DIGEST}")
TAGGED = ImageRef.parse("registry.k8s.io/kube-proxy:v1.37.2")
ENTRY: dict[str, Any] = {
    "namespaces": ["kube-system", "cni-*"],
    "images": ["registry.k8s.io/**", "quay.io/cilium/*"],
    "reason": "control plane",
    "expires": format_time(NOW + DAY),
}


def exempting(*entries: dict[str, Any], floor: bool = False) -> PolicySet:
    """The shop with these, and a floor that nothing here reaches."""
    return shop({"defaults.exempt": list(entries or (ENTRY,))}, *([FLOOR] if floor else []))


def decide(policy: PolicySet, image: ImageRef = PROXY, place: Place = SYSTEM) -> Decision:
    """Without any evidence."""
    return judged(policy, [], place, image=image)


@pytest.mark.parametrize(
    ("image", "namespace", "exempt"),
    [
        (str(PROXY), "kube-system", True),
        (str(PROXY), "cni-cilium", True),
        (f"quay.io/cilium/agent@{DIGEST}", "kube-system", True),
        (f"quay.io/cilium/agent@{DIGEST}", "cni-", True),
        (str(PROXY), "default", False),
        (str(PROXY), "kube-system-2", False),
        (f"quay.io/other/agent@{DIGEST}", "kube-system", False),
        (f"quay.io/cilium/x/agent@{DIGEST}", "kube-system", False),
        (f"registry.k8s.io.evil.io/kube-proxy@{DIGEST}", "kube-system", False),
        (f"evil.io/registry.k8s.io/kube-proxy@{DIGEST}", "kube-system", False),
    ],
)
def test_both_a_namespace_and_an_image_must_match_and_of_each_one_is_enough(
    image: str, namespace: str, exempt: bool
) -> None:
    decision = decide(exempting(), ImageRef.parse(image), Place("prod-eu", namespace))

    assert decision.notes == ((Code.EXEMPT,) if exempt else ())
    assert codes(decision) == ([] if exempt else ["UNLISTED"])


def test_its_use_is_told_with_the_reason_and_the_end() -> None:
    decision = decide(exempting())

    assert decision.warnings == ("exempt until 2026-11-27T12:00:00Z: control plane",)
    assert (decision.answer, decision.required, decision.met) == (Answer.ADMITTED, 0, ())


@pytest.mark.parametrize(
    ("expires", "exempt"), [(NOW + SECOND, True), (NOW, False), (NOW - DAY, False)]
)
def test_it_ends_at_the_second_it_names(expires: Any, exempt: bool) -> None:
    decision = decide(exempting({**ENTRY, "expires": format_time(expires)}))

    assert (decision.answer is Answer.ADMITTED) is exempt


@pytest.mark.parametrize(
    ("allow", "image", "exempt"),
    [(True, TAGGED, True), (True, PROXY, True), (False, TAGGED, False), (False, PROXY, True)],
)
def test_a_tag_needs_a_word_of_its_own(allow: bool, image: ImageRef, exempt: bool) -> None:
    decision = decide(exempting({**ENTRY, "allowTags": allow}), image)

    assert (decision.answer is Answer.ADMITTED) is exempt


def test_it_beats_unlisted_in_a_listed_place_too() -> None:
    policy = exempting({**ENTRY, "namespaces": ["shop"]})
    decision = decide(policy, place=PROD_EU)

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.EXEMPT,))
    assert decision.places == (("shop", "production"),)


@pytest.mark.parametrize("cluster", ["unknown", "", "prod-eu2"])
def test_it_never_opens_an_unknown_cluster(cluster: str) -> None:
    decision = decide(exempting(), place=Place(cluster, "kube-system"))

    assert (codes(decision), decision.allowed) == (["UNLISTED"], False)


def test_it_beats_a_baseline() -> None:
    without = decide(shop({}, FLOOR))
    decision = decide(exempting(floor=True))

    assert codes(without) == ["REQUIREMENT_MISSING", "UNLISTED"]
    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.EXEMPT,))


def test_it_never_beats_a_pipeline_that_covers_the_image() -> None:
    ours = {**ENTRY, "namespaces": ["shop"], "images": ["registry.example.com/**"]}
    policy = exempting({**ours, "allowTags": True})
    tagged = ImageRef.parse("registry.example.com/shop/checkout:1.2")

    assert codes(decide(policy, IMAGE, PROD_EU)) == [
        *("APPROVALS_MISSING", "PASS_MISSING", "REQUIREMENT_MISSING")
    ]
    assert codes(decide(policy, tagged, PROD_EU)) == ["DIGEST_REQUIRED"]


def test_lifting_only_the_floor_under_a_listed_image_is_told_and_never_kept() -> None:
    """Where an exemption changes the answer it must not be silent, nor outlive its end in a cache."""
    ours = {**ENTRY, "namespaces": ["shop"], "images": ["registry.example.com/**"]}
    elsewhere = {
        "kind": "Pipeline",
        "metadata": {"name": "of another image"},
        "images": ["docker.io/**"],
        "stages": [{"name": "x", "clusters": ["prod-eu"], "namespaces": ["shop"]}],
    }
    policy = shop({"defaults.exempt": [ours]}, FLOOR, elsewhere)
    decision = judged(policy, full_evidence())

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.EXEMPT,))
    assert decision.warnings == ("exempt until 2026-11-27T12:00:00Z: control plane",)
    assert (decision.valid_until, decision.places) == (NOW, (("shop", "production"),))
    ended = exempting({**ours, "expires": format_time(NOW)}, floor=True)
    assert codes(judged(ended, full_evidence())) == ["REQUIREMENT_MISSING"]


def test_where_it_lifts_nothing_it_is_not_used() -> None:
    ours = {**ENTRY, "namespaces": ["shop"], "images": ["registry.example.com/**"]}

    assert judged(exempting(ours), full_evidence()) == judged(shop(), full_evidence())


def test_it_never_beats_a_revocation() -> None:
    policy = revoked(revocation_list(), changes={"defaults.exempt": [ENTRY]})
    over = revoked(
        revocation_list(expires=NOW), changes={"defaults.exempt": [ENTRY]}, on_expired="deny"
    )

    assert decide(policy).answer is Answer.ADMITTED
    assert codes(decide(over)) == ["REVOKED"]
    from_list = revoked(
        revocation_list(ARTIFACT), changes={"defaults.exempt": [{**ENTRY, "allowTags": True}]}
    )
    assert codes(decide(from_list)) == ["REVOKED"]
    other = ImageRef.parse(f"registry.k8s.io/kube-proxy@{OTHER_DIGEST}")
    assert decide(from_list, other).answer is Answer.ADMITTED


def test_of_several_that_hold_the_longest_is_told_in_whatever_order_they_stand() -> None:
    longer = {**ENTRY, "reason": "network", "expires": format_time(NOW + 9 * DAY)}
    one, other = decide(exempting(ENTRY, longer)), decide(exempting(longer, ENTRY))

    assert one == other
    assert one.notices == ("exempt until 2026-12-05T12:00:00Z: network",)


def test_each_image_is_judged_by_itself() -> None:
    policy = exempting({**ENTRY, "namespaces": ["shop"]})

    assert decide(policy, PROXY, PROD_EU).answer is Answer.ADMITTED
    assert judged(policy, good_evidence()[:1], PROD_EU).answer is Answer.DENIED


def test_an_exempt_admission_is_never_kept_and_asks_nobody() -> None:
    source = MemorySource([])
    soon = exempting({**ENTRY, "expires": format_time(NOW + HOUR / 2)})
    verifier = Verifier(soon, [source], DecisionCache())
    decisions = [
        verifier.decide(PROXY, SYSTEM, now=now, deadline=Deadline.after(60))
        for now in (NOW, NOW + SECOND, NOW + HOUR / 2 - SECOND, NOW + HOUR / 2)
    ]

    assert [d.notes for d in decisions] == [(Code.EXEMPT,)] * 3 + [()]
    assert all(d.warnings for d in decisions[:3])
    assert source.calls == 0
