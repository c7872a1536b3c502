"""An update that brings in no image is let through; nothing else is let through as one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.webhook.reviews import WORKLOADS, Json, pod_spec, review, update, workload
from tests.webhook.server import Server


def _notes(response: dict[str, Any]) -> tuple[bool, str]:
    return response["allowed"], response["auditAnnotations"].get("codes", "")


def _running(server: Server) -> Json:
    """A Deployment of two containers and a volume that today's policy would not let in."""
    volume = {"name": "model", "image": {"reference": server.shop.image("model")}}
    images = [server.shop.image("web"), server.shop.image("log")]
    return workload(pod_spec(*images, volumes=[volume]), "Deployment")


def _spec(deployment: Json) -> Any:
    return deployment["spec"]["template"]["spec"]


def _scale(deployment: Json) -> None:
    deployment["spec"]["replicas"] = 5


def _label(deployment: Json) -> None:
    deployment["metadata"]["labels"] = {"app": "renamed", "team": "x"}


def _command(deployment: Json) -> None:
    _spec(deployment)["containers"][0]["command"] = ["sleep", "inf"]


def _delete(deployment: Json) -> None:
    deployment["metadata"] |= {"deletionTimestamp": "2026-11-26T00:00:00Z", "finalizers": []}


def _reorder(deployment: Json) -> None:
    _spec(deployment)["containers"].reverse()


def _drop_volume(deployment: Json) -> None:
    del _spec(deployment)["volumes"]


def _swap(deployment: Json) -> None:
    first, second = _spec(deployment)["containers"]
    first["image"], second["image"] = second["image"], first["image"]


def _rename(deployment: Json) -> None:
    _spec(deployment)["containers"][0]["name"] = "renamed"


def _remove(deployment: Json) -> None:
    del _spec(deployment)["containers"][1]


def _move(deployment: Json) -> None:
    _spec(deployment)["initContainers"] = [_spec(deployment)["containers"].pop()]


def _volume(deployment: Json) -> None:
    _spec(deployment)["volumes"][0]["image"]["reference"] += "0"


def _respell(deployment: Json) -> None:
    """The same image to a registry, another text."""
    first = _spec(deployment)["containers"][0]
    first["image"] = first["image"].replace("@", ":v1@")


@pytest.mark.parametrize("change", [_scale, _label, _command, _delete, _reorder])
def test_an_update_that_leaves_every_image_in_its_slot_is_admitted(
    shared: Server, change: Callable[[Json], None]
) -> None:
    old = _running(shared)
    new = copy.deepcopy(old)
    change(new)

    assert _notes(shared.judge(update(old, new))) == (True, "UNCHANGED")


@pytest.mark.parametrize(
    "change", [_swap, _rename, _remove, _move, _volume, _respell, _drop_volume]
)
def test_one_image_that_is_not_where_it_was_has_all_of_them_judged(
    shared: Server, change: Callable[[Json], None]
) -> None:
    old = _running(shared)
    new = copy.deepcopy(old)
    change(new)

    response = shared.judge(update(old, new))

    assert response["allowed"] is False
    assert "UNCHANGED" not in response["auditAnnotations"]["codes"]


def test_an_attested_newcomer_does_not_excuse_the_others(shared: Server) -> None:
    old = _running(shared)
    new = copy.deepcopy(old)
    _spec(new)["containers"].append({"name": "c2", "image": shared.shop.passed()})

    causes = shared.judge(update(old, new))["status"]["details"]["causes"]

    assert [cause["field"].removeprefix("spec.template.spec.") for cause in causes] == [
        "containers[0].image",
        "containers[1].image",
        "volumes[0].image.reference",
    ]


@pytest.mark.parametrize("names", [("same", "same"), ("", "c1")])
def test_a_slot_that_is_not_one_of_a_kind_is_never_unchanged(
    shared: Server, names: tuple[str, str]
) -> None:
    """Two containers of one name, or one without: which image stood where cannot be said."""
    old = _running(shared)
    for container, name in zip(_spec(old)["containers"], names, strict=True):
        container["name"] = name

    assert shared.judge(update(old, old))["allowed"] is False


@pytest.mark.parametrize("kind", WORKLOADS)
def test_every_workload_may_be_relabelled(shared: Server, kind: str) -> None:
    old = workload(pod_spec(shared.shop.image()), kind)
    new = copy.deepcopy(old)
    new["metadata"]["labels"]["team"] = "x"

    assert _notes(shared.judge(update(old, new))) == (True, "UNCHANGED")


def test_an_old_object_counts_on_update_only(shared: Server) -> None:
    """Whoever may send a CREATE could otherwise bring its own past along."""
    same = _running(shared)

    assert shared.judge(review(same, old=same))["allowed"] is False


@pytest.mark.parametrize("old", [False, [], "", 7, {}, {"spec": None}])
def test_an_old_object_is_not_read_on_create(shared: Server, old: object) -> None:
    asked = review(workload(pod_spec(shared.shop.passed())))
    asked["request"]["oldObject"] = old

    assert _notes(shared.judge(asked)) == (True, "")


@pytest.mark.parametrize("old", [None, {}, {"apiVersion": "apps/v1", "kind": "Deployment"}])
def test_an_old_object_without_images_makes_nothing_unchanged(
    shared: Server, old: Json | None
) -> None:
    asked = review(_running(shared), operation="UPDATE")
    asked["request"]["oldObject"] = old

    response = shared.judge(asked)

    assert (response["allowed"], response["status"]["code"]) == (False, 403)


def test_an_update_of_attested_images_is_judged_and_admitted(shared: Server) -> None:
    old = workload(pod_spec(shared.shop.image()))
    new = workload(pod_spec(shared.shop.passed()))

    assert _notes(shared.judge(update(old, new))) == (True, "")
