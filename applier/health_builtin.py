"""Health of the kinds that Kubernetes itself runs, one function each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from applier.health_status import (
    CURRENT,
    Health,
    Status,
    condition,
    failed,
    in_progress,
    is_false,
    is_true,
    text,
    whole,
)
from applier.pods import pod_failure
from applier.rules import Object, entries, members


def _spec(obj: Object) -> Object:
    return members(obj.get("spec"))


def _status(obj: Object) -> Object:
    return members(obj.get("status"))


def _first_short(obj: Object, wanted: int, *counts: str) -> Health | None:
    """In progress where a count is below `wanted`, None where none is. All need a controller's look."""
    status = _status(obj)
    if status.get("observedGeneration") is None:
        return in_progress("NotObserved", "its controller has not looked at it yet")
    for name in counts:
        if (number := whole(status.get(name))) < wanted:
            return in_progress(f"Less{name[0].upper()}{name[1:]}", f"{name} {number} of {wanted}")
    return None


def _deployment(obj: Object) -> Health:
    spec, status = _spec(obj), _status(obj)
    wanted = whole(spec.get("replicas"), 1)
    progressing = condition(status, "Progressing")
    if is_false(progressing) and progressing.get("reason") == "ProgressDeadlineExceeded":
        return failed("ProgressDeadlineExceeded", text(progressing.get("message")))
    broken = condition(status, "ReplicaFailure")
    if is_true(
        broken
    ):  # a quota or a webhook refuses its Pods: the deadline decides when to give up
        return in_progress(
            text(broken.get("reason")) or "ReplicaFailure", text(broken.get("message"))
        )
    short = _first_short(obj, wanted, "replicas", "updatedReplicas")
    if short is not None:
        return short
    if whole(status.get("replicas")) > whole(status.get("updatedReplicas")):
        return in_progress("PendingTermination", "Pods of an older template are still there")
    short = _first_short(obj, wanted, "availableReplicas", "readyReplicas")
    if short is not None:
        return short
    available = condition(status, "Available")
    if available and not is_true(available):
        return in_progress("NotAvailable", text(available.get("message")))
    return CURRENT


def _stateful_set(obj: Object) -> Health:
    spec, status = _spec(obj), _status(obj)
    wanted = whole(spec.get("replicas"), 1)
    strategy = members(spec.get("updateStrategy"))
    if short := _first_short(obj, wanted, "replicas", "readyReplicas"):
        return short
    if whole(status.get("replicas")) > wanted:
        return in_progress("PendingTermination", "more Pods than wanted")
    if strategy.get("type") == "OnDelete":
        return CURRENT
    partition = whole(members(strategy.get("rollingUpdate")).get("partition"))
    if short := _first_short(obj, max(wanted - partition, 0), "updatedReplicas"):
        return short
    if partition == 0 and status.get("currentRevision") != status.get("updateRevision"):
        return in_progress("RevisionsDiffer", "the update has not ended")
    if short := _first_short(obj, wanted, "availableReplicas"):
        return short
    return CURRENT


def _daemon_set(obj: Object) -> Health:
    spec, status = _spec(obj), _status(obj)
    if "desiredNumberScheduled" not in status:
        return in_progress("NoDesiredNumber", "its controller has not counted the nodes yet")
    wanted = whole(status.get("desiredNumberScheduled"))
    on_delete = members(spec.get("updateStrategy")).get("type") == "OnDelete"
    counts = ["currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"]
    if on_delete:
        counts.remove("updatedNumberScheduled")
    return _first_short(obj, wanted, *counts) or CURRENT


def _replica_set(obj: Object) -> Health:
    wanted, status = whole(_spec(obj).get("replicas"), 1), _status(obj)
    broken = condition(status, "ReplicaFailure")
    if is_true(broken):
        return in_progress("ReplicaFailure", text(broken.get("message")))
    short = _first_short(obj, wanted, "replicas", "availableReplicas", "readyReplicas")
    if short is not None:
        return short
    if whole(status.get("replicas")) > wanted:
        return in_progress("PendingTermination", "more Pods than wanted")
    return CURRENT


def _pod(obj: Object) -> Health:
    phase = text(_status(obj).get("phase"))
    if phase == "Succeeded":
        return CURRENT
    if phase == "Failed":
        return failed(text(_status(obj).get("reason")) or "PodFailed", _message(obj))
    if (broken := pod_failure(obj)) is not None:
        return broken
    if phase == "Running" and is_true(condition(_status(obj), "Ready")):
        return CURRENT
    scheduled = condition(_status(obj), "PodScheduled")
    if is_false(scheduled):
        reason = text(scheduled.get("reason")) or "Unschedulable"
        return in_progress(reason, text(scheduled.get("message")))
    return in_progress("PodNotReady", f"phase {phase or 'unknown'}")


def _job(obj: Object) -> Health:
    status = _status(obj)
    for kind in ("Failed", "FailureTarget"):
        found = condition(status, kind)
        if is_true(found):
            return failed(text(found.get("reason")) or "JobFailed", text(found.get("message")))
    if is_true(condition(status, "Complete")):
        return CURRENT
    if _spec(obj).get("suspend") is True:
        return Health(Status.CURRENT, "JobSuspended", "it is suspended, as was asked")
    return in_progress("JobInProgress", f"{whole(status.get('succeeded'))} Pods succeeded")


def _claim(obj: Object) -> Health:
    phase = text(_status(obj).get("phase"))
    if phase == "Bound":
        return CURRENT
    return failed("Lost", "its volume is gone") if phase == "Lost" else in_progress("NotBound")


def _volume(obj: Object) -> Health:
    phase = text(_status(obj).get("phase"))
    if phase == "Failed":
        return failed("VolumeFailed", _message(obj))
    return CURRENT if phase in ("Available", "Bound", "Released") else in_progress("VolumePending")


def _service(obj: Object) -> Health:
    if _spec(obj).get("type") != "LoadBalancer":
        return CURRENT
    if entries(members(_status(obj).get("loadBalancer")).get("ingress")):
        return CURRENT
    return in_progress("NoLoadBalancer", "no address was given to it yet")


def _disruption_budget(obj: Object) -> Health:
    wanted = whole(_status(obj).get("desiredHealthy"))
    return _first_short(obj, wanted, "currentHealthy") or CURRENT


def _autoscaler(obj: Object) -> Health:
    if obj.get("apiVersion") == "autoscaling/v1":  # keeps its conditions in an annotation
        return CURRENT
    status = _status(obj)
    able, active = condition(status, "AbleToScale"), condition(status, "ScalingActive")
    if not able:
        return in_progress("NotObserved", "its controller has not looked at it yet")
    if is_false(able):
        return in_progress(text(able.get("reason")) or "NotAbleToScale", text(able.get("message")))
    if is_false(active) and active.get("reason") != "ScalingDisabled":  # replicas 0, as was asked
        return in_progress(text(active.get("reason")) or "NotActive", text(active.get("message")))
    return CURRENT


def _definition(obj: Object) -> Health:
    names = condition(_status(obj), "NamesAccepted")
    if is_false(names):
        return failed(text(names.get("reason")) or "NamesNotAccepted", text(names.get("message")))
    if is_true(condition(_status(obj), "Established")):
        return CURRENT
    return in_progress("NotEstablished", "its API is not served yet")


def _api_service(obj: Object) -> Health:
    found = condition(_status(obj), "Available")
    if is_true(found):
        return CURRENT
    return in_progress(text(found.get("reason")) or "NotAvailable", text(found.get("message")))


def _namespace(obj: Object) -> Health:
    phase = text(_status(obj).get("phase"))
    if phase == "Terminating":
        return Health(Status.TERMINATING, "Terminating", "it is being deleted")
    return CURRENT if phase == "Active" else in_progress("NotActive", f"phase {phase or 'unknown'}")


def _message(obj: Object) -> str:
    return text(_status(obj).get("message"))


BUILT_IN: Mapping[tuple[str, str], Callable[[Object], Health]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("", "ReplicationController"): _replica_set,
    ("", "Pod"): _pod,
    ("batch", "Job"): _job,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "PersistentVolume"): _volume,
    ("", "Service"): _service,
    ("policy", "PodDisruptionBudget"): _disruption_budget,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    ("", "Namespace"): _namespace,
}
"""Every other built-in kind is current as soon as it is there: nothing reports on it."""
