from __future__ import annotations

from typing import Any

import pytest

from stagepass import strictjson
from stagepass.errors import InputError
from stagepass.manifest import ObjectId
from stagepass.review import MAX_BYTES, AdmissionRequest
from tests.core.objects import containers, pod, review
from tests.world import DROP, changed

POD = pod({"containers": containers("r.io/a")})
GOOD = review(POD)


def parse(changes: dict[str, Any]) -> AdmissionRequest:
    return AdmissionRequest.parse(strictjson.dumps(changed(GOOD, changes)))


def test_a_review_is_read_for_its_uid_operation_identity_and_objects() -> None:
    found = parse({})

    assert (found.uid, found.operation) == ("705ab4f5-6393-11e8-b7cc-42010a800002", "CREATE")
    assert found.object_id == ObjectId("", "Pod", "shop", "cart")
    assert (found.new, found.old) == (POD, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"request.userInfo": DROP},
        {"request.userInfo": {"username": "x", "groups": None}},
        {"request.requestSubResource": "status"},
        {"request.subResource": "ephemeralcontainers"},
        {"request.options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"}},
        {"request.requestKind": {"group": "extensions", "version": "v1", "kind": "Deployment"}},
        {"request.dryRun": True},
        {"request.object.metadata.namespace": "elsewhere"},
        {"request.object.metadata.namespace": DROP},
        {"request.oldObject": DROP},
        {"response": {"allowed": True}},
        {"unknown": 1},
    ],
)
def test_members_that_decide_nothing_may_be_there_or_not(changes: dict[str, Any]) -> None:
    assert parse(changes).object_id == ObjectId("", "Pod", "shop", "cart")


@pytest.mark.parametrize(
    ("info", "user"),
    [
        ({"username": "alice", "groups": ["a"]}, "alice"),
        ({}, ""),
        ({"username": 7}, ""),
        ("alice", ""),
        (None, ""),
    ],
)
def test_who_asks_is_read_where_it_is_told_and_never_an_error(info: Any, user: str) -> None:
    assert parse({"request.userInfo": info}).user == user


@pytest.mark.parametrize("operation", ["CREATE", "DELETE", "CONNECT"])
@pytest.mark.parametrize("old", [None, POD, "text", []])
def test_an_old_object_is_ignored_but_on_update(operation: str, old: Any) -> None:
    found = parse({"request.operation": operation, "request.oldObject": old})

    assert found.old is None


def test_an_old_object_counts_on_update() -> None:
    found = parse({"request.operation": "UPDATE", "request.oldObject": POD})

    assert found.old == POD
    with pytest.raises(InputError, match=r"request\.oldObject is not an object"):
        parse({"request.operation": "UPDATE", "request.oldObject": []})


def test_what_is_cluster_scoped_or_not_yet_named_has_empty_names() -> None:
    found = parse({"request.namespace": DROP, "request.name": DROP, "request.kind.group": DROP})

    assert found.object_id == ObjectId("", "Pod", "", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"apiVersion": "admission.k8s.io/v1beta1"},
        {"apiVersion": DROP},
        {"apiVersion": "admission.k8s.io/v2"},
        {"apiVersion": ["admission.k8s.io/v1"]},
        {"kind": "AdmissionRequest"},
        {"kind": DROP},
        {"request": DROP},
        {"request": None},
        {"request": []},
        {"request.uid": DROP},
        {"request.uid": ""},
        {"request.uid": 7},
        {"request.operation": DROP},
        {"request.operation": "create"},
        {"request.operation": "PATCH"},
        {"request.operation": ["CREATE"]},
        {"request.kind": DROP},
        {"request.kind": "Pod"},
        {"request.kind.kind": DROP},
        {"request.kind.kind": ""},
        {"request.kind.group": None},
        {"request.namespace": None},
        {"request.namespace": ["shop"]},
        {"request.name": 7},
        {"request.object": "text"},
        {"request.object": [POD]},
        {"request.object": True},
    ],
)
def test_what_is_no_review_of_version_one_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        parse(changes)


TEXT = strictjson.dumps(GOOD)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"text",
        TEXT + b"x",
        TEXT + TEXT,
        b"\xef\xbb\xbf" + TEXT,
        TEXT.replace(b'"image":"r.io/a"', b'"image":"r.io/a","image":"r.io/b"'),
        TEXT.replace(b'"image":"r.io/a"', b'"image":"r.io/a","im\\u0061ge":"r.io/b"'),
        TEXT.replace(b'"r.io/a"', b"NaN"),
        TEXT.replace(b'"r.io/a"', b"[" * 600 + b"]" * 600),
        b" " * MAX_BYTES + TEXT,
    ],
)
def test_a_body_in_which_two_readers_could_see_two_objects_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        AdmissionRequest.parse(data)
