"""
Whom the applier may act as: RBAC for exactly the accounts that a policy set names for a cluster.

RBAC names accounts literally, so that a policy change that names another one is put in force by whoever
may grant rights in its namespace, and never by the policy's author alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from applier.application import applications
from stagepass.policy.model import PolicySet

_NAME = "stagepass-applier-impersonation"
_GROUP = "rbac.authorization.k8s.io"


def impersonation(
    policy: PolicySet, cluster: str, *, namespace: str, account: str
) -> list[dict[str, Any]]:
    """A Role and its RoleBinding in each namespace of such accounts, for `account` in `namespace`."""
    names: dict[str, set[str]] = {}
    for application in applications(policy, cluster).values():
        found = application.source.account
        names.setdefault(found.namespace, set()).add(found.name)
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    documents: list[dict[str, Any]] = []
    for where in sorted(names):
        metadata = {
            "name": _NAME,
            "namespace": where,
            "labels": {
                "app.kubernetes.io/name": "stagepass",
                "app.kubernetes.io/component": "applier",
            },
        }
        rule = {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": sorted(names[where]),
            "verbs": ["impersonate"],
        }
        head = {"apiVersion": f"{_GROUP}/v1", "metadata": metadata}
        ref = {"apiGroup": _GROUP, "kind": "Role", "name": _NAME}
        documents += [
            {**head, "kind": "Role", "rules": [rule]},
            {**head, "kind": "RoleBinding", "roleRef": ref, "subjects": [subject]},
        ]
    return documents


def as_yaml(documents: Iterable[dict[str, Any]]) -> str:
    """For `kubectl apply -f -`: a stream of JSON documents, which is YAML."""
    return "".join(f"---\n{json.dumps(document, indent=2)}\n" for document in documents)
