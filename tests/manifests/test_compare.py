from __future__ import annotations

import copy
from typing import Any

import pytest

from stagepass.manifests.compare import differences, signed_digest, unchanged
from tests.manifests.attacks import ATTACKS, POD, WEB
from tests.manifests.samples import REMOVED, RULE, an, deployment, put
from tests.manifests.server import filled

ATTESTED = deployment()
LIVE = filled(ATTESTED, "apps", "Deployment", "apps.v1.Deployment")


def paths(attested: Any, live: Any) -> list[str]:
    return [each.path for each in differences(attested, live, RULE)]


def test_what_the_api_server_makes_of_it_is_no_difference() -> None:
    assert LIVE != ATTESTED
    assert paths(ATTESTED, LIVE) == []
    assert paths(ATTESTED, ATTESTED) == []


@pytest.mark.parametrize(("where", "what", "named"), ATTACKS)
def test_a_change_is_named_by_its_path(where: str, what: Any, named: str) -> None:
    """ "" where it is no difference: the API server and controllers write it."""
    found = paths(ATTESTED, put(LIVE, where, what))

    assert found[:1] == ([named] if named else [])


@pytest.mark.parametrize(
    ("where", "what"), [each[:2] for each in ATTACKS if each[2] and each[1] is not REMOVED]
)
def test_what_is_attested_must_be_there(where: str, what: Any) -> None:
    """The same table the other way round: a release that says more than the live object."""
    emptied = where.endswith("emptyDir")  # an empty directory is what a volume is without a source

    assert (paths(put(LIVE, where, what), LIVE) == []) is emptied


def test_init_containers_keep_their_order() -> None:
    live = copy.deepcopy(LIVE)
    live["spec"]["template"]["spec"]["initContainers"].reverse()

    assert f"{POD}.initContainers[0].name" in paths(ATTESTED, live)


@pytest.mark.parametrize(
    ("said", "kept", "equal"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1.5, 1.5, True),
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (False, 0, False),
        (1, "1", False),
        ("true", True, False),
        ("", None, False),
        (None, {}, False),
        (None, [], False),
        (None, 0, False),
        ({}, [], False),
        ({}, None, False),
        ([], None, False),
        ([1, True], [True, 1], False),
        ([1, 2], [1.0, 2], True),
        ([[1]], [[True]], False),
        ([{"a": 1}], [{"a": True}], False),
        ({"a": {"b": 1}}, {"a": {"b": True}}, False),
        (2**53 + 1, float(2**53), False),
        (10**400, float("inf"), False),
        (float("nan"), float("nan"), False),
        ([float("nan")], [float("nan")], False),
        (REMOVED, None, False),
        (REMOVED, "", False),
        (REMOVED, {}, False),
        (REMOVED, False, False),
        (None, REMOVED, True),
        (None, None, True),
        (False, REMOVED, False),
        ({}, REMOVED, False),
    ],
)
def test_types_are_told_apart_in_custom_resources(said: Any, kept: Any, equal: bool) -> None:
    """No table: every member counts, and null that was added is a value."""
    attested = put(an("shop.example/v1", "Cart", spec={"x": 0, "y": 0}), "spec.x", said)
    live = put(an("shop.example/v1", "Cart", spec={"x": 0, "y": 0}), "spec.x", kept)

    found = paths(attested, live)

    assert (found == []) is equal
    assert all(path.startswith("spec.x") for path in found)


@pytest.mark.parametrize(
    ("said", "kept", "equal"),
    [
        ("1000m", "1", True),
        (1, "1", True),
        (0.5, "500m", True),
        ("1Gi", "1024Mi", True),
        ("1", "1000", False),
        ("1", True, False),
        ("1", "1 ", False),
        ("1", [], False),
        ("1", None, False),
        ("nonsense", "nonsense", True),
        ("nonsense", "other", False),
    ],
)
def test_quantities_are_equal_by_value(said: Any, kept: Any, equal: bool) -> None:
    where = f"{WEB}.resources.limits.cpu"

    found = paths(put(ATTESTED, where, said), put(LIVE, where, kept))

    assert found == ([] if equal else [f"{WEB}.resources.limits[cpu]"])


def test_what_only_looks_like_a_quantity_is_text() -> None:
    assert paths(
        an("v1", "ConfigMap", data={"cpu": "1000m"}), an("v1", "ConfigMap", data={"cpu": "1"})
    ) == ["data[cpu]"]


@pytest.mark.parametrize(
    ("peer", "named"),
    [
        ({"namespaceSelector": {"matchLabels": {"a": "b"}}}, "podSelector"),
        ({"podSelector": {}}, "namespaceSelector"),
        ({}, "namespaceSelector"),
    ],
)
def test_an_empty_selector_is_not_none(peer: Any, named: str) -> None:
    """`podSelector: {}` is every Pod of the namespaces; without it, all that comes from there."""
    attested = an(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": {},
            "ingress": [
                {"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}}]}
            ],
            "policyTypes": ["Ingress"],
        },
    )

    assert f"spec.ingress[0].from[0].{named}" in paths(
        attested, put(attested, "spec.ingress[0].from[0]", peer)
    )


def test_finalizers_of_the_release_must_be_there() -> None:
    attested = put(ATTESTED, "metadata.finalizers", ["shop.example/keep"])

    assert paths(attested, put(LIVE, "metadata.finalizers", ["a/b", "shop.example/keep"])) == []
    assert paths(attested, LIVE) == ["metadata.finalizers"]
    assert paths(attested, put(LIVE, "metadata.finalizers", ["a/b"])) == ["metadata.finalizers"]


@pytest.mark.parametrize("live", [None, [], "x", 5])
def test_no_object_at_all(live: Any) -> None:
    assert len(differences(ATTESTED, live, RULE)) == 1


def test_a_flood_is_cut() -> None:
    live = put(LIVE, "spec.x", 1)
    live["spec"].update({f"x{i}": i for i in range(10_000)})

    assert len(differences(ATTESTED, live, RULE)) == 100


@pytest.mark.parametrize(
    ("where", "what", "same"),
    [
        ("status", {"replicas": 3}, True),
        ("metadata.resourceVersion", "7", True),
        ("metadata.finalizers", ["x/y"], True),
        ("metadata.ownerReferences", [{"kind": "x"}], True),
        ("metadata.annotations", {"deployment.kubernetes.io/revision": "3"}, True),
        ("metadata.labels[stagepass.dev/application]", "x", False),
        ("metadata.annotations", {"deployment.kubernetes.io/revision": "x"}, False),
        ("metadata.annotations", {"x": "y"}, False),
        ("metadata.labels.x", "y", False),
        ("spec.replicas", 2, False),
        ("spec.replicas", True, False),
        ("spec.replicas", None, False),
        (f"{WEB}.securityContext.runAsUser", True, False),
        ("unknown", 1, False),
        ("metadata", REMOVED, False),
    ],
)
def test_an_update_that_changes_nothing_signed(where: str, what: Any, same: bool) -> None:
    assert unchanged(LIVE, put(LIVE, where, what)) is same
    if not same and where != "metadata":
        assert signed_digest(LIVE) != signed_digest(put(LIVE, where, what))


def test_a_replica_set_may_be_scaled() -> None:
    old = an("apps/v1", "ReplicaSet", spec={"replicas": 1, "template": {}})

    assert unchanged(old, put(old, "spec.replicas", 5))
    assert not unchanged(old, put(old, "spec.template", {"x": 1}))
    assert not unchanged(put(old, "spec", "x"), put(old, "spec", []))
    assert signed_digest(old) != signed_digest(put(old, "spec.replicas", 5))


def test_what_is_created_is_judged_apart_from_what_is_there() -> None:
    assert signed_digest(LIVE) != signed_digest(LIVE, created=False)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**70])
def test_what_has_no_canonical_form_has_no_digest(value: Any) -> None:
    assert signed_digest(put(LIVE, "spec.x", value)) is None


SCALER = an("autoscaling/v1", "HorizontalPodAutoscaler", spec={"maxReplicas": 5})
_HIDDEN = "autoscaling.alpha.kubernetes.io/"


def noted(document: Any, name: str, value: str) -> Any:
    return put(document, "metadata.annotations", {_HIDDEN + name: value})


@pytest.mark.parametrize("name", ["conditions", "current-metrics"])
def test_status_that_version_one_of_an_autoscaler_has_in_annotations(name: str) -> None:
    live = noted(SCALER, name, '[{"type":"AbleToScale","status":"True"}]')
    where = [f"metadata.annotations[{_HIDDEN}{name}]"]

    assert paths(SCALER, live) == []
    assert unchanged(SCALER, live)
    assert paths(SCALER, noted(SCALER, name, "x")) == where
    assert paths(ATTESTED, noted(LIVE, name, "[]")) == where


@pytest.mark.parametrize("name", ["metrics", "behavior"])
def test_spec_that_version_one_of_an_autoscaler_has_in_annotations(name: str) -> None:
    """By what it scales, and how fast."""
    live = noted(SCALER, name, "[]")

    assert paths(SCALER, live) == [f"metadata.annotations[{_HIDDEN}{name}]"]
    assert not unchanged(SCALER, live)
