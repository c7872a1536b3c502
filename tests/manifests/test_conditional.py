from __future__ import annotations

from typing import Any

import pytest

from stagepass.manifests.compare import differences
from tests.manifests.samples import IMAGE, RULE, an, pod_spec, put

UID = "0a0c4bc7-a42d-4416-a7d0-ead4ee67b4e2"


def paths(attested: Any, live: Any) -> list[str]:
    return [each.path for each in differences(attested, live, RULE)]


@pytest.mark.parametrize(
    ("said", "kept", "equal"),
    [
        ({}, ["Ingress"], True),
        ({}, ["Ingress", "Egress"], False),
        ({}, ["Egress"], False),
        ({}, [], False),
        ({"egress": [{}]}, ["Ingress", "Egress"], True),
        ({"egress": [{}]}, ["Ingress"], False),
        ({"egress": []}, ["Ingress"], True),
        ({"policyTypes": ["Egress"]}, ["Ingress"], False),
    ],
)
def test_policy_types(said: dict[str, Any], kept: list[str], equal: bool) -> None:
    """Without `Egress`, rules for it mean nothing, and every way out is open."""
    attested = an("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, **said})

    found = paths(attested, put(attested, "spec.policyTypes", kept))

    assert (found == []) is equal


@pytest.mark.parametrize(
    ("kind", "group", "equal"),
    [
        ("User", "rbac.authorization.k8s.io", True),
        ("Group", "rbac.authorization.k8s.io", True),
        ("Group", "", True),
        ("Group", "evil.example", False),
        ("ServiceAccount", "", True),
        ("ServiceAccount", "rbac.authorization.k8s.io", False),
        ("Other", "x", False),
    ],
)
def test_subjects_of_a_role_binding(kind: str, group: str, equal: bool) -> None:
    attested = an(
        "rbac.authorization.k8s.io/v1", "RoleBinding", subjects=[{"kind": kind, "name": "a"}]
    )

    assert (paths(attested, put(attested, "subjects[0].apiGroup", group)) == []) is equal


def test_a_role_binding_that_is_widened() -> None:
    attested = an(
        "rbac.authorization.k8s.io/v1", "RoleBinding", subjects=[{"kind": "User", "name": "a"}]
    )

    assert paths(attested, put(attested, "subjects[+]", {"kind": "User", "name": "b"})) == [
        "subjects[1]"
    ]


def job(**spec: Any) -> dict[str, Any]:
    return an("batch/v1", "Job", spec={"template": {"spec": {"containers": []}}, **spec})


def generated(**changes: Any) -> dict[str, Any]:
    labels = {
        "batch.kubernetes.io/controller-uid": UID,
        "controller-uid": UID,
        "batch.kubernetes.io/job-name": "web",
        "job-name": "web",
    }
    live = job(selector={"matchLabels": {"batch.kubernetes.io/controller-uid": UID}})
    live["metadata"] = {**live["metadata"], "uid": UID, "labels": {**labels}}
    live["spec"]["template"] = {**live["spec"]["template"], "metadata": {"labels": {**labels}}}
    for where, what in changes.items():
        live = put(live, where, what)
    return live


@pytest.mark.parametrize(
    ("where", "what", "named"),
    [
        ("metadata.uid", UID.replace("0a", "0b"), None),
        ("spec.selector.matchLabels", {"app": "other"}, "spec.selector"),
        ("spec.selector.matchLabels.x", "y", "spec.selector"),
        ("spec.selector.matchExpressions", [], "spec.selector"),
        ("spec.template.metadata.labels.app", "other", "spec.template.metadata"),
        ("spec.template.metadata.annotations", {"x": "y"}, "spec.template.metadata"),
        ("spec.template.metadata.labels[job-name]", "other", "spec.template.metadata"),
        ("metadata.labels[job-name]", "other", "metadata.labels[job-name]"),
        ("metadata.labels.app", "other", "metadata.labels[app]"),
        ("spec.completions", 1, ""),
        ("spec.completions", True, "spec.completions"),
        ("spec.completions", 2, "spec.completions"),
        ("spec.backoffLimit", 6, ""),
        ("spec.backoffLimit", 2**31 - 1, "spec.backoffLimit"),
        ("spec.podReplacementPolicy", "TerminatingOrFailed", ""),
        ("spec.podReplacementPolicy", "Failed", "spec.podReplacementPolicy"),
        ("spec.manualSelector", True, "spec.manualSelector"),
    ],
)
def test_a_job(where: str, what: Any, named: str | None) -> None:
    """Its labels are made of its own name and UID."""
    assert paths(job(), generated()) == []
    found = paths(job(), generated(**{where: what}))
    assert found == ([named] if named else []) or (named is None and len(found) > 1)


def test_a_job_without_parallelism_is_no_work_queue() -> None:
    assert paths(job(parallelism=2), put(job(parallelism=2), "spec.completions", 1)) == [
        "spec.completions"
    ]
    assert (
        paths(job(backoffLimitPerIndex=1), job(backoffLimitPerIndex=1, backoffLimit=2**31 - 1))
        == []
    )
    assert paths(job(manualSelector=True), generated(**{"spec.manualSelector": True})) != []


def test_a_replication_controller_takes_its_selector_from_its_template() -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    attested = an("v1", "ReplicationController", spec={"template": template})
    live = put(put(attested, "spec.selector", {"app": "web"}), "metadata.labels", {"app": "web"})

    assert paths(attested, live) == []
    assert paths(attested, put(live, "spec.selector.app", "x")) == ["spec.selector"]
    assert paths(attested, put(live, "metadata.labels.app", "x")) == ["metadata.labels[app]"]
    # A later release with labels of its own leaves those that were filled in before.
    later = put(attested, "metadata.labels", {"own": "1"})
    assert paths(later, put(live, "metadata.labels.own", "1")) == []
    assert paths(later, put(live, "metadata.labels", {"own": "1", "app": "x"})) == [
        "metadata.labels[app]"
    ]


@pytest.mark.parametrize(
    ("where", "what", "named"),
    [
        ("spec.volumeName", "pv-1", "spec.volumeName"),  # a new one; below, of one that is stored
        ("spec.storageClassName", "standard", ""),
        ("spec.storageClassName", "../x", "spec.storageClassName"),
        ("spec.volumeMode", "Block", "spec.volumeMode"),
        ("spec.dataSource", {"kind": "VolumeSnapshot", "name": "x"}, "spec.dataSource"),
        ("spec.selector", {}, "spec.selector"),
        ("spec.resources.requests.storage", "2Gi", "spec.resources.requests[storage]"),
        ("spec.resources.requests.storage", "1024Mi", ""),
        ("metadata.annotations", {"pv.kubernetes.io/bind-completed": "yes"}, ""),
        (
            "metadata.annotations",
            {"volume.kubernetes.io/selected-node": "a b"},
            "metadata.annotations[volume.kubernetes.io/selected-node]",
        ),
    ],
)
def test_a_claim(where: str, what: Any, named: str) -> None:
    attested = an(
        "v1", "PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "1Gi"}}}
    )

    assert paths(attested, put(attested, where, what)) == ([named] if named else [])


def test_a_claim_is_bound_once_it_is_there() -> None:
    attested = an("v1", "PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"]})
    bound = put(attested, "spec.volumeName", "pv-1")

    assert paths(attested, bound) == ["spec.volumeName"]
    assert paths(attested, put(bound, "metadata.resourceVersion", "7")) == ["spec.volumeName"]
    assert differences(attested, bound, RULE, created=False) == []
    assert paths(bound, put(attested, "spec.volumeName", "pv-2")) == ["spec.volumeName"]
    assert paths(bound, bound) == []


def pod(**spec: Any) -> dict[str, Any]:
    return an("v1", "Pod", spec=pod_spec(**spec))


@pytest.mark.parametrize(
    ("requests", "equal"),
    [
        ({"cpu": "500m", "memory": "64Mi"}, True),
        ({"cpu": "0.5"}, True),
        ({"cpu": "501m"}, False),
        ({"cpu": "500m", "nvidia.com/gpu": "1"}, False),
        ("500m", False),
    ],
)
def test_a_pod_requests_its_limits(requests: Any, equal: bool) -> None:
    live = put(pod(), "spec.containers[0].resources.requests", requests)

    assert (paths(pod(), live) == []) is equal


def test_what_is_requested_stays() -> None:
    attested = put(pod(), "spec.containers[0].resources.requests", {"cpu": "100m"})
    live = put(attested, "spec.containers[0].resources.requests.memory", "64Mi")

    assert paths(attested, live) == []
    assert paths(attested, put(live, "spec.containers[0].resources.requests.memory", "1Mi")) != []
    assert paths(attested, put(live, "spec.containers[0].resources.requests.cpu", "500m")) != []


@pytest.mark.parametrize(
    ("network", "port", "equal"), [(True, 8080, True), (True, 22, False), (False, 8080, False)]
)
def test_a_host_port(network: bool, port: int, equal: bool) -> None:
    attested = pod(hostNetwork=network)

    assert (
        paths(attested, put(attested, "spec.containers[0].ports[0].hostPort", port)) == []
    ) is equal


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        (IMAGE, "IfNotPresent"),
        (IMAGE.replace("@", ":v1@"), "IfNotPresent"),
        (IMAGE.replace("@", ":latest@"), "Always"),
        (IMAGE.partition("@")[0], "Always"),
    ],
)
def test_the_pull_policy_is_that_of_the_image(image: str, policy: str) -> None:
    attested = put(pod(), "spec.containers[0].image", image)
    other = {"Always": "IfNotPresent", "IfNotPresent": "Always"}[policy]

    assert paths(attested, put(attested, "spec.containers[0].imagePullPolicy", policy)) == []
    for wrong in (other, "Never", True, [policy]):
        assert paths(attested, put(attested, "spec.containers[0].imagePullPolicy", wrong)) != []


def test_the_two_names_of_a_service_account() -> None:
    new, old = pod(serviceAccountName="web"), pod(serviceAccount="web")
    both = pod(serviceAccountName="web", serviceAccount="web")

    assert paths(new, both) == []
    assert paths(old, both) == []
    assert paths(new, pod(serviceAccountName="web", serviceAccount="admin")) == [
        "spec.serviceAccount"
    ]
    assert paths(old, pod(serviceAccountName="admin", serviceAccount="web")) == [
        "spec.serviceAccountName"
    ]
