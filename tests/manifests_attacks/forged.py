"""Objects that no release names, or not here, or not in this version."""

from __future__ import annotations

import copy
from typing import Any

from tests.manifests.samples import IMAGE, an
from tests.manifests_attacks.objects import Object
from tests.manifests_attacks.others import GRANTED
from tests.manifests_attacks.row import ADMITTED, Attack, Find, Verb, altered, forged


def _mixed(find: Find) -> Object:
    """Spec of A, metadata and data of B."""
    found = find("ConfigMap", "settings")
    found["data"] = {"colour": "red", "url": found["data"]["url"]}
    return found


def _in(find: Find, document: Object) -> Object:
    document["metadata"]["namespace"] = find("ConfigMap", "settings")["metadata"]["namespace"]
    return document


def _version(kind: str, name: str, version: str) -> Any:
    def make(find: Find) -> Object:
        return {**find(kind, name), "apiVersion": version}

    return make


def _renamed(kind: str, name: str) -> Any:
    def rename(document: Object) -> None:
        document["metadata"]["name"] = "evil"

    return altered(kind, name, "under another name", rename, verbs=(Verb.CREATE,))


def _generated(kind: str, name: str) -> Any:
    def generate(document: Object) -> None:
        document["metadata"] |= {"generateName": document["metadata"].pop("name")}
        document["metadata"]["name"] = document["metadata"]["generateName"] + "x7k2p"

    what = "under a generated name"
    return altered(kind, name, what, generate, verbs=(Verb.CREATE,))


def _root_certificate(find: Find) -> Object:
    """The name of what a controller writes, as the beginning of a generated one."""
    document = an("v1", "ConfigMap", "kube-root-ca.crtx7k2p", data={"ca.crt": "evil"})
    document["metadata"]["generateName"] = "kube-root-ca.crt"
    return _in(find, document)


_HPA = {
    "maxReplicas": 3,
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
}
_OTHER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}


def _hpa(**changes: Any) -> Any:
    document = an("autoscaling/v1", "HorizontalPodAutoscaler", "web", spec={**_HPA, **changes})
    return lambda find: _in(find, copy.deepcopy(document))


ROWS: tuple[Attack, ...] = (
    forged("ConfigMap that mixes A and B", _mixed),
    altered(
        "ConfigMap",
        "settings",
        "the whole of B's beside A",
        lambda document: document.update(data={"colour": "red"}),
        expected=ADMITTED,
        why="each object alone is as an admitted release says; the applier takes it back",
    ),
    forged(
        "Service that only B has, beside A",
        lambda find: _in(
            find,
            an(
                "v1",
                "Service",
                "other",
                spec={"selector": {"app": "other"}, "ports": [{"port": 80}]},
            ),
        ),
        expected=ADMITTED,
        why="the same, and no applier of A knows it: revoke B",
    ),
    # The gate is shown it as v2, where it is the one that was released.
    forged("HorizontalPodAutoscaler in another version", _hpa(), at_api=ADMITTED),
    forged("HorizontalPodAutoscaler in another version, larger", _hpa(maxReplicas=3000)),
    forged(
        "HorizontalPodAutoscaler in another version, by CPU", _hpa(targetCPUUtilizationPercentage=1)
    ),
    forged("HorizontalPodAutoscaler in another version, of another", _hpa(scaleTargetRef=_OTHER)),
    forged(
        "ConfigMap of a release not admitted here",
        lambda find: _in(find, an("v1", "ConfigMap", "unpassed", data={"a": "unpassed"})),
        expected="denied: PASS_MISSING",
    ),
    forged(
        "ConfigMap of a release whose image was revoked",
        lambda find: _in(find, an("v1", "ConfigMap", "revoked", data={"a": "revoked"})),
        expected="denied: REVOKED",
    ),
    forged(
        "Service for another release's Pods",
        lambda find: _in(
            find,
            an("v1", "Service", "evil", spec={"selector": {"app": "web"}, "ports": [{"port": 1}]}),
        ),
    ),
    forged(
        "Secret that gets an account's token",
        lambda find: _in(
            find,
            an(
                "v1",
                "Secret",
                "token",
                type="kubernetes.io/service-account-token",
                metadata={"annotations": {"kubernetes.io/service-account.name": "default"}},
            ),
        ),
    ),
    forged(
        "RoleBinding nobody released",
        lambda find: _in(
            find,
            an(
                "rbac.authorization.k8s.io/v1",
                "RoleBinding",
                "evil",
                subjects=[GRANTED],
                roleRef={
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "admin",
                },
            ),
        ),
    ),
    forged(
        "Deployment nobody released, attested image",
        lambda find: _in(
            find,
            an(
                "apps/v1",
                "Deployment",
                "evil",
                spec={
                    "selector": {"matchLabels": {"app": "evil"}},
                    "template": {
                        "metadata": {"labels": {"app": "evil"}},
                        "spec": {"containers": [{"name": "web", "image": IMAGE}]},
                    },
                },
            ),
        ),
    ),
    forged("ConfigMap named like the cluster's certificate", _root_certificate),
    *(
        _renamed(kind, name)
        for kind, name in (
            ("ConfigMap", "settings"),
            ("Role", "reader"),
            ("Deployment", "web"),
            ("Service", "web"),
            ("StatefulSet", "db"),
            ("CronJob", "report"),
        )
    ),
    *(
        _generated(kind, name)
        for kind, name in (("ConfigMap", "settings"), ("RoleBinding", "reader"))
    ),
)
