"""What differs between two releases."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.manifests.difference import ABSENT
from stagepass.release.compare import Change, compare, differences
from tests.release.samples import CHECKOUT, CONFIG, DEPLOYMENT, ROLE, SIDECAR, a_release, altered
from tests.world import DROP

CONTAINERS = DEPLOYMENT["spec"]["template"]["spec"]["containers"]
POD = "spec.template.spec"


def test_a_release_does_not_differ_from_itself() -> None:
    assert compare(a_release(), a_release()).is_empty


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"spec__replicas": 3}, Change("spec.replicas", 2, 3)),
        ({"spec__replicas": DROP}, Change("spec.replicas", 2, ABSENT)),
        ({"spec__paused": True}, Change("spec.paused", ABSENT, True)),
        (
            {"spec__template__spec__containers__0__args__1": "81"},
            Change(f"{POD}.containers[name=web].args[1]", "8080", "81"),
        ),
        (
            {"spec__template__spec__containers__0__args__2": "-v"},
            Change(f"{POD}.containers[name=web].args[2]", ABSENT, "-v"),
        ),
        (
            {"spec__template__spec__containers__2": {"name": "evil", "image": CHECKOUT}},
            Change(f"{POD}.containers[name=evil]", ABSENT, {"name": "evil", "image": CHECKOUT}),
        ),
        (
            {"spec__template__spec__containers": CONTAINERS[::-1]},
            Change(f"{POD}.containers[]", ["web", "proxy"], ["proxy", "web"]),
        ),
    ],
)
def test_a_changed_field_is_named(change: dict[str, Any], expected: Change) -> None:
    assert list(differences(DEPLOYMENT, altered(DEPLOYMENT, **change))) == [expected]


def test_objects_and_images_come_and_go() -> None:
    slim = altered(
        DEPLOYMENT,
        spec__template__spec__initContainers=DROP,
        spec__template__spec__containers=CONTAINERS[:1],
    )
    found = compare(a_release(DEPLOYMENT, CONFIG), a_release(slim, ROLE))

    assert found.added == ("rbac.authorization.k8s.io/v1/ClusterRole//shop-reader",)
    assert found.removed == ("v1/ConfigMap/shop/settings",)
    assert list(found.changed) == ["apps/v1/Deployment/shop/checkout"]
    assert found.images_added == ()
    assert [f"{each.name}@{each.digest}" for each in found.images_removed] == [SIDECAR]
