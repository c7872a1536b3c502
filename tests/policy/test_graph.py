"""`after` on a DAG: all ancestors, each edge's own `clusters`, and the UIDs of clusters."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagepass.decision import Answer
from stagepass.policy.model import PolicySet
from stagepass.stage import Place
from tests.policy.signed import key, policy, receipt
from tests.property.worlds import LAW
from tests.world import DAY, HOUR, NOW, STAGING, codes, judged, signed_pass

LAST = Place("last", "shop")
SIGNERS = {"test": "test-cluster", "left": "staging-cluster", "right": "scanner"}


def stage(name: str, after: list[Any], clusters: list[str], **fields: Any) -> dict[str, Any]:
    """A stage of the diamond, signed by the attestor that `SIGNERS` names."""
    listed = {"after": after} if after else {}
    signed = {"signedBy": [SIGNERS[name]]} if name in SIGNERS else {}
    places = {"name": name, "clusters": clusters, "namespaces": ["shop"]}
    return {**places, **signed, **listed, **fields}


def edge(name: str, clusters: str = "all", **fields: Any) -> dict[str, Any]:
    """An edge, written in full."""
    return {"stage": name, "clusters": clusters, **fields}


def diamond(
    left: str = "all", right: str = "all", own: list[dict[str, Any]] | None = None
) -> PolicySet:
    """
    Last comes after left and right, which both come after test.

    Test has the clusters t1 and t2; `left` and `right` say how many of them those edges want.
    """
    stages = [
        stage("last", own or [edge("left"), edge("right")], ["last"]),
        stage("right", [edge("test", right)], ["r"]),
        stage("left", [edge("test", left)], ["l"]),
        stage("test", [], ["t1", "t2"]),
    ]
    return policy({"pipeline.stages": stages})


def passed(name: str, cluster: str, **details: Any) -> bytes:
    """A pass by the stage's own signer."""
    return signed_pass(name, cluster, SIGNERS[name], **details)


PASSES = {
    "t1": passed("test", "t1"),
    "t2": passed("test", "t2"),
    "l": passed("left", "l"),
    "r": passed("right", "r"),
}


def admits(diamond_policy: PolicySet, names: str) -> bool:
    decision = judged(diamond_policy, [PASSES[name] for name in names.split()], LAST)
    return decision.answer is Answer.ADMITTED


@pytest.mark.parametrize(
    ("left", "right", "enough"),
    [
        ("all", "all", {"t1 t2 l r"}),
        ("any", "all", {"t1 t2 l r"}),
        ("all", "any", {"t1 t2 l r"}),
        ("any", "any", {"t1 t2 l r", "t1 l r", "t2 l r"}),
    ],
)
def test_an_ancestor_needs_all_clusters_unless_every_edge_that_leads_there_is_content_with_any(
    left: str, right: str, enough: set[str]
) -> None:
    everything = ("t1", "t2", "l", "r")
    for chosen in product([True, False], repeat=4):
        names = " ".join(n for n, taken in zip(everything, chosen, strict=True) if taken)
        assert admits(diamond(left, right), names) is (names in enough), names


@pytest.mark.parametrize(
    ("own", "inner", "needs_both"),
    [("all", "all", True), ("any", "all", True), ("all", "any", True), ("any", "any", False)],
)
def test_an_own_edge_to_an_ancestor_adds_to_the_edges_further_up(
    own: str, inner: str, needs_both: bool
) -> None:
    edges = [edge("left"), edge("test", own, soak="2h")]
    policy = diamond(inner, own=edges)

    assert admits(policy, "t1 t2 l")
    assert admits(policy, "t1 l") is not needs_both
    short = judged(policy, [passed("test", "t1", watched=HOUR), *PASSES.values()][:1], LAST)
    assert short.answer is Answer.DENIED
    soaking = [passed("test", c, watched=HOUR) for c in ("t1", "t2")]
    assert codes(judged(policy, [*soaking, PASSES["l"]], LAST)) == ["SOAKING"]


def test_soak_and_age_bind_the_own_edges_for_each_clusters_pass() -> None:
    policy = diamond(own=[edge("left", soak="24h", maxAge="2d"), edge("right"), edge("test")])
    old = {"at": NOW - 3 * DAY, "valid_for": 9 * DAY, "watched": None}
    rest = [passed("test", c, **old) for c in ("t1", "t2")] + [passed("right", "r", **old)]

    assert judged(policy, [*rest, PASSES["l"]], LAST).answer is Answer.ADMITTED
    assert codes(judged(policy, [*rest, passed("left", "l", **old)], LAST)) == ["STALE"]
    unwatched = passed("left", "l", watched=None)
    assert codes(judged(policy, [*rest, unwatched], LAST)) == ["SOAKING"]


def test_soak_and_age_of_the_edges_further_up_bind_those_who_wrote_them() -> None:
    strict = {"soak": "48h", "maxAge": "1h"}
    stages = [
        stage("last", [edge("left")], ["last"]),
        stage("left", [edge("test", **strict)], ["l"]),
        stage("test", [], ["t1"]),
    ]
    chain = policy({"pipeline.stages": stages})
    old = passed("test", "t1", at=NOW - DAY, watched=None)

    assert judged(chain, [old, PASSES["l"]], LAST).answer is Answer.ADMITTED
    assert judged(chain, [old], Place("l", "shop")).answer is Answer.DENIED


def test_every_missing_ancestor_is_named_with_each_of_its_clusters() -> None:
    found = {v.requirement for v in judged(diamond(), [], LAST).violations}

    assert found == {
        *("passed left@l", "passed right@r", "passed test@t1", "passed test@t2"),
    }


def test_where_any_will_do_the_reason_names_all_and_the_command_the_first() -> None:
    decision = judged(diamond("any", "any"), [PASSES["l"], PASSES["r"]], LAST)
    (violation,) = decision.violations

    assert violation.requirement == "passed test@any"
    assert "in cluster 't1' or 't2', signed by test-cluster" in violation.message
    assert violation.fix.endswith("--stage test --pipeline shop --cluster t1")


def test_where_any_will_do_one_good_pass_is_not_hidden_by_a_bad_one() -> None:
    bad = passed("test", "t1", at=NOW + DAY)

    policy = diamond("any", "any")
    assert judged(policy, [bad, *PASSES.values()], LAST).answer is Answer.ADMITTED
    assert judged(policy, [bad, PASSES["l"], PASSES["r"]], LAST).answer is Answer.DENIED


def test_any_of_two_clusters_is_no_pass_from_a_third() -> None:
    third = passed("test", "t3")

    assert not admits(diamond("any", "any"), "l r")
    decision = judged(diamond("any", "any"), [third, PASSES["l"], PASSES["r"]], LAST)
    assert codes(decision) == ["PASS_MISSING"]


def test_a_key_bound_to_one_cluster_does_not_speak_for_the_other_where_any_will_do() -> None:
    bound = {"attestors.test-cluster.keys": [key("test-cluster", clusters=["t1"])]}
    stages = [
        stage("last", [edge("test", "any")], ["last"]),
        stage("test", [], ["t1", "t2"]),
    ]
    bound_policy = policy({**bound, "pipeline.stages": stages})

    assert judged(bound_policy, [PASSES["t1"]], LAST).answer is Answer.ADMITTED
    wrong = judged(bound_policy, [PASSES["t2"]], LAST)
    assert codes(wrong) == ["PASS_MISSING", "SIGNER_UNKNOWN"]


@LAW
@given(st.sampled_from(["all", "any"]), st.sampled_from(["all", "any"]), st.data())
def test_the_order_of_stages_and_edges_never_matters(
    left: str, right: str, data: st.DataObject
) -> None:
    def mixed(items: list[Any]) -> list[Any]:
        return data.draw(st.permutations(items))

    own = [edge("left"), edge("right"), edge("test", "any")]
    stages = [
        stage("test", [], mixed(["t1", "t2"])),
        stage("left", [edge("test", left)], ["l"]),
        stage("right", [edge("test", right)], ["r"]),
        stage("last", mixed(own), ["last"]),
    ]
    some = [PASSES[name] for name in mixed(list(PASSES))[:3]]
    reordered = judged(policy({"pipeline.stages": mixed(stages)}), some, LAST)
    reference = judged(diamond(left, right, own), some, LAST)

    assert reordered == reference


UID = "6f1c5b1e-0000-4000-8000-000000000001"
OF_TEST = {"pipeline.stages.0.clusters": [{"name": "test", "uid": UID}]}


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"environment.cluster": UID}, True),
        ({"environment.cluster": UID.upper()}, False),
        ({"environment.cluster": "6f1c5b1e-0000-4000-8000-000000000002"}, False),
        ({"environment.cluster": 7}, False),
        ({"environment.cluster": None}, False),
        ({}, False),
        ({"environment.cluster": UID, "environment.clusterName": "staging"}, False),
    ],
)
def test_a_uid_that_the_policy_gives_must_be_in_the_pass(
    changes: dict[str, Any], counts: bool
) -> None:
    decision = judged(policy(OF_TEST), [signed_pass("test", changes=changes)], STAGING)

    assert codes(decision) == ([] if counts else ["PASS_MISSING"])


def test_a_uid_that_the_policy_does_not_give_is_only_recorded() -> None:
    bundle = signed_pass("test", changes={"environment.cluster": "another"})

    assert judged(policy(), [bundle], STAGING).answer is Answer.ADMITTED


def test_a_uid_that_the_policy_gives_must_be_in_the_receipt() -> None:
    closed = {"deny": "12:00 - 13:00", "timezone": "UTC"}
    uid = {"pipeline.stages.1.clusters": [{"name": "staging", "uid": UID}]}
    staging = policy({**uid, "pipeline.stages.1.windows": [closed]})
    here = {"stage": "staging", "environment.clusterName": "staging"}
    earlier = {"by": "staging-cluster", "entered": NOW - HOUR}

    for claimed, stays in ((UID, True), ("another", False), (None, False)):
        changes = {**here, **({"environment.cluster": claimed} if claimed else {})}
        stayed = receipt(changes=changes, **earlier)
        decision = judged(staging, [signed_pass("test", at=NOW - 2 * HOUR), stayed], STAGING)
        assert (decision.answer is Answer.ADMITTED) is stays


def test_the_command_for_a_missing_pass_names_the_uid_where_the_policy_gives_one() -> None:
    (violation,) = judged(policy(OF_TEST), [], STAGING).violations

    assert violation.fix.endswith(f"--cluster test --cluster-uid {UID}")
