"""Objects that pass for what a controller made: Pods, ReplicaSets, Jobs and claims of nobody's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.manifests.samples import IMAGE, MESH, an, put
from tests.manifests_attacks.objects import NEXT, Object
from tests.manifests_attacks.pods import SPEC
from tests.manifests_attacks.row import ADMITTED, Attack, Find, forged

_UID = "0f0e0d0c-0b0a-4908-8706-050403020100"
_HASH = "7d4b9c6f5d"
Make = Callable[[Find], Object]


def _owned(document: Object, version: str, kind: str, name: str) -> Object:
    owner = {"apiVersion": version, "kind": kind, "name": name, "uid": _UID, "controller": True}
    document["metadata"]["ownerReferences"] = [owner]
    return document


def _of(owner: Object, kind: str, name: str, template: Object, **labels: str) -> Object:
    found = copy.deepcopy(template)
    metadata = found.get("metadata", {})
    metadata |= {"name": name, "namespace": owner["metadata"]["namespace"]}
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    version = {"Pod": "v1", "ReplicaSet": "apps/v1", "Job": "batch/v1"}[kind]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": found["spec"]}


def pod(find: Find) -> Object:
    """As the ReplicaSet controller makes it."""
    web = find("Deployment", "web")
    made = _of(
        web, "Pod", f"web-{_HASH}-x7k2p", web["spec"]["template"], **{"pod-template-hash": _HASH}
    )
    return _owned(made, "apps/v1", "ReplicaSet", f"web-{_HASH}")


def replica_set(find: Find) -> Object:
    """As the Deployment controller makes it."""
    web = find("Deployment", "web")
    spec = copy.deepcopy(web["spec"])
    mark = {"pod-template-hash": _HASH}
    spec["selector"]["matchLabels"] |= mark
    spec["template"]["metadata"]["labels"] |= mark
    made = _of(
        web,
        "ReplicaSet",
        f"web-{_HASH}",
        {"metadata": {"labels": {"app": "web"}}, "spec": spec},
        **mark,
    )
    return _owned(made, "apps/v1", "Deployment", "web")


def job(find: Find) -> Object:
    """As the CronJob controller makes it."""
    report = find("CronJob", "report")
    made = _of(report, "Job", "report-29000000", report["spec"]["jobTemplate"])
    if not made["metadata"]["labels"]:
        del made["metadata"]["labels"]
    return _owned(made, "batch/v1", "CronJob", "report")


def member(find: Find) -> Object:
    """As the StatefulSet controller makes it."""
    db = find("StatefulSet", "db")
    name = "db-0"
    labels = {
        "controller-revision-hash": f"db-{_HASH}",
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": "0",
    }
    made = _of(db, "Pod", name, db["spec"]["template"], **labels)
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}
    made["spec"] |= {"hostname": name, "subdomain": "db"}
    made["spec"]["volumes"] = [claim, *made["spec"]["volumes"]]
    return _owned(made, "apps/v1", "StatefulSet", "db")


def claim(find: Find) -> Object:
    """As the StatefulSet controller makes it."""
    db = find("StatefulSet", "db")
    (template,) = db["spec"]["volumeClaimTemplates"]
    metadata = {"labels": {"app": "db"}, "namespace": db["metadata"]["namespace"]}
    return an("v1", "PersistentVolumeClaim", "data-db-0", metadata=metadata, spec=template["spec"])


def _ran(find: Find) -> Object:
    """`kubectl run web --image=ATTESTED -- evil`."""
    container = {"name": "web", "image": IMAGE, "args": ["evil"]}
    metadata = {
        "labels": {"run": "web"},
        "namespace": find("Service", "web")["metadata"]["namespace"],
    }
    return an("v1", "Pod", "ran", metadata=metadata, spec={"containers": [container]})


def _bare(find: Find) -> Object:
    """`kubectl run web --image=ATTESTED`."""
    found = _ran(find)
    del found["spec"]["containers"][0]["args"]
    return found


def _put(make: Make, path: str, value: Any) -> Make:
    return lambda find: put(make(find), path, value)


def _spec(make: Make, what: str) -> Make:
    path, value = SPEC[what]

    def change(find: Find) -> Object:
        found = make(find)
        head = path.split(".")[0].split("[")[0]
        found["spec"].setdefault(head, [] if "[+]" in path or isinstance(value, list) else {})
        changed: Object = put(found, f"spec.{path}", value)
        return changed

    return change


_COPIED = (
    *("command", "args", "env value", "env twice, the last wins", "volume of the host"),
    *("token for another audience", "capabilities", "node's network", "node's processes"),
    *("lifecycle hook added", "probe that executes", "container added", "init container added"),
    *("toleration", "runtime class", "priority class", "scheduler", "service account", "node"),
    *("affinity", "node selector", "DNS server", "volume of a Secret", "port of the host"),
)
# An API server creates an object that names such a version, and keeps what it chose.
_CHOSEN: tuple[tuple[str, Make, str, Any], ...] = (
    ("copy of a Pod of a Deployment: node", pod, "spec.nodeName", "control-plane"),
    ("copy of a Pod of a StatefulSet: node", member, "spec.nodeName", "control-plane"),
    ("claim of a StatefulSet, of a chosen volume", claim, "spec.volumeName", "pv-of-another"),
)
_IMAGES = {"image of release B": NEXT, "mesh image": MESH}
_MADE: dict[str, Make] = {
    "Pod of a Deployment": pod,
    "Pod of a StatefulSet": member,
    "ReplicaSet of a Deployment": replica_set,
    "Job of a CronJob": job,
    "claim of a StatefulSet": claim,
}
CONTROLS = tuple(
    forged(f"{what}, exactly", make, expected=ADMITTED, why="what the controller would make")
    for what, make in _MADE.items()
)
ROWS: tuple[Attack, ...] = (
    forged("kubectl run of an attested image, another command", _ran),
    forged("kubectl run of an attested image", _bare),
    *(forged(f"copy of a Pod of a Deployment: {what}", _spec(pod, what)) for what in _COPIED),
    *(forged(f"copy of a Pod of a StatefulSet: {what}", _spec(member, what)) for what in _COPIED),
    *(
        forged(f"copy of a Pod of a Deployment: {what}", _put(pod, "spec.containers[1].image", image))
        for what, image in _IMAGES.items()
    ),
    forged("Pod with a forged owner, another command", lambda find: _owned(
        _ran(find), "apps/v1", "ReplicaSet", f"web-{_HASH}")),
    forged("Pod of a set beside its ordinals", _put(member, "metadata.name", "db-00")),
    forged("Pod of a set with another's claim", _put(
        member, "spec.volumes[0].persistentVolumeClaim.claimName", "data-db-1")),
    forged("Pod of a set under another host name", _put(member, "spec.hostname", "db-1")),
    forged("Pod with a label that a Service selects", _put(pod, "metadata.labels.role", "primary")),
    forged("Pod without the label of its policy", _put(pod, "metadata.labels.app", "free")),
    forged("Pod with a hash that is none", _put(pod, "metadata.labels[pod-template-hash]", "a.b")),
    forged("Pod with an annotation that a mesh reads", _put(
        pod, "metadata.annotations[mesh.example.com/inject]", "yes")),
    forged("Pod with an annotation of the node", _put(
        pod, "metadata.annotations[kubernetes.io/config.mirror]", "x")),
    forged("Pod of a Deployment, labelled as of a Job", _put(
        pod, "metadata.labels[job-name]", "migrate")),
    forged("Pod of a Deployment that tolerates like a DaemonSet's", _put(pod, "spec.tolerations", [
        {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}])),
    forged("ReplicaSet with a forged hash in its selector", _put(
        replica_set, "spec.selector.matchLabels[pod-template-hash]", "5555555555")),
    forged("ReplicaSet with a forged hash in its Pods", _put(
        replica_set, "spec.template.metadata.labels[pod-template-hash]", "5555555555")),
    forged("ReplicaSet that selects more", _put(
        replica_set, "spec.selector.matchLabels", {"app": "web"})),
    forged("ReplicaSet of another name", _put(
        replica_set, "metadata.name", "evil")),
    forged("ReplicaSet with another command", _put(
        replica_set, "spec.template.spec.containers[0].command", ["sh"])),
    forged("ReplicaSet with a host path", _put(replica_set, "spec.template.spec.volumes[0]", {
        "name": "conf", "hostPath": {"path": "/"}})),
    forged("ReplicaSet with a node", _put(replica_set, "spec.template.spec.nodeName", "node-1")),
    forged("Job forged as of a CronJob, another command", _put(
        job, "spec.template.spec.containers[0].command", ["sh"])),
    forged("Job forged as of a CronJob, a thousand Pods", _put(job, "spec.parallelism", 1000)),
    forged("Job forged as of a CronJob, other labels", _put(
        job, "spec.template.metadata.labels.app", "web")),
    forged("Job forged as of a CronJob, another name", _put(
        job, "metadata.name", "evil")),
    forged("claim named like a StatefulSet's, larger", _put(
        claim, "spec.resources.requests.storage", "1Ti")),
    forged("claim named like a StatefulSet's, of a chosen volume", _put(
        claim, "spec.volumeName", "pv-of-another")),
    *(
        forged(f"{what}, and resource version {version!r}", _put(
            _put(make, path, value), "metadata.resourceVersion", version))
        for version in ("0", "x")
        for what, make, path, value in _CHOSEN
    ),
    forged("claim named like a StatefulSet's, from another's data", _put(
        claim, "spec.dataSourceRef", {"kind": "PersistentVolumeClaim", "name": "x"})),
    forged("claim named like a StatefulSet's, chosen node", _put(
        claim, "metadata.annotations", {"volume.kubernetes.io/selected-node": "node-1"}),
        expected=ADMITTED, why="where the volume is made; what it is was released"),
    forged("Pod of a Deployment, named like a StatefulSet's", _put(
        pod, "metadata.name", "db-7"), expected=ADMITTED,
        why="its name opens nothing: a member's host name and claims are fields of their own"),
    forged("claim beside the ordinals", _put(
        claim, "metadata.name", "data-db-x")),
    *CONTROLS,
)  # fmt: skip
