from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.health import Health, Status, health, worst
from applier.health_builtin import BUILT_IN
from applier.health_status import CURRENT
from tests.applier.samples import LAW, an

CURRENT_, WAITING, FAILED, GOING = "Current", "InProgress", "Failed", "Terminating"


def condition(kind: str, status: str = "True", **rest: Any) -> dict[str, Any]:
    return {"type": kind, "status": status, **rest}


def conditions(*found: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"conditions": list(found), **rest}


def workload(kind: str, spec: dict[str, Any], **status: Any) -> dict[str, Any]:
    return an(
        "apps/v1",
        kind,
        metadata={"generation": 2},
        spec=spec,
        status={"observedGeneration": 2, **status},
    )


def deployment(*found: dict[str, Any], replicas: int = 2, observed: int = 2, **counts: int) -> Any:
    full = dict.fromkeys(
        ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), replicas
    )
    return workload(
        "Deployment",
        {"replicas": replicas},
        conditions=list(found),
        **full | counts | {"observedGeneration": observed},
    )


DEPLOYMENTS = [
    (deployment(condition("Available")), CURRENT_, ""),
    (deployment(), CURRENT_, ""),
    (deployment(replicas=0), CURRENT_, ""),
    (deployment(observed=1), WAITING, "LatestGenerationNotObserved"),
    (deployment(updatedReplicas=1), WAITING, "LessUpdatedReplicas"),
    (deployment(replicas=2) | {"status": {}}, WAITING, "NotObserved"),
    (deployment(availableReplicas=1), WAITING, "LessAvailableReplicas"),
    (deployment(readyReplicas=1), WAITING, "LessReadyReplicas"),
    (deployment(updatedReplicas=2) | {"spec": {}}, CURRENT_, ""),
    (workload("Deployment", {"replicas": 2}, replicas=3, updatedReplicas=2, availableReplicas=3,
              readyReplicas=3), WAITING, "PendingTermination"),
    (deployment(condition("Available", "False")), WAITING, "NotAvailable"),
    (deployment(condition("ReplicaFailure", reason="FailedCreate")), WAITING, "FailedCreate"),
    (deployment(condition("Progressing", "False", reason="ProgressDeadlineExceeded"), readyReplicas=1),
     FAILED, "ProgressDeadlineExceeded"),
]  # fmt: skip


def stateful(strategy: dict[str, Any], **status: Any) -> dict[str, Any]:
    full = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), 3)
    spec = {"replicas": 3, "updateStrategy": strategy}
    return workload(
        "StatefulSet", spec, **full | {"currentRevision": "a", "updateRevision": "a"} | status
    )


HALF = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
STATEFUL = [
    (stateful({}), CURRENT_, ""),
    (stateful({}, readyReplicas=2), WAITING, "LessReadyReplicas"),
    (stateful({}, replicas=4), WAITING, "PendingTermination"),
    (stateful({}, updateRevision="b"), WAITING, "RevisionsDiffer"),
    (stateful({}, updatedReplicas=1), WAITING, "LessUpdatedReplicas"),
    (stateful({}, availableReplicas=1), WAITING, "LessAvailableReplicas"),
    (stateful(HALF, updatedReplicas=1, updateRevision="b"), CURRENT_, ""),
    (stateful(HALF, updatedReplicas=0, updateRevision="b"), WAITING, "LessUpdatedReplicas"),
    (stateful({"type": "OnDelete"}, updatedReplicas=0, updateRevision="b"), CURRENT_, ""),
    (stateful({"type": "OnDelete"}, readyReplicas=0), WAITING, "LessReadyReplicas"),
]


def daemon(strategy: str = "RollingUpdate", **status: Any) -> dict[str, Any]:
    full = dict.fromkeys(
        (
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberReady",
        ),
        2,
    )
    return workload("DaemonSet", {"updateStrategy": {"type": strategy}}, **full | status)


def replicas(**status: Any) -> dict[str, Any]:
    full = dict.fromkeys(("replicas", "availableReplicas", "readyReplicas"), 2)
    return workload("ReplicaSet", {"replicas": 2}, **full | status)


def pod(phase: str, *found: dict[str, Any], **status: Any) -> dict[str, Any]:
    return an("v1", "Pod", status={"phase": phase, "conditions": list(found), **status})


def waiting(reason: str) -> list[dict[str, Any]]:
    return [{"name": "web", "state": {"waiting": {"reason": reason}}}]


def job(*found: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return an("batch/v1", "Job", spec=spec, status=conditions(*found, succeeded=1))


def status_of(
    api_version: str, kind: str, spec: dict[str, Any] | None = None, **status: Any
) -> Any:
    return an(api_version, kind, spec=spec or {}, status=status)


HPA = ("autoscaling/v2", "HorizontalPodAutoscaler")
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
API = ("apiregistration.k8s.io/v1", "APIService")
OTHERS = [
    (daemon(), CURRENT_, ""),
    (daemon(desiredNumberScheduled=0), CURRENT_, ""),
    (workload("DaemonSet", {}), WAITING, "NoDesiredNumber"),
    (daemon(numberReady=1), WAITING, "LessNumberReady"),
    (daemon(updatedNumberScheduled=1), WAITING, "LessUpdatedNumberScheduled"),
    (daemon("OnDelete", updatedNumberScheduled=1), CURRENT_, ""),
    (replicas(), CURRENT_, ""),
    (replicas(readyReplicas=1), WAITING, "LessReadyReplicas"),
    (replicas(replicas=3), WAITING, "PendingTermination"),
    (replicas(conditions=[condition("ReplicaFailure")]), WAITING, "ReplicaFailure"),
    ({**replicas(), "apiVersion": "v1", "kind": "ReplicationController"}, CURRENT_, ""),
    ({**replicas(readyReplicas=0), "apiVersion": "v1", "kind": "ReplicationController"}, WAITING,
     "LessReadyReplicas"),
    (pod("Running", condition("Ready")), CURRENT_, ""),
    (pod("Running", condition("Ready", "False")), WAITING, "PodNotReady"),
    (pod("Succeeded"), CURRENT_, ""),
    (pod("Failed", reason="Evicted"), FAILED, "Evicted"),
    (pod("Pending", condition("PodScheduled", "False", reason="Unschedulable")), WAITING, "Unschedulable"),
    (pod("Pending", containerStatuses=waiting("ImagePullBackOff")), FAILED, "ImagePullBackOff"),
    (pod("Pending", initContainerStatuses=waiting("CrashLoopBackOff")), FAILED, "CrashLoopBackOff"),
    (pod("Pending", containerStatuses=waiting("ContainerCreating")), WAITING, "PodNotReady"),
    (job(condition("Complete")), CURRENT_, ""),
    (job(condition("Failed", reason="BackoffLimitExceeded")), FAILED, "BackoffLimitExceeded"),
    (job(condition("FailureTarget", reason="PodFailurePolicy")), FAILED, "PodFailurePolicy"),
    (job(condition("Failed", "False")), WAITING, "JobInProgress"),
    (job(suspend=True), CURRENT_, "JobSuspended"),
    (job(condition("Failed"), suspend=True), FAILED, "JobFailed"),
    (status_of("batch/v1", "CronJob"), CURRENT_, ""),
    (status_of("v1", "PersistentVolumeClaim", phase="Bound"), CURRENT_, ""),
    (status_of("v1", "PersistentVolumeClaim", phase="Pending"), WAITING, "NotBound"),
    (status_of("v1", "PersistentVolumeClaim", phase="Lost"), FAILED, "Lost"),
    (status_of("v1", "PersistentVolume", phase="Available"), CURRENT_, ""),
    (status_of("v1", "PersistentVolume", phase="Failed"), FAILED, "VolumeFailed"),
    (status_of("v1", "PersistentVolume", phase="Pending"), WAITING, "VolumePending"),
    (status_of("v1", "Service"), CURRENT_, ""),
    (status_of("v1", "Service", {"type": "LoadBalancer"}, loadBalancer={}), WAITING, "NoLoadBalancer"),
    (status_of("v1", "Service", {"type": "LoadBalancer"}, loadBalancer={"ingress": [{"ip": "192.0.2.1"}]}),
     CURRENT_, ""),
    (status_of("policy/v1", "PodDisruptionBudget"), WAITING, "NotObserved"),
    (status_of("policy/v1", "PodDisruptionBudget", observedGeneration=1, desiredHealthy=2, currentHealthy=1),
     WAITING, "LessCurrentHealthy"),
    (status_of("policy/v1", "PodDisruptionBudget", observedGeneration=1, desiredHealthy=2, currentHealthy=2),
     CURRENT_, ""),
    (status_of(*HPA), WAITING, "NotObserved"),
    (status_of(*HPA, **conditions(condition("AbleToScale"), condition("ScalingActive"))), CURRENT_, ""),
    (status_of(*HPA, **conditions(condition("AbleToScale", "False", reason="FailedGetScale"))), WAITING,
     "FailedGetScale"),
    (status_of(*HPA, **conditions(condition("AbleToScale"), condition(
        "ScalingActive", "False", reason="FailedGetResourceMetric"))), WAITING, "FailedGetResourceMetric"),
    (status_of(*HPA, **conditions(condition("AbleToScale"), condition(
        "ScalingActive", "False", reason="ScalingDisabled"))), CURRENT_, ""),
    (status_of("autoscaling/v1", "HorizontalPodAutoscaler"), CURRENT_, ""),
    (status_of(*CRD), WAITING, "NotEstablished"),
    (status_of(*CRD, **conditions(condition("Established"), condition("NamesAccepted"))), CURRENT_, ""),
    (status_of(*CRD, **conditions(condition("NamesAccepted", "False", reason="PluralConflict"))), FAILED,
     "PluralConflict"),
    (status_of(*API, **conditions(condition("Available"))), CURRENT_, ""),
    (status_of(*API), WAITING, "NotAvailable"),
    (status_of("v1", "Namespace", phase="Active"), CURRENT_, ""),
    (status_of("v1", "Namespace", phase="Terminating"), GOING, "Terminating"),
    (status_of("v1", "Namespace"), WAITING, "NotActive"),
    (status_of("networking.k8s.io/v1", "Ingress"), CURRENT_, ""),
    (an("v1", "ConfigMap"), CURRENT_, ""),
    (an("v1", "ConfigMap", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), GOING, "Terminating"),
    (pod("Running", condition("Ready")) | {"metadata": {"deletionTimestamp": "x"}}, GOING, "Terminating"),
    ({"kind": "ConfigMap"}, WAITING, "NotAnObject"),
]  # fmt: skip


def cart(*found: dict[str, Any], **status: Any) -> dict[str, Any]:
    return an(
        "shop.example/v1", "Cart", metadata={"generation": 2}, status=conditions(*found, **status)
    )


CUSTOM = [
    (cart(condition("Ready")), CURRENT_, ""),
    (cart(), CURRENT_, ""),
    (an("shop.example/v1", "Cart"), CURRENT_, ""),
    (cart(condition("Ready", "False", reason="Pulling")), WAITING, "Pulling"),
    (cart(condition("Ready", "Unknown")), WAITING, "NotReady"),
    (cart(condition("Available", "False")), WAITING, "NotReady"),
    (cart(condition("Ready"), condition("Stalled", reason="BadSpec")), FAILED, "BadSpec"),
    (cart(condition("Ready"), condition("Stalled", "False")), CURRENT_, ""),
    (cart(condition("Ready"), condition("Reconciling")), WAITING, "Reconciling"),
    (cart(condition("Ready"), observedGeneration=1), WAITING, "LatestGenerationNotObserved"),
    (cart(condition("Ready"), observedGeneration=2), CURRENT_, ""),
    (cart(condition("Ready", observedGeneration=1)), WAITING, "LatestGenerationNotObserved"),
    (cart(condition("Stalled"), observedGeneration=1), WAITING, "LatestGenerationNotObserved"),
    (an("gateway.networking.k8s.io/v1", "Gateway", status=conditions(condition("Ready", "False"))),
     WAITING, "NotReady"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "status", "reason"), [*DEPLOYMENTS, *STATEFUL, *OTHERS, *CUSTOM]
)
def test_the_state_of_an_object(document: dict[str, Any], status: str, reason: str) -> None:
    found = health(document)

    assert (found.status, found.reason) == (status, reason)


def test_a_state_says_why_in_bounds() -> None:
    found = health(
        deployment(
            condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="x" * 5000)
        )
    )

    assert 0 < len(found.message) <= 300
    assert health(deployment(readyReplicas=1)).message == "readyReplicas 1 of 2"


def test_the_worst_of_many() -> None:
    failed, going, waits = (
        Health(s) for s in (Status.FAILED, Status.TERMINATING, Status.IN_PROGRESS)
    )

    assert worst([CURRENT, waits, going, failed]) is failed
    assert worst([CURRENT, waits, going]) is going
    assert worst([CURRENT, waits]) is waits
    assert worst([CURRENT]) == worst([]) == CURRENT


words = st.sampled_from(
    ["conditions", "type", "status", "replicas", "observedGeneration", "phase", "Ready", "True", "reason",
     "containerStatuses", "state", "waiting", "loadBalancer", "ingress", "generation", "suspend"]
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
versions = {"apps": "apps/v1", "": "v1", "shop.example": "shop.example/v1"}


@LAW
@given(st.sampled_from([*BUILT_IN, ("shop.example", "Cart")]), anything, anything, anything)
def test_whatever_a_status_says_there_is_an_answer(
    kind: tuple[str, str], metadata: Any, spec: Any, status: Any
) -> None:
    """Controllers of others write it: nothing in it may stop the loop."""
    version = versions.get(kind[0], f"{kind[0]}/v1")
    found = health({"apiVersion": version, "kind": kind[1], "metadata": metadata, "spec": spec,
                    "status": status})  # fmt: skip

    assert found.status in Status
