"""
Which metadata is compared, and the closed lists of what the API server and controllers write there. Pure.

Compared: `name`, `namespace`, `labels`, `annotations`; every finalizer of the release must be there,
others may be. `ownerReferences` and what only the API server writes (`managedFields`, `uid`, …) are
not compared, nor is `generateName`: an object has its name when the gate sees it. `status` belongs to
the controllers.

A label or annotation that the release does not set is allowed only where it stands here, by kind and
with a value of the form that is written here. An update may change these annotations freely. A label
it may not: by it an applier knows its objects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.manifest import EACH, Path
from stagepass.manifests.difference import Difference, quoted
from stagepass.manifests.fields import Frame, MemberRule
from stagepass.objects import APPLICATION_LABEL, Object, members
from stagepass.policy.releases import Kind

IGNORED = {
    *("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "generateName"),
}
EXEMPT = frozenset({("", "ConfigMap", "kube-root-ca.crt")})
"""(group, kind, name) of what a controller writes into every namespace; its content is the cluster's."""

_DIGITS = r"[0-9]{1,19}"
_WORD = r"[A-Za-z0-9._-]{1,63}"
_TRUE = "true|yes"
_LIST = r"\[.*\]"


@dataclass(frozen=True, slots=True)
class Written:
    """One label or annotation: by whom it is written is in the comment beside it."""

    form: str
    kinds: frozenset[Kind] | None = None

    def fits(self, kind: Kind, value: Any) -> bool:
        """Whether an object of `kind` may have it, with this value."""
        if self.kinds is not None and kind not in self.kinds:
            return False
        return (
            isinstance(value, str) and re.fullmatch(self.form, value, re.ASCII | re.S) is not None
        )


def _in(*kinds: Kind) -> frozenset[Kind]:
    return frozenset(kinds)


_DEPLOYMENTS = _in(("apps", "Deployment"), ("apps", "ReplicaSet"))
_DAEMON_SET = _in(("apps", "DaemonSet"))
_CLAIM = _in(("", "PersistentVolumeClaim"))
_AUTOSCALER = _in(("autoscaling", "HorizontalPodAutoscaler"))

LABELS: Mapping[str, Written] = {
    # The applier: whose object it is. Which words these are in a place, `misnamed` asks.
    APPLICATION_LABEL: Written(_WORD),
}
ANNOTATIONS: Mapping[str, Written] = {
    # kubectl apply: what it applied last. The API server reads none of it.
    "kubectl.kubernetes.io/last-applied-configuration": Written(".*"),
    # The deployment controller: the count of roll-outs, and the wished size while it rolls out.
    "deployment.kubernetes.io/revision": Written(_DIGITS, _DEPLOYMENTS),
    "deployment.kubernetes.io/revision-history": Written("[0-9,]*", _DEPLOYMENTS),
    "deployment.kubernetes.io/desired-replicas": Written(_DIGITS, _DEPLOYMENTS),
    "deployment.kubernetes.io/max-replicas": Written(_DIGITS, _DEPLOYMENTS),
    # The API server: the old name of metadata.generation.
    "deprecated.daemonset.template.generation": Written(_DIGITS, _DAEMON_SET),
    # The volume binder and the scheduler.
    "pv.kubernetes.io/bind-completed": Written(_TRUE, _CLAIM),
    "pv.kubernetes.io/bound-by-controller": Written(_TRUE, _CLAIM),
    "volume.kubernetes.io/storage-provisioner": Written("[A-Za-z0-9./-]{1,253}", _CLAIM),
    "volume.beta.kubernetes.io/storage-provisioner": Written("[A-Za-z0-9./-]{1,253}", _CLAIM),
    "volume.kubernetes.io/selected-node": Written("[a-z0-9.-]{1,253}", _CLAIM),
    # The API server: the status of an autoscaler, where it is read as autoscaling/v1. `metrics` and
    # `behavior`, which stand beside them, are of its spec.
    "autoscaling.alpha.kubernetes.io/conditions": Written(_LIST, _AUTOSCALER),
    "autoscaling.alpha.kubernetes.io/current-metrics": Written(_LIST, _AUTOSCALER),
    # The Job controller, until 1.26.
    "batch.kubernetes.io/job-tracking": Written("", _in(("batch", "Job"))),
}


def listed(words: Mapping[str, Written], kind: Kind, key: str, value: Any) -> bool:
    """Whether a controller may have written this."""
    found = words.get(key)
    return found is not None and found.fits(kind, value)


def rules(kind: Kind) -> dict[Path, MemberRule]:
    """Of labels and annotations that the release does not set, in objects of `kind`."""

    def label(key: str, value: Any, _: Frame) -> bool:
        return listed(LABELS, kind, key, value)

    def annotation(key: str, value: Any, _: Frame) -> bool:
        return listed(ANNOTATIONS, kind, key, value)

    return {("metadata", "labels", EACH): label, ("metadata", "annotations", EACH): annotation}


def compared(metadata: Any) -> dict[str, Any]:
    """The members that are compared; labels and annotations are there, if empty."""
    kept = {name: each for name, each in members(metadata).items() if name not in IGNORED}
    for name in ("labels", "annotations"):
        if kept.get(name) is None:
            kept[name] = {}
    if kept.get("finalizers") == []:
        del kept["finalizers"]
    return kept


def with_finalizers(want: dict[str, Any], have: dict[str, Any]) -> None:
    """Take out of `have` the finalizers that the release does not name: controllers add theirs."""
    wanted, found = want.get("finalizers") or [], have.get("finalizers")
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        kept = [each for each in wanted if each in found]
        have["finalizers"] = kept
        if not kept:
            del have["finalizers"]


def unmarked(source: Object, kind: Kind) -> dict[str, Any]:
    """The metadata that only people and appliers change."""
    metadata = compared(source.get("metadata"))
    metadata.pop("finalizers", None)
    found = metadata["annotations"]
    if isinstance(found, dict):
        kept = {k: v for k, v in found.items() if not listed(ANNOTATIONS, kind, k, v)}
        metadata["annotations"] = kept
    return metadata


def misnamed(source: Object, applications: frozenset[str]) -> Difference | None:
    """The applier's label where it names none of `applications`; None where it does, or is not there."""
    labels = members(members(source.get("metadata")).get("labels"))
    if APPLICATION_LABEL not in labels:
        return None
    value = labels[APPLICATION_LABEL]
    if isinstance(value, str) and value in applications:
        return None
    want = " or ".join(map(quoted, sorted(applications)))
    return Difference(f"metadata.labels[{APPLICATION_LABEL}]", quoted(value), want)
