from __future__ import annotations

from typing import Any

import pytest

from stagepass.errors import InputError
from stagepass.manifests.templates import template_differences
from tests.manifests.samples import IMAGE, MESH, RULE, an, deployment, put, rule, template

OWNER = deployment()
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-5d4c-x",
        "namespace": "shop",
        "labels": {"app": "web", "pod-template-hash": "5d4c"},
        "annotations": {"mesh.example.com/inject": "no"},
    },
    "spec": template()["spec"],
}


def paths(owner: Any, live: Any, allowed: Any = RULE) -> list[str] | None:
    found = template_differences(owner, live, allowed)
    return None if found is None else [each.path for each in found]


def test_a_pod_of_the_template() -> None:
    assert paths(OWNER, POD) == []


@pytest.mark.parametrize(
    ("where", "what", "named"),
    [
        ("spec.containers[0].command", ["sh", "serve"], "spec.containers[0].command[0]"),
        (
            "spec.containers[0].env[+]",
            {"name": "JOB_COMPLETION_INDEX", "value": "x"},
            "spec.containers[0].env[2]",
        ),
        ("spec.volumes[+]", {"name": "x", "hostPath": {"path": "/"}}, "spec.volumes[1]"),
        ("spec.hostNetwork", True, "spec.hostNetwork"),
        ("spec.hostname", "web", "spec.hostname"),
        ("spec.subdomain", "web", "spec.subdomain"),
        ("spec.serviceAccountName", "admin", "spec.serviceAccountName"),
        ("spec.priority", 2_000_000_000, "spec.priority"),
        ("spec.priority", False, "spec.priority"),
        ("spec.preemptionPolicy", "Never", "spec.preemptionPolicy"),
        ("spec.priorityClassName", "system-node-critical", "spec.priorityClassName"),
        ("spec.tolerations", [{"operator": "Exists"}], "spec.tolerations[0]"),
        (
            "spec.tolerations",
            [
                {
                    "key": "node.kubernetes.io/disk-pressure",
                    "operator": "Exists",
                    "effect": "NoSchedule",
                }
            ],
            "spec.tolerations[0]",
        ),
        ("spec.affinity", {"nodeAffinity": {}}, "spec.affinity"),
        ("spec.imagePullSecrets", [{"name": "x", "y": "z"}], "spec.imagePullSecrets"),
        ("spec.ephemeralContainers", [{"name": "x", "image": IMAGE}], "spec.ephemeralContainers"),
        ("spec.schedulingGates", [{"name": "x"}], "spec.schedulingGates"),
        ("spec.overhead", {"cpu": "1"}, "spec.overhead"),
        ("spec.nodeName", "../x", "spec.nodeName"),
        ("metadata.labels.app", "other", "metadata.labels[app]"),
        ("metadata.labels.team", "other", "metadata.labels[team]"),
        ("metadata.labels[pod-template-hash]", "NOT A HASH", "metadata.labels[pod-template-hash]"),
        (
            "metadata.labels[controller-revision-hash]",
            "x",
            "metadata.labels[controller-revision-hash]",
        ),
        ("metadata.labels[job-name]", "x", "metadata.labels[job-name]"),
        (
            "metadata.labels[statefulset.kubernetes.io/pod-name]",
            "db-0",
            "metadata.labels[statefulset.kubernetes.io/pod-name]",
        ),
        ("metadata.annotations[x]", "y", "metadata.annotations[x]"),
    ],
)
def test_a_pod_that_says_more(where: str, what: Any, named: str) -> None:
    assert paths(OWNER, put(POD, where, what)) == [named]


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("spec.serviceAccountName", "default"),
        ("spec.priority", 0),
        ("spec.preemptionPolicy", "PreemptLowerPriority"),
        ("spec.imagePullSecrets", [{"name": "pull"}]),
        ("metadata.ownerReferences", [{"kind": "ReplicaSet", "name": "forged"}]),
        ("metadata.generateName", "web-"),
        ("metadata.finalizers", ["batch.kubernetes.io/job-tracking"]),
        ("status", {"phase": "Running"}),
    ],
)
def test_what_is_written_into_every_pod(where: str, what: Any) -> None:
    assert paths(OWNER, put(POD, where, what)) == []


def test_a_pod_gets_its_node_once_it_is_there() -> None:
    """By a binding. One that comes with its node was scheduled by whoever made it: no taint holds."""
    bound = put(POD, "spec.nodeName", "node-1")

    assert paths(OWNER, bound) == ["spec.nodeName"]
    assert paths(OWNER, put(bound, "metadata.resourceVersion", "7")) == ["spec.nodeName"]
    assert template_differences(OWNER, bound, RULE, created=False) == []


@pytest.mark.parametrize(
    ("where", "what", "named"),
    [
        ("metadata.labels[pod-template-hash]", "other", "metadata.labels[pod-template-hash]"),
        ("metadata.labels.app", "other", "metadata.labels[app]"),
        (
            "spec.selector.matchLabels[pod-template-hash]",
            "x",
            "spec.selector.matchLabels[pod-template-hash]",
        ),
        (
            "spec.template.metadata.labels[pod-template-hash]",
            "x",
            "spec.template.metadata.labels[pod-template-hash]",
        ),
        (
            "spec.template.spec.containers[0].command",
            ["sh", "serve"],
            "spec.template.spec.containers[0].command[0]",
        ),
        ("spec.template.spec.priority", 0, "spec.template.spec.priority"),
        ("spec.minReadySeconds", 5, "spec.minReadySeconds"),
    ],
)
def test_a_replica_set_of_a_deployment(where: str, what: Any, named: str) -> None:
    labels = {"app": "web", "pod-template-hash": "5d4c"}
    made = template()
    made["metadata"]["labels"] = {**labels}
    live = an(
        "apps/v1",
        "ReplicaSet",
        "web-5d4c",
        metadata={"labels": {**labels}, "annotations": {"x": "y"}},
        spec={"replicas": 7, "selector": {"matchLabels": labels}, "template": made},
    )

    assert paths(OWNER, live) == []
    assert paths(OWNER, put(live, where, what)) == [named]
    assert paths(OWNER, put(live, "metadata.name", "other-5d4c")) is None


def test_a_pod_of_a_stateful_set_is_called_after_it() -> None:
    owner = put({**OWNER, "kind": "StatefulSet"}, "spec.serviceName", "headless")
    pod = put(
        put(put(POD, "metadata.name", "web-3"), "spec.hostname", "web-3"),
        "spec.subdomain",
        "headless",
    )
    pod["metadata"]["labels"] = {
        "app": "web",
        "controller-revision-hash": "web-5d4c",
        "statefulset.kubernetes.io/pod-name": "web-3",
        "apps.kubernetes.io/pod-index": "3",
    }

    assert paths(owner, pod) == []
    assert paths(owner, put(pod, "metadata.name", "web-x")) is None
    assert paths(owner, put(pod, "metadata.name", "web-03")) is None
    assert paths(owner, put(pod, "spec.hostname", "web-0")) == ["spec.hostname"]
    for label in ("statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"):
        assert paths(owner, put(pod, f"metadata.labels[{label}]", "web-0")) == [
            f"metadata.labels[{label}]"
        ]


@pytest.mark.parametrize(
    "live",
    [
        put(POD, "metadata.namespace", "other"),
        {**POD, "kind": "Service"},
        {**POD, "kind": "Job", "apiVersion": "batch/v1"},
        {**POD, "metadata": None},
        {**POD, "kind": "PersistentVolumeClaim"},
    ],
)
def test_what_is_made_of_nothing(live: Any) -> None:
    assert template_differences(OWNER, live, RULE) is None


def test_no_object() -> None:
    with pytest.raises(InputError):
        template_differences(OWNER, {}, RULE)


@pytest.mark.parametrize("kind", ["Pod", "Service", "PodTemplate"])
def test_not_every_object_makes_pods(kind: str) -> None:
    """A Pod of the release is one Pod: a copy of another name is none of it."""
    assert paths({**OWNER, "kind": kind, "apiVersion": "v1"}, POD) is None


def test_what_is_opened_in_a_template_is_opened_in_its_pods() -> None:
    restarted = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
    live = put(POD, "metadata.annotations[kubectl.kubernetes.io/restartedAt]", "2026-01-01")

    assert paths(OWNER, live, rule(restarted)) == []
    assert paths(OWNER, live, rule("/spec/replicas")) != []


@pytest.mark.parametrize("pointer", ["/spec/template", "/spec", "/spec/*", "/*"])
def test_an_opened_template_does_not_open_its_pods(pointer: str) -> None:
    """Else any Pod at all were one of it."""
    live = put(POD, "spec.containers[0].command", ["sh", "serve"])

    assert paths(OWNER, live, rule(pointer)) == ["spec.containers[0].command[0]"]


def test_a_mesh_adds_its_container() -> None:
    proxy = {"name": "proxy", "image": MESH, "args": ["proxy"]}
    live = put(POD, "spec.containers[+]", proxy)
    live["spec"]["containers"].insert(0, live["spec"]["containers"].pop())

    assert paths(OWNER, live, rule(containers=(MESH,))) == []
    assert paths(
        OWNER, put(live, "spec.containers[1].command", ["sh", "serve"]), rule(containers=(MESH,))
    ) == ["spec.containers[1].command[0]"]


def _claims(owner: dict[str, Any], *volumes: str) -> dict[str, Any]:
    """With an ephemeral volume each, of as many GiB as its place in the order."""
    found = [
        {"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": _claim_spec(size)}}}
        for size, name in enumerate(volumes, 1)
    ]
    changed: dict[str, Any] = put(owner, "spec.template.spec.volumes", found)
    return changed


def _claim_spec(size: int) -> dict[str, Any]:
    requests = {"storage": f"{size}Gi"}
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": requests}}


@pytest.mark.parametrize("volumes", [("cache", "page-cache"), ("page-cache", "cache")])
def test_a_claim_of_any_volume_whose_name_fits(volumes: tuple[str, ...]) -> None:
    """Where a Pod's name ends is not to be seen: `web-5d4c-x-page` may be a Pod with a `cache`."""
    owner = _claims(OWNER, *volumes)
    name = "web-5d4c-x-page-cache"

    def live(size: int) -> dict[str, Any]:
        return an("v1", "PersistentVolumeClaim", name, spec=_claim_spec(size))

    requested = "spec.resources.requests[storage]"
    assert [paths(owner, live(size)) for size in (1, 2, 3)] == [[], [], [requested]]
    assert paths(owner, put(live(3), "metadata.name", "web-5d4c-x-logs")) is None


@pytest.mark.parametrize("odd", [0, 1])
def test_a_claim_is_told_of_the_nearest_template(odd: int) -> None:
    owner = _claims(OWNER, "cache", "page-cache")
    volumes = owner["spec"]["template"]["spec"]["volumes"]
    volumes[odd]["ephemeral"]["volumeClaimTemplate"]["spec"]["storageClassName"] = "slow"
    live = an("v1", "PersistentVolumeClaim", "web-x-page-cache", spec=_claim_spec(3))

    assert paths(owner, live) == ["spec.resources.requests[storage]"]


def test_a_claim_of_any_template_of_a_stateful_set() -> None:
    """Of two with one name neither is the first."""
    templates = [
        {"metadata": {"name": name}, "spec": _claim_spec(size)}
        for size, name in enumerate(("data", "other", "data"), 1)
    ]
    owner = put({**OWNER, "kind": "StatefulSet"}, "spec.volumeClaimTemplates", templates)
    labels = {"labels": {"app": "web"}}

    def live(size: int) -> dict[str, Any]:
        return an(
            "v1", "PersistentVolumeClaim", "data-web-0", metadata=labels, spec=_claim_spec(size)
        )

    assert [bool(paths(owner, live(size))) for size in (1, 2, 3)] == [False, True, False]
