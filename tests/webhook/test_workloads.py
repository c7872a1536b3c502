"""Every place in every object where an image stands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webhook.reviews import (
    WORKLOADS,
    Json,
    containers,
    create,
    pod_spec,
    review,
    update,
    workload,
)
from tests.webhook.server import Server

_IMAGE_OF = {
    "containers": "containers[1].image",
    "initContainers": "initContainers[0].image",
    "ephemeralContainers": "ephemeralContainers[0].image",
    "volumes": "volumes[1].image.reference",
}


def _with(place: str, image: str, good: str) -> Json:
    """A pod spec that runs `good`, and `image` in `place`."""
    match place:
        case "containers":
            return pod_spec(good, image)
        case "volumes":
            volume = {"name": "model", "image": {"reference": image}}
            return pod_spec(good, volumes=[{"name": "tmp", "emptyDir": {}}, volume])
        case _:
            return pod_spec(good, **{place: [{"name": "extra", "image": image}]})


def _notes(response: dict[str, Any]) -> tuple[bool, str]:
    return response["allowed"], response["auditAnnotations"].get("codes", "")


@pytest.mark.parametrize("kind", WORKLOADS)
@pytest.mark.parametrize("place", _IMAGE_OF)
def test_no_image_of_a_workload_is_overlooked(shared: Server, kind: str, place: str) -> None:
    good, bad = shared.shop.passed(), shared.shop.image()

    denied = shared.judge(review(workload(_with(place, bad, good), kind)))
    admitted = shared.judge(review(workload(_with(place, good, good), kind)))

    path = ".".join([*WORKLOADS[kind][1], _IMAGE_OF[place]])
    assert [cause["field"] for cause in denied["status"]["details"]["causes"]] == [path]
    assert (denied["status"]["code"], admitted["allowed"]) == (403, True)


def test_an_ephemeral_container_added_to_a_running_pod_is_judged(shared: Server) -> None:
    """As `kubectl debug` does, through the subresource pods/ephemeralcontainers."""
    running = workload(pod_spec(shared.shop.passed()))
    debugged = workload(
        {**running["spec"], "ephemeralContainers": [{"name": "d", "image": shared.shop.image()}]}
    )
    asked = update(running, debugged, subResource="ephemeralcontainers")

    assert shared.judge(asked)["allowed"] is False


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("v1", "Service"),
        ("v1", "ConfigMap"),
        ("autoscaling/v1", "Scale"),
        ("policy/v1", "Eviction"),
        ("example.com/v1", "Pod"),
    ],
)
def test_a_kind_that_runs_no_image_is_admitted(shared: Server, api_version: str, kind: str) -> None:
    asked = review({"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}})

    assert _notes(shared.judge(asked)) == (True, "NO_IMAGES")


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
def test_what_brings_in_no_image_is_admitted(shared: Server, operation: str) -> None:
    running = workload(pod_spec(shared.shop.image()))

    response = shared.judge(review(None, old=running, operation=operation))

    assert _notes(response) == (True, "NO_IMAGES")


_GOOD = "registry.example.com/shop/web"


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"containers": None},
        {"containers": []},
        {"containers": {}},
        {"containers": {"c0": {"image": _GOOD}}},
        {"containers": ["web"]},
        {"containers": [None]},
        {"containers": [{"name": "c0", "image": 7}]},
        {"containers": [{"name": "c0", "image": {"reference": _GOOD}}]},
        {"containers": [{"name": 7, "image": _GOOD}]},
        {"containers": containers(_GOOD), "initContainers": {}},
        {"containers": containers(_GOOD), "ephemeralContainers": "none"},
        {"containers": containers(_GOOD), "volumes": [{"name": "v", "image": _GOOD}]},
        {"containers": containers(_GOOD), "volumes": [{"name": "v", "image": {"reference": 1}}]},
        {"initContainers": containers(_GOOD)},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["Pod", "CronJob"])
def test_a_workload_that_cannot_be_read_is_undetermined(
    shared: Server, kind: str, spec: Json
) -> None:
    """Nothing to judge must never read as nothing wrong."""
    response = shared.judge(review(workload(spec, kind)))

    assert _notes(response) == (False, "OBJECT_INVALID")
    assert response["status"]["code"] == 503


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_workload_without_an_object_or_a_spec_is_undetermined(shared: Server, kind: str) -> None:
    whole = workload(pod_spec(shared.shop.passed()), kind)
    first = WORKLOADS[kind][1][0]
    asked = review(whole)
    halves: list[Json | None] = [
        {name: value for name, value in whole.items() if name != first},
        {**whole, first: None},
        {**whole, first: []},
        {},
        None,
    ]
    for half in halves:
        asked["request"]["object"] = half
        assert _notes(shared.judge(asked)) == (False, "OBJECT_INVALID"), half


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("v1", "Service"), ("apps/v1", "Pod"), ("v1", "pod"), ("v1", ""), ("", "Pod")],
)
def test_an_object_of_another_kind_than_the_review_is_undetermined(
    shared: Server, api_version: str, kind: str
) -> None:
    asked = create(shared.shop.passed())
    asked["request"]["object"] |= {"apiVersion": api_version, "kind": kind}

    assert _notes(shared.judge(asked)) == (False, "OBJECT_INVALID")


@pytest.mark.parametrize(
    "claim",
    [
        {"metadata": {"name": "web", "deletionTimestamp": "2026-11-26T00:00:00Z"}},
        {"metadata": {"name": "web", "ownerReferences": [{"kind": "Node", "name": "n"}]}},
        {"metadata": {"name": "web", "annotations": {"kubernetes.io/config.mirror": "x"}}},
        {"metadata": {"name": "web", "labels": {"stagepass.dev/skip": "true"}}},
        {"status": {"phase": "Running"}},
    ],
    ids=lambda claim: ", ".join(claim.get("metadata", claim)),
)
def test_nothing_an_object_says_of_itself_gets_it_past(shared: Server, claim: Json) -> None:
    asked = review({**workload(pod_spec(shared.shop.image())), **claim})

    assert shared.judge(asked)["allowed"] is False


@pytest.mark.parametrize(
    "claim",
    [
        {"userInfo": {"username": "system:admin", "groups": ["system:masters"]}},
        {"userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"}},
        {"dryRun": True},
        {"subResource": "status"},
    ],
    ids=str,
)
def test_nobody_and_no_way_of_asking_gets_past(shared: Server, claim: Json) -> None:
    assert shared.judge(create(shared.shop.image(), **claim))["allowed"] is False
