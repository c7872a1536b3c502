"""
Values that the API server writes depending on what stands beside them, or allocates. Pure.

Each rule is asked only for a member that the release does not set, and decides alone: what the table
saw in another object is no default here. A release that sets the member is compared as it stands.
The rules of Pods and Pod templates are in `conditional_pods`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from stagepass.manifest import EACH, Path
from stagepass.manifests.fields import Frame, MemberRule
from stagepass.objects import members, without_nulls
from stagepass.policy.releases import Kind

_RBAC = "rbac.authorization.k8s.io"
_BALANCED = ("NodePort", "LoadBalancer")
_STICKY_SECONDS = 10_800
_MAX_INT32 = 2**31 - 1
_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def _is_port(value: Any) -> bool:
    return type(value) is int and 0 < value < 1 << 16


def _type(frame: Frame) -> object:
    """Of a Service, from its spec."""
    return frame.want.get("type", "ClusterIP")


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


# Service -----------------------------------------------------------------------------------------
def _cluster_ip(_: str, value: Any, frame: Frame) -> bool:
    """An allocated address. Never `None`: headless is another kind of Service. The first of clusterIPs."""
    wanted = frame.want.get("clusterIPs")
    if wanted:
        return bool(value == wanted[0])
    return _type(frame) != "ExternalName" and _is_address(value)


def _cluster_ips(_: str, value: Any, frame: Frame) -> bool:
    """`clusterIP` first; a second allocated address where there are two families."""
    if not isinstance(value, list) or not value or len(value) > 2:  # IPv4 and IPv6
        return False
    first, *rest = value
    return first == frame.have.get("clusterIP") and first != "" and all(map(_is_address, rest))


def _ip_families(_: str, value: Any, frame: Frame) -> bool:
    """One or both, none twice; as many as there are addresses, unless it is headless."""
    if _type(frame) == "ExternalName" or value not in (
        *(["IPv4"], ["IPv6"]),
        *(["IPv4", "IPv6"], ["IPv6", "IPv4"]),
    ):
        return False
    addresses = frame.have.get("clusterIPs")
    headless = frame.want.get("clusterIP") == "None"
    return headless or (isinstance(addresses, list) and len(value) == len(addresses))


def _ip_family_policy(_: str, value: Any, frame: Frame) -> bool:
    """SingleStack; RequireDualStack where two are asked for, or headless and without selector."""
    if _type(frame) == "ExternalName":
        return False
    two = any(len(frame.want.get(name) or ()) > 1 for name in ("clusterIPs", "ipFamilies"))
    bare = frame.want.get("clusterIP") == "None" and not frame.want.get("selector")
    return bool(value == ("RequireDualStack" if two or bare else "SingleStack"))


def _node_port(_: str, value: Any, frame: Frame) -> bool:
    """Allocated, where the type has node ports."""
    return _type(frame.above(2)) in _BALANCED and _is_port(value)


def _health_port(_: str, value: Any, frame: Frame) -> bool:
    """Allocated for a load balancer that must know which nodes have a Pod."""
    local = frame.want.get("externalTrafficPolicy") == "Local"
    return _type(frame) == "LoadBalancer" and local and _is_port(value)


def _target_port(_: str, value: Any, frame: Frame) -> bool:
    """The port itself; a headless Service keeps none."""
    return type(value) is int and value == frame.want.get("port")


def _external_policy(_: str, value: Any, frame: Frame) -> bool:
    """Cluster, where traffic comes from outside."""
    reached = _type(frame) in _BALANCED or bool(frame.want.get("externalIPs"))
    return reached and value == "Cluster"


def _internal_policy(_: str, value: Any, frame: Frame) -> bool:
    """Cluster, unless it is only a name."""
    return _type(frame) != "ExternalName" and value == "Cluster"


def _allocates(_: str, value: Any, frame: Frame) -> bool:
    """A load balancer has node ports unless it says otherwise."""
    return _type(frame) == "LoadBalancer" and value is True


def _affinity_config(_: str, value: Any, frame: Frame) -> bool:
    """Three hours, where clients stick."""
    timeout = members(members(value).get("clientIP")).get("timeoutSeconds")
    return value == {"clientIP": {"timeoutSeconds": timeout}} and _is_sticky(frame, timeout)


def _client_config(_: str, value: Any, frame: Frame) -> bool:
    timeout = members(value).get("timeoutSeconds")
    return value == {"timeoutSeconds": timeout} and _is_sticky(frame.above(1), timeout)


def _client_timeout(_: str, value: Any, frame: Frame) -> bool:
    return _is_sticky(frame.above(2), value)


def _is_sticky(frame: Frame, timeout: Any) -> bool:
    sticky = frame.want.get("sessionAffinity") == "ClientIP"
    return sticky and type(timeout) is int and timeout == _STICKY_SECONDS


# NetworkPolicy and RBAC --------------------------------------------------------------------------
def _policy_types(_: str, value: Any, frame: Frame) -> bool:
    """Ingress always; Egress where the release has rules for it. Left out, it would open all."""
    return bool(value == (["Ingress", "Egress"] if frame.want.get("egress") else ["Ingress"]))


def _subject_group(_: str, value: Any, frame: Frame) -> bool:
    """RBAC's own for users and groups, the core group for service accounts."""
    wanted = {"User": _RBAC, "Group": _RBAC, "ServiceAccount": ""}
    return isinstance(value, str) and value == wanted.get(frame.want.get("kind"))


# Jobs --------------------------------------------------------------------------------------------
def _generated(frame: Frame) -> Mapping[str, Any]:
    """The labels that the API server gives a Job's Pods: from the name and UID of the Job itself."""
    root = frame.root
    metadata = members(root.have.get("metadata"))
    uid, name = metadata.get("uid"), metadata.get("name")
    if members(root.want.get("spec")).get("manualSelector") is True:
        return {}
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        return {}
    uids = dict.fromkeys(("controller-uid", "batch.kubernetes.io/controller-uid"), uid)
    return {**uids, **dict.fromkeys(("job-name", "batch.kubernetes.io/job-name"), name)}


def _is_generated(key: str, value: Any, frame: Frame) -> bool:
    return isinstance(value, str) and _generated(frame).get(key) == value


def _job_template_labels(_: str, value: Any, frame: Frame) -> bool:
    """Where the template has none of its own."""
    return isinstance(value, dict) and all(_is_generated(k, v, frame) for k, v in value.items())


def _job_template_metadata(_: str, value: Any, frame: Frame) -> bool:
    """Where the template has none of its own."""
    given = {name: each for name, each in members(value).items() if each is not None}
    return isinstance(value, dict) and (
        not given
        or (given.keys() == {"labels"} and _job_template_labels("labels", given["labels"], frame))
    )


def _job_selector(_: str, value: Any, frame: Frame) -> bool:
    """Its own UID."""
    labels = _generated(frame)
    return any(
        value == {"matchLabels": {key: labels[key]}} for key in labels if "controller-uid" in key
    )


def _job_label(key: str, value: Any, frame: Frame) -> bool:
    """A Job without labels takes those of its template."""
    return _is_generated(key, value, frame) or _label_of_template(key, value, frame)


def _label_of_template(key: str, value: Any, frame: Frame) -> bool:
    """
    Filled in where the object has no labels; `kubectl apply` of a later release that has some leaves
    them, as nobody ever applied them.
    """
    return isinstance(value, str) and _template_labels(frame.root.want).get(key) == value


def _template_labels(want: Mapping[str, Any]) -> Mapping[str, Any]:
    template = members(members(want.get("spec")).get("template"))
    return members(members(template.get("metadata")).get("labels"))


def _completions(_: str, value: Any, frame: Frame) -> bool:
    """1, where parallelism is left open as well: else it is a work queue."""
    return type(value) is int and value == 1 and frame.want.get("parallelism") is None


def _backoff_limit(_: str, value: Any, frame: Frame) -> bool:
    """6; no limit where there is one for each index."""
    limit = 6 if frame.want.get("backoffLimitPerIndex") is None else _MAX_INT32
    return type(value) is int and value == limit


def _replacement(_: str, value: Any, frame: Frame) -> bool:
    """Failed under a failure policy."""
    failed = frame.want.get("podFailurePolicy") is not None
    return bool(value == ("Failed" if failed else "TerminatingOrFailed"))


# ReplicationController, PersistentVolumeClaim ----------------------------------------------------
def _own_template(_: str, value: Any, frame: Frame) -> bool:
    """The selector is the template's labels."""
    labels = _template_labels(frame.root.want)
    return bool(labels) and bool(value == labels)


def _name_text(_: str, value: Any, frame: Frame) -> bool:
    """Which volume and class is the cluster's answer: the binder and DefaultStorageClass write it."""
    del frame
    return isinstance(value, str) and re.fullmatch(r"[a-z0-9.-]{1,253}", value) is not None


def _mirrored(name: str, value: Any, frame: Frame) -> bool:
    """`dataSource` and `dataSourceRef` are the same; the old one knows no namespace."""
    other = {"dataSource": "dataSourceRef", "dataSourceRef": "dataSource"}[name]
    wanted, found = without_nulls(frame.want.get(other)), without_nulls(value)
    return isinstance(wanted, dict) and bool(found == wanted) and "namespace" not in wanted


_SPEC = "spec"
# What the scheduler and the volume binder choose, by a binding and an update: never with a new object.
# A Pod that brings its node along passes by every taint; a claim, by whose volume it is.
LATER: Mapping[Kind, frozenset[Path]] = {
    ("", "Pod"): frozenset({(_SPEC, "nodeName")}),
    ("", "PersistentVolumeClaim"): frozenset({(_SPEC, "volumeName")}),
}
RULES: Mapping[Kind, Mapping[Path, MemberRule]] = {
    ("", "Service"): {
        (_SPEC, "clusterIP"): _cluster_ip,
        (_SPEC, "clusterIPs"): _cluster_ips,
        (_SPEC, "ipFamilies"): _ip_families,
        (_SPEC, "ipFamilyPolicy"): _ip_family_policy,
        (_SPEC, "healthCheckNodePort"): _health_port,
        (_SPEC, "ports", EACH, "nodePort"): _node_port,
        (_SPEC, "ports", EACH, "targetPort"): _target_port,
        (_SPEC, "externalTrafficPolicy"): _external_policy,
        (_SPEC, "internalTrafficPolicy"): _internal_policy,
        (_SPEC, "allocateLoadBalancerNodePorts"): _allocates,
        (_SPEC, "sessionAffinityConfig"): _affinity_config,
        (_SPEC, "sessionAffinityConfig", "clientIP"): _client_config,
        (_SPEC, "sessionAffinityConfig", "clientIP", "timeoutSeconds"): _client_timeout,
    },
    ("networking.k8s.io", "NetworkPolicy"): {(_SPEC, "policyTypes"): _policy_types},
    (_RBAC, "RoleBinding"): {("subjects", EACH, "apiGroup"): _subject_group},
    (_RBAC, "ClusterRoleBinding"): {("subjects", EACH, "apiGroup"): _subject_group},
    ("batch", "Job"): {
        ("metadata", "labels", EACH): _job_label,
        (_SPEC, "selector"): _job_selector,
        (_SPEC, "template", "metadata"): _job_template_metadata,
        (_SPEC, "template", "metadata", "labels"): _job_template_labels,
        (_SPEC, "template", "metadata", "labels", EACH): _is_generated,
        (_SPEC, "completions"): _completions,
        (_SPEC, "backoffLimit"): _backoff_limit,
        (_SPEC, "podReplacementPolicy"): _replacement,
    },
    ("", "ReplicationController"): {
        ("metadata", "labels", EACH): _label_of_template,
        (_SPEC, "selector"): _own_template,
    },
    ("", "PersistentVolumeClaim"): {
        (_SPEC, "volumeName"): _name_text,
        (_SPEC, "storageClassName"): _name_text,
        (_SPEC, "dataSource"): _mirrored,
        (_SPEC, "dataSourceRef"): _mirrored,
    },
}
