"""
Whom the applier may act as, and which ConfigMaps it may bring evidence in: RBAC for exactly these.

Both are what a policy set names for a cluster.

RBAC names accounts literally, so that a policy change that names another one is put in force by whoever
may grant rights in its namespace, and never by the policy's author alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from applier.application import applications
from applier.mirror_name import PREFIX, mirror_name
from stagepass.policy.model import PolicySet

_NAME, _MIRROR = "stagepass-applier-impersonation", "stagepass-applier-mirror"
_GROUP = "rbac.authorization.k8s.io"


def impersonation(
    policy: PolicySet, cluster: str, *, namespace: str, account: str
) -> list[dict[str, Any]]:
    """A Role and its RoleBinding in each namespace of such accounts, for `account` in `namespace`."""
    names: dict[str, set[str]] = {}
    for application in applications(policy, cluster).values():
        found = application.source.account
        names.setdefault(found.namespace, set()).add(found.name)
    documents: list[dict[str, Any]] = []
    for where in sorted(names):
        rule = {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": sorted(names[where]),
            "verbs": ["impersonate"],
        }
        documents += _granted(_NAME, where, rule, {"name": account, "namespace": namespace})
    return documents


def mirroring(
    policy: PolicySet, cluster: str, *, into: str, namespace: str, account: str
) -> list[dict[str, Any]]:
    """A Role and its RoleBinding in `into`, the gate's namespace; none where nothing is applied."""
    names = sorted(f"{PREFIX}{mirror_name(a)}" for a in applications(policy, cluster).values())
    if not names:
        return []
    # create by name: that is how the API server sees a server-side apply of what is not there yet
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": names,
        "verbs": ["get", "create", "patch"],
    }
    return _granted(_MIRROR, into, rule, {"name": account, "namespace": namespace})


def _granted(
    name: str, where: str, rule: dict[str, Any], account: dict[str, str]
) -> list[dict[str, Any]]:
    labels = {"app.kubernetes.io/name": "stagepass", "app.kubernetes.io/component": "applier"}
    metadata = {"name": name, "namespace": where, "labels": labels}
    head = {"apiVersion": f"{_GROUP}/v1", "metadata": metadata}
    ref = {"apiGroup": _GROUP, "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", **account}
    return [
        {**head, "kind": "Role", "rules": [rule]},
        {**head, "kind": "RoleBinding", "roleRef": ref, "subjects": [subject]},
    ]


def as_yaml(documents: Iterable[dict[str, Any]]) -> str:
    """For `kubectl apply -f -`: a stream of JSON documents, which is YAML."""
    return "".join(f"---\n{json.dumps(document, indent=2)}\n" for document in documents)
