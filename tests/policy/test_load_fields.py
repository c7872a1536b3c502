"""Load errors of every field of the language: file, path, what is wrong, what to write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stagepass.clock import parse_time
from stagepass.policy.load import PolicyError
from stagepass.policy.model import ApprovalRequirement, BreakGlassRule, Edge
from stagepass.predicates.members import APPROVAL as APPROVED
from stagepass.predicates.members import BREAK_GLASS, STAGE_ENTERED, STAGE_PASSED
from tests.policy.signed import APPROVED_BY_TWO, CLEAN_SCAN, FLOOR, GLASS, WEEKEND, policy, shop
from tests.world import DROP, PROVENANCE, changed

NEED = "pipeline.stages.0.requires.0.attestation"
APPROVAL = "pipeline.stages.2.requires.0.approval"
EXEMPTION = {
    "namespaces": ["kube-system"],
    "images": ["registry.k8s.io/**"],
    "reason": "control plane",
    "expires": "2027-01-01T00:00:00Z",
}
LIST = {"kind": "Revocations", "file": "keys/ci.pub", "from": ["security"]}


def errors(changes: dict[str, Any], *documents: dict[str, Any]) -> list[str]:
    """Every error of the shop in full, changed."""
    with pytest.raises(PolicyError) as caught:
        shop(changes, *documents)
    return [str(error) for error in caught.value.errors]


def test_the_shop_in_full_loads_with_every_field_in_its_place() -> None:
    production = shop().pipelines[0].stages[2]
    scan = production.requires[0]

    assert production.approvals == (
        ApprovalRequirement(("release-managers",), 2, ("ci",), timedelta(days=30)),
    )
    assert (scan.time, scan.max_age) == (("metadata", "scanFinishedOn"), timedelta(days=7))
    assert scan.where is not None
    assert scan.where.text == "size(predicate.scanner.result.critical) == 0"
    assert [str(window) for window in production.windows] == ["Fri 16:00 - Mon 08:00 Europe/Berlin"]
    assert production.break_glass == BreakGlassRule(("incident-commanders",), 1, timedelta(hours=4))


def test_what_is_not_written_has_its_documented_default() -> None:
    changes = {
        "pipeline.stages.1.after": ["test"],
        "pipeline.stages.2.requires.0": {"approval": {"from": ["security"]}},
        "pipeline.stages.2.breakGlass": {"from": ["security"], "maxDuration": "1h"},
        "defaults.exempt": [EXEMPTION],
    }
    loaded = shop(changes, FLOOR)
    _, staging, production = loaded.pipelines[0].stages

    assert staging.after == (Edge("test"),)
    assert production.approvals == (ApprovalRequirement(("security",)),)
    assert production.break_glass == BreakGlassRule(("security",), 1, timedelta(hours=1))
    (exemption,) = loaded.exempt
    assert (exemption.allow_tags, exemption.expires) == (False, parse_time("2027-01-01T00:00:00Z"))
    (floor,) = loaded.baselines
    assert (floor.images, floor.clusters) == (None, None)
    assert loaded.revocations is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({f"{APPROVAL}.threshold": 0}, "approval.threshold: 0 is not a whole number from 1"),
        ({f"{APPROVAL}.threshold": -1}, "approval.threshold: -1 is not a whole number from 1"),
        ({f"{APPROVAL}.threshold": True}, "threshold: True is not a whole number from 1"),
        ({f"{APPROVAL}.threshold": 1.5}, "threshold: 1.5 is not a whole number from 1"),
        ({f"{APPROVAL}.threshold": "2"}, "threshold: '2' is not a whole number from 1"),
        ({f"{APPROVAL}.from": DROP}, "approval: the key 'from' is missing"),
        ({f"{APPROVAL}.from": []}, "approval.from: the list is empty"),
        ({f"{APPROVAL}.from": ["nobody"]}, "approval.from[0]: no attestor is called 'nobody'"),
        ({f"{APPROVAL}.notBy": ["cii"]}, "notBy[0]: no attestor is called 'cii' (did you mean"),
        ({f"{APPROVAL}.notBy": []}, "approval.notBy: the list is empty"),
        ({f"{APPROVAL}.maxAge": "a month"}, "approval.maxAge: 'a month' is not a duration"),
        ({f"{APPROVAL}.name": "x"}, "approval.name: unknown key"),
        (
            {"pipeline.stages.2.requires.0": {**APPROVED_BY_TWO, **CLEAN_SCAN}},
            "requires[0]: wants exactly one of attestation, approval",
        ),
        ({"pipeline.stages.2.requires.0": {}}, "wants exactly one of attestation, approval"),
        (
            {"pipeline.stages.2.requires.0": {"aproval": {}}},
            "wants exactly one of attestation, approval (did you mean 'approval'?)",
        ),
        ({"pipeline.stages.2.requires": []}, "stages[2].requires: the list is empty"),
        (
            {f"{NEED}.maxAge": "7d"},
            "maxAge: nothing says how old a statement of this type is (add time: predicate.MEMBER,",
        ),
        ({f"{NEED}.maxAge": 7, f"{NEED}.time": "predicate.a"}, "maxAge: 7 is not text"),
        ({f"{NEED}.time": "metadata.at"}, "time: 'metadata.at' is no member of the predicate"),
        ({f"{NEED}.time": "predicate"}, "time: 'predicate' is no member of the predicate"),
        ({f"{NEED}.time": "predicate."}, "time: 'predicate.' is no member of the predicate"),
        ({f"{NEED}.time": "predicate..at"}, "time: 'predicate..at' is no member"),
        ({f"{NEED}.time": ""}, "attestation.time: '' is not text"),
        ({f"{NEED}.where": True}, "attestation.where: True is not text (put it in quotes)"),
        ({f"{NEED}.where": "predicate.a ="}, "where: not a CEL condition: line 1, column 13: "),
        ({f"{NEED}.where": "predicat.a == 1"}, "undeclared reference to 'predicat.a'"),
        ({f"{NEED}.where": "size(predicate.a)"}, "this one is a INT (like predicate.result"),
        ({f"{NEED}.where": "true // and"}, "the text ends inside a // comment"),
        ({f"{NEED}.name": DROP}, "attestation: the key 'name' is missing"),
        ({f"{NEED}.predicateType": ""}, "predicateType: '' is not text"),
        (
            {"pipeline.stages.2.windows": [{**WEEKEND, "timezone": "Europe/Berln"}]},
            "windows[0]: 'Europe/Berln' is not an IANA time zone (did you mean 'Europe/Berlin'?)",
        ),
        (
            {"pipeline.stages.2.windows": [{**WEEKEND, "timezone": "CET-1CEST"}]},
            "windows[0]: 'CET-1CEST' is not an IANA time zone",
        ),
        (
            {"pipeline.stages.2.windows": [{**WEEKEND, "deny": "Friday"}]},
            "windows[0]: 'Friday' is not a window (like",
        ),
        ({"pipeline.stages.2.windows": [{"deny": "22:00 - 06:00"}]}, "key 'timezone' is missing"),
        ({"pipeline.stages.2.windows": [{"timezone": "UTC"}]}, "the key 'deny' is missing"),
        ({"pipeline.stages.2.windows": [{**WEEKEND, "allow": "x"}]}, "allow: unknown key"),
        ({"pipeline.stages.2.windows": []}, "windows: the list is empty"),
        ({"pipeline.stages.2.windows": WEEKEND}, "windows: an object is not a list"),
        (
            {"pipeline.stages.2.breakGlass": {**GLASS, "threshold": 0}},
            "threshold: 0 is not a whole",
        ),
        ({"pipeline.stages.2.breakGlass": {**GLASS, "from": ["x"]}}, "no attestor is called 'x'"),
        (
            {"pipeline.stages.2.breakGlass": {"from": ["security"]}},
            "breakGlass: the key 'maxDuration' is missing",
        ),
        ({"pipeline.stages.2.breakGlass": {"maxDuration": "1h"}}, "the key 'from' is missing"),
        ({"pipeline.stages.2.after.0.clusters": "some"}, "clusters: 'some' is none of all, any"),
        ({"pipeline.stages.2.after.0.clusters": True}, "clusters: True is none of all, any"),
        ({"pipeline.stages.0.clusters": [{"uid": "x"}]}, "clusters[0]: the key 'name' is missing"),
        ({"pipeline.stages.0.clusters": [{"name": "test", "uid": 7}]}, "uid: 7 is not text"),
        (
            {"pipeline.stages.0.clusters": ["test", {"name": "test", "uid": "x"}]},
            "stages[0].clusters[1]: the cluster 'test' stands twice (write one entry)",
        ),
        ({"pipeline.stages.2.allowShared": ""}, "allowShared: '' is not text"),
        ({"pipeline.stages.2.allowShared": " "}, "allowShared: ' ' says nothing (write why"),
        ({"defaults.exempt": [{**EXEMPTION, "reason": "\t"}]}, "reason: '\\t' says nothing"),
        ({"defaults.exempt": [{**EXEMPTION, "reason": ""}]}, "exempt[0].reason: '' is not text"),
        ({"defaults.exempt": [{**EXEMPTION, "images": ["**"]}]}, "'**' does not start with a"),
        ({"defaults.exempt": [{**EXEMPTION, "images": ["*/x"]}]}, "'*/x' does not start with a"),
        ({"defaults.exempt": [{**EXEMPTION, "namespaces": []}]}, "namespaces: the list is empty"),
        ({"defaults.exempt": [{**EXEMPTION, "allowTags": "yes"}]}, "'yes' is neither true nor"),
        ({"defaults.exempt": [{**EXEMPTION, "expires": "2027-01-01"}]}, "is not an RFC 3339 time"),
        ({"defaults.exempt": [{**EXEMPTION, "clusters": ["x"]}]}, "exempt[0].clusters: unknown"),
        ({"defaults.exempt": []}, "exempt: the list is empty"),
    ],
)
def test_a_field_that_is_wrong_refuses_the_set_with_its_place(
    changes: dict[str, Any], error: str
) -> None:
    found = errors(changes)

    assert len(found) == 1, found
    assert found[0].startswith("policy.yaml: ")
    assert error in found[0]


@pytest.mark.parametrize("name", ["namespaces", "images", "reason", "expires"])
def test_an_exemption_says_everything(name: str) -> None:
    incomplete = {n: value for n, value in EXEMPTION.items() if n != name}

    assert errors({"defaults.exempt": [incomplete]}) == [
        f"policy.yaml: exempt[0]: the key {name!r} is missing"
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"images": ["**", "docker.io/**"]}, "images: '**' stands alone (leave the others out)"),
        ({"images": ["docker.io/a/x", "**"]}, "images: '**' stands alone (leave the others out)"),
        ({"images": ["docker.io/a/x", "nope"]}, "images[1]: 'nope' does not start with a registry"),
        ({"images": DROP}, "the key 'images' is missing"),
        ({"images": []}, "images: the list is empty"),
        ({"namespaces": DROP}, "the key 'namespaces' is missing"),
        ({"namespaces": ["A"]}, "namespaces[0]: 'A' is not a namespace name"),
        ({"clusters": []}, "clusters: the list is empty"),
        ({"requires": DROP}, "the key 'requires' is missing"),
        ({"requires": []}, "requires: the list is empty"),
        ({"requires": [APPROVED_BY_TWO]}, "requires[0]: wants exactly one of attestation"),
        ({"requires.0.attestation.from": ["x"]}, "from[0]: no attestor is called 'x'"),
        ({"requires.0.attestation.maxAge": "1d"}, "nothing says how old"),
        ({"enforcement": "audit"}, "enforcement: unknown key"),
        ({"stages": []}, "stages: unknown key"),
        ({"metadata": {}}, "metadata: the key 'name' is missing"),
    ],
)
def test_a_baseline_that_is_wrong_refuses_the_set(changes: dict[str, Any], error: str) -> None:
    found = errors({}, changed(FLOOR, changes))

    assert len(found) == 1, found
    assert found[0].startswith("more.yaml: ")
    assert error in found[0]


def test_two_baselines_of_one_name_and_two_requirements_of_one_name_refuse_the_set() -> None:
    twice = changed(FLOOR, {"requires.1": FLOOR["requires"][0]})

    assert errors({}, FLOOR, FLOOR) == [
        "more.yaml: metadata.name: two baselines are called 'signed'"
    ]
    assert errors({}, twice) == [
        "more.yaml: requires[1].attestation.name: two requirements are called 'x'"
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"file": "none.json"}, "file: there is no file 'none.json' beside more.yaml"),
        ({"file": "../x"}, "file: there is no file '../x' beside more.yaml"),
        ({"file": "/etc/hostname"}, "file: there is no file '/etc/hostname' beside more.yaml"),
        ({"file": DROP}, "the key 'file' is missing"),
        ({"from": ["nobody"]}, "from[0]: no attestor is called 'nobody'"),
        ({"from": DROP}, "the key 'from' is missing"),
        ({"onExpired": "allow"}, "onExpired: 'allow' is none of deny, warn"),
        ({"onExpired": True}, "onExpired: True is none of deny, warn"),
        ({}, "file: STATEMENT_INVALID: the bundle is not JSON"),
    ],
)
def test_a_document_of_revocations_that_is_wrong_refuses_the_set(
    changes: dict[str, Any], error: str
) -> None:
    found = errors({}, changed(LIST, changes))

    assert any(text.startswith("more.yaml: ") and error in text for text in found), found


@pytest.mark.parametrize(
    ("kind", "loads"),
    [
        (STAGE_PASSED, True),
        (APPROVED, True),
        (STAGE_ENTERED, False),
        (BREAK_GLASS, False),
        (STAGE_PASSED + "/", False),
        (PROVENANCE, False),
    ],
)
def test_passes_and_approvals_need_no_time_and_other_types_do(kind: str, loads: bool) -> None:
    changes = {f"{NEED}.predicateType": kind, f"{NEED}.maxAge": "1d"}

    if loads:
        assert policy(changes).pipelines[0].stages[0].requires[0].time
    else:
        assert "nothing says how old" in errors(changes)[0]


def test_mistakes_in_every_part_are_named_in_one_run() -> None:
    changes = {
        f"{NEED}.where": "nope(",
        f"{APPROVAL}.threshold": 0,
        "pipeline.stages.2.windows": [{**WEEKEND, "timezone": "x"}],
        "pipeline.stages.2.breakGlass": {**GLASS, "maxDuration": "4"},
        "defaults.exempt": [{**EXEMPTION, "reason": 7}],
    }
    found = errors(changes, changed(FLOOR, {"images": ["**", "x"]}), LIST)

    assert len(found) == 8
