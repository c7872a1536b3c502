"""
What each controller makes of a template, as it was read from a release. Pure.

Every function takes the owner (an object of a release) and the live object, and gives the object that
the controller would have made under the live one's name. What the controller chooses is taken over
from the live object only where it has the written form; else it is left out, and so a difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stagepass.objects import Object, entries, members

_HASH = r"[a-z0-9]{1,20}"
_DIGITS = r"(?:0|[1-9][0-9]{0,9})"
_UID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})"
_MAX_HOSTNAME = 63
_TEMPLATE_HASH = "pod-template-hash"
_REVISION = "controller-revision-hash"
_INDEX = "batch.kubernetes.io/job-completion-index"
_FAILURES = (  # of this index so far
    "batch.kubernetes.io/job-index-failure-count",
    "batch.kubernetes.io/job-index-ignored-failure-count",
)
_INDEXED_VARIABLE = "JOB_COMPLETION_INDEX"

# In this order: what a Pod of a DaemonSet tolerates, on whatever node it is.
_DAEMON_TOLERATIONS = (
    *(("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule")),
    *(("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule")),
    ("unschedulable", "NoSchedule"),
)


def pod_of_template(owner: Object, live: Object) -> dict[str, Any] | None:
    """Of a ReplicaSet or ReplicationController that the release names: the template itself."""
    return _pod(owner, _template(owner), live, {})


def pod_of_deployment(owner: Object, live: Object) -> dict[str, Any] | None:
    """With the hash of its ReplicaSet."""
    return _pod(owner, _template(owner), live, {_TEMPLATE_HASH: _HASH})


def pod_of_stateful_set(owner: Object, live: Object) -> dict[str, Any] | None:
    """`SET-ORDINAL`, which is its host name; its claims stand before the template's volumes."""
    name, pod = _name(owner), _name(live)
    match = re.fullmatch(rf"{re.escape(name)}-({_DIGITS})", pod, re.ASCII)
    if match is None:
        return None
    forms = {
        _REVISION: rf"{re.escape(name)}-{_HASH}",
        "statefulset.kubernetes.io/pod-name": re.escape(pod),
        "apps.kubernetes.io/pod-index": match[1],
    }
    found = _pod(owner, _template(owner), live, forms)
    if found is None:
        return None
    own = members(owner.get("spec"))
    spec = found["spec"]
    spec["hostname"] = pod
    if own.get("serviceName"):
        spec["subdomain"] = own["serviceName"]
    templates = [
        str(members(each.get("metadata")).get("name"))
        for each in entries(own.get("volumeClaimTemplates"))
    ]
    if templates:
        spec["volumes"] = _with_claims(spec, templates, pod, members(live.get("spec")))
    return found


def pod_of_daemon_set(owner: Object, live: Object) -> dict[str, Any] | None:
    """Bound to one node by affinity, and tolerating what befalls it."""
    forms = {_REVISION: _HASH, "pod-template-generation": _DIGITS}
    found = _pod(owner, _template(owner), live, forms)
    if found is None:
        return None
    spec = found["spec"]
    tolerations = list(entries(spec.get("tolerations")))
    more = (("network-unavailable", "NoSchedule"),) if spec.get("hostNetwork") is True else ()
    for key, effect in (*_DAEMON_TOLERATIONS, *more):
        _tolerate(tolerations, f"node.kubernetes.io/{key}", effect)
    spec["tolerations"] = tolerations
    terms = _node_terms(members(live.get("spec")))
    if terms is not None:
        affinity = dict(members(spec.get("affinity")))
        node = dict(members(affinity.get("nodeAffinity")))
        required = "requiredDuringSchedulingIgnoredDuringExecution"
        node[required] = {**members(node.get(required)), "nodeSelectorTerms": terms}
        spec["affinity"] = {**affinity, "nodeAffinity": node}
    return found


def pod_of_job(owner: Object, live: Object) -> dict[str, Any] | None:
    """Of a Job that the release names."""
    job = members(owner.get("spec"))
    return _pod_of_job(owner, members(job.get("template")), job, live, re.escape(_name(owner)))


def pod_of_cron_job(owner: Object, live: Object) -> dict[str, Any] | None:
    """Of any Job of it: those are called after it."""
    job = members(members(members(owner.get("spec")).get("jobTemplate")).get("spec"))
    names = rf"{re.escape(_name(owner))}-[a-z0-9.-]{{1,63}}"
    return _pod_of_job(owner, members(job.get("template")), job, live, names)


def replica_set(owner: Object, live: Object) -> dict[str, Any] | None:
    """`DEPLOYMENT-HASH`, with the hash in its labels, its selector and its template."""
    name = _name(live)
    match = re.fullmatch(rf"{re.escape(_name(owner))}-({_HASH})", name, re.ASCII)
    if match is None or not _same_namespace(owner, live):
        return None
    mark, own = {_TEMPLATE_HASH: match[1]}, members(owner.get("spec"))
    template, selector = members(own.get("template")), members(own.get("selector"))
    metadata = members(template.get("metadata"))
    labels = {**members(metadata.get("labels")), **mark}
    found = {
        "selector": {**selector, "matchLabels": {**members(selector.get("matchLabels")), **mark}},
        "template": {**template, "metadata": {**metadata, "labels": labels}},
    }
    if "minReadySeconds" in own:
        found["minReadySeconds"] = own["minReadySeconds"]
    return _made(owner, live, ("apps/v1", "ReplicaSet"), {"labels": labels}, found)


def job(owner: Object, live: Object) -> dict[str, Any] | None:
    """`CRONJOB-…`, of the clock or made by `kubectl create job --from`."""
    if not _name(live).startswith(f"{_name(owner)}-") or not _same_namespace(owner, live):
        return None
    template = members(members(owner.get("spec")).get("jobTemplate"))
    metadata = _kept(template)
    forms = {
        "batch.kubernetes.io/cronjob-scheduled-timestamp": _TIME,
        "cronjob.kubernetes.io/instantiate": "manual",
    }
    metadata["annotations"] = _marked(metadata, live, "annotations", forms)
    spec = dict(members(template.get("spec")))
    return _made(owner, live, ("batch/v1", "Job"), metadata, spec)


def _pod_of_job(
    owner: Object, template: Object, job: Object, live: Object, names: str
) -> dict[str, Any] | None:
    """`names` is the form of the Job's name."""
    uids = dict.fromkeys(("controller-uid", "batch.kubernetes.io/controller-uid"), _UID)
    forms = {**uids, **dict.fromkeys(("job-name", "batch.kubernetes.io/job-name"), names)}
    indexed = job.get("completionMode") == "Indexed"
    found = _pod(owner, template, live, {**forms, **({_INDEX: _DIGITS} if indexed else {})})
    if found is None or not indexed:
        return found
    metadata, spec = found["metadata"], found["spec"]
    counted = dict.fromkeys((_INDEX, *_FAILURES), _DIGITS)
    metadata["annotations"] = _marked(metadata, live, "annotations", counted)
    labels = metadata.get("labels", {})
    index = metadata["annotations"].get(_INDEX) or labels.get(_INDEX)
    name = labels.get("batch.kubernetes.io/job-name") or labels.get("job-name")
    if index is not None and name is not None:
        spec["hostname"] = f"{name}-{index}"[:_MAX_HOSTNAME]
    for kind in ("containers", "initContainers"):
        if spec.get(kind):
            lived = entries(members(live.get("spec")).get(kind))
            spec[kind] = [_indexed(each, lived) for each in spec[kind]]
    return found


def _pod(
    owner: Object, template: Object, live: Object, forms: Mapping[str, str]
) -> dict[str, Any] | None:
    """The template under the live Pod's name, with those of its labels that have their form."""
    if not _same_namespace(owner, live):
        return None
    metadata = _kept(template)
    metadata["labels"] = _marked(metadata, live, "labels", forms)
    return _made(owner, live, ("v1", "Pod"), metadata, dict(members(template.get("spec"))))


def _made(
    owner: Object, live: Object, kind: tuple[str, str], metadata: dict[str, Any], spec: Any
) -> dict[str, Any]:
    names = {"name": _name(live), "namespace": members(owner.get("metadata")).get("namespace")}
    return {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {**metadata, **names},
        "spec": spec,
    }


def _kept(template: Object) -> dict[str, Any]:
    """Of a template's metadata, what controllers hand on."""
    metadata = members(template.get("metadata"))
    return {k: metadata[k] for k in ("labels", "annotations", "finalizers") if metadata.get(k)}


def _marked(metadata: Object, live: Object, name: str, forms: Mapping[str, str]) -> dict[str, Any]:
    """Labels or annotations, with those of `live` that the template lacks and that have their form."""
    words = dict(members(metadata.get(name)))
    for key, value in members(members(live.get("metadata")).get(name)).items():
        form = forms.get(key)
        if form and key not in words and isinstance(value, str) and re.fullmatch(form, value, re.A):
            words[key] = value
    return words


def _with_claims(spec: Object, templates: list[str], pod: str, live: Object) -> list[Any]:
    """The volumes of a StatefulSet's Pod: its claims, in the live order (the controller's is random)."""
    claimed = {
        name: {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{pod}"}}
        for name in templates
    }
    order = [str(each.get("name")) for each in entries(live.get("volumes"))]
    first = sorted(claimed, key=lambda name: order.index(name) if name in order else len(order))
    rest = [each for each in entries(spec.get("volumes")) if each.get("name") not in claimed]
    return [*(claimed[name] for name in first), *rest]


def _tolerate(tolerations: list[Object], key: str, effect: str) -> None:
    """Add one, in place of one that tolerates the same for a time."""
    wanted = {"key": key, "operator": "Exists", "effect": effect}
    for position, each in enumerate(tolerations):
        if all(each.get(name) == value for name, value in wanted.items()) and not each.get("value"):
            tolerations[position] = wanted
            return
    tolerations.append(wanted)


def _node_terms(live: Object) -> list[Any] | None:
    """The terms of the live Pod, where they are one node's name and nothing else."""
    node = members(members(live.get("affinity")).get("nodeAffinity"))
    required = members(node.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = required.get("nodeSelectorTerms")
    match terms:
        case [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [str()]}]}]:
            one = terms[0]
            whole = len(one) == 1 and len(one["matchFields"][0]) == 3  # the three above
            return list(terms) if whole else None
    return None


def _indexed(container: Object, live: list[Object]) -> dict[str, Any]:
    """With the variable that tells a container its index, where it has none of that name."""
    variables = list(entries(container.get("env")))
    if any(each.get("name") == _INDEXED_VARIABLE for each in variables):
        return dict(container)
    paths = [f"metadata.{where}['{_INDEX}']" for where in ("labels", "annotations")]
    named = [each for each in live if each.get("name") == container.get("name")]
    old = any(_variable(paths[1]) in entries(each.get("env")) for each in named)
    return {**container, "env": [*variables, _variable(paths[1] if old else paths[0])]}


def _variable(path: str) -> dict[str, Any]:
    reference = {"apiVersion": "v1", "fieldPath": path}
    return {"name": _INDEXED_VARIABLE, "valueFrom": {"fieldRef": reference}}


def _template(owner: Object) -> Object:
    return members(members(owner.get("spec")).get("template"))


def _name(source: Object) -> str:
    name = members(source.get("metadata")).get("name")
    return name if isinstance(name, str) else ""


def _same_namespace(owner: Object, live: Object) -> bool:
    wanted = members(owner.get("metadata")).get("namespace")
    return bool(members(live.get("metadata")).get("namespace") == wanted)
