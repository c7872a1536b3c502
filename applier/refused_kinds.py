"""Kinds and contents that no source may bring, however its stage is set up. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from applier.rules import CRD, DOMAIN, Object, entries, members
from stagepass.manifest import ObjectId
from stagepass.objects import is_our_own

_ADMISSION = "admissionregistration.k8s.io"

# What decides about admission, identity and the API itself: whoever writes it is past the gate.
_GROUPS = {
    _ADMISSION: "decides about admission",
    "apiregistration.k8s.io": "puts a server in the place of the API",
    "certificates.k8s.io": "asks for identities",
    "authentication.k8s.io": "asks for identities",
    "authorization.k8s.io": "is a question, not an object",
}
_KINDS = {
    ("", "Node"): "takes the place of a machine",
    ("", "Binding"): "schedules Pods past the scheduler",
    ("policy", "Eviction"): "is an act, not an object",
}

# Whatever these describe is applied by somebody with wider rights, and never seen here (G33).
_DELEGATES = {
    "addons.cluster.x-k8s.io",
    "apps.open-cluster-management.io",
    "config.gatekeeper.sh",
    "configmanagement.gke.io",
    "configsync.gke.io",
    "core.oam.dev",
    "fleet.cattle.io",
    "fluxcd.controlplane.io",
    "helm.cattle.io",
    "k3s.cattle.io",
    "kapp.k14s.io",
    "kappctrl.k14s.io",
    "kargo.akuity.io",
    "kro.run",
    "kubernetes.crossplane.io",
    "helm.crossplane.io",
    "mutations.gatekeeper.sh",
    "operators.coreos.com",
    "packaging.carvel.dev",
    "promoter.argoproj.io",
    "work.open-cluster-management.io",
}
_DELEGATE_KINDS = {
    ("argoproj.io", kind) for kind in ("Application", "ApplicationSet", "AppProject", "ArgoCD")
} | {("kyverno.io", "ClusterPolicy"), ("kyverno.io", "Policy"), ("kyverno.io", "PolicyException")}
_DELEGATE_SUFFIX = "toolkit.fluxcd.io"

_RBAC = "rbac.authorization.k8s.io"
_GRANTING_VERBS = {"escalate", "bind", "impersonate"}
_READING_VERBS = {"get", "list", "watch"}
# Built-in roles that let nobody do more than look at what is public, or check a token.
_HARMLESS_ROLES = {
    f"system:{name}"
    for name in (
        *("auth-delegator", "basic-user", "discovery", "public-info-viewer", "monitoring"),
        *("service-account-issuer-discovery", "aggregated-metrics-reader"),
    )
}
_SUBJECTS = {"system:masters", "system:anonymous", "system:unauthenticated", "system:nodes"}


def refused_kind(object_id: ObjectId) -> str | None:
    """Why its kind is brought by nobody, or None."""
    group, kind = object_id.group, object_id.kind
    if is_our_own(group):
        return f"the group {DOMAIN} is the applier's own"
    if why := _GROUPS.get(group) or _KINDS.get((group, kind)):
        return f"a {kind} {why}"
    fluxcd = group == _DELEGATE_SUFFIX or group.endswith(f".{_DELEGATE_SUFFIX}")
    if fluxcd or group in _DELEGATES or (group, kind) in _DELEGATE_KINDS:
        return f"a {kind} of {group} lets another controller apply or admit things on our behalf"
    return None


def refused_content(object_id: ObjectId, document: Object) -> Iterator[str]:
    """What an RBAC object grants that no source may grant; what a CRD may not define."""
    if (object_id.group, object_id.kind) == CRD:
        yield from _definition(document)
    if object_id.group != _RBAC:
        return
    if object_id.kind in ("Role", "ClusterRole"):
        if document.get("aggregationRule") is not None:
            yield "aggregationRule grants what other roles say"
        for index, rule in enumerate(_items(document.get("rules"))):
            yield from (f"rules[{index}] {why}" for why in _rule(rule))
    elif object_id.kind in ("RoleBinding", "ClusterRoleBinding"):
        yield from _binding(document)


def _definition(document: Object) -> Iterator[str]:
    spec = members(document.get("spec"))
    group = spec.get("group")
    if not isinstance(group, str) or is_our_own(group):
        yield f"defines a kind of the group {group!r}"


def _rule(rule: object) -> Iterator[str]:
    if not isinstance(rule, dict):
        yield "is no rule"
        return
    verbs, groups = _texts(rule.get("verbs")), _texts(rule.get("apiGroups"))
    resources, urls = _texts(rule.get("resources")), _texts(rule.get("nonResourceURLs"))
    if None in (verbs, groups, resources, urls):
        yield "has a list that is no list of texts"
        return
    for name, values in (("verbs", verbs), ("apiGroups", groups), ("resources", resources)):
        if any("*" in value for value in values or ()):
            yield f"grants all {name}"
    if any(value in ("*", "/*") for value in urls or ()):
        yield "grants all nonResourceURLs"
    for verb in sorted(_GRANTING_VERBS & set(verbs or ())):
        yield f"grants the verb {verb!r}"
    guarded = {_ADMISSION, DOMAIN, _RBAC} & set(groups or ())
    if guarded - {_RBAC} and set(verbs or ()) - _READING_VERBS:
        yield f"grants writing in {', '.join(sorted(guarded - {_RBAC}))}"


def _binding(document: Object) -> Iterator[str]:
    role = members(document.get("roleRef")).get("name")
    if not isinstance(role, str):
        yield "roleRef has no name"
    elif role == "cluster-admin" or (role.startswith("system:") and role not in _HARMLESS_ROLES):
        yield f"binds the role {role!r}"
    subjects = document.get("subjects")
    if subjects is not None and len(entries(subjects)) != len(_items(subjects)):
        yield "subjects is no list of subjects"
    for subject in entries(subjects):
        if subject.get("name") in _SUBJECTS:
            yield f"binds to {subject['name']!r}"


def _items(value: object) -> list[Any]:
    """`value` as a list; what is no list is one item, which then is none of the kind wanted."""
    return value if isinstance(value, list) else [] if value is None else [None]


def _texts(value: object) -> list[str] | None:
    found = _items(value)
    return found if all(isinstance(each, str) for each in found) else None
