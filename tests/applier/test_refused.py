from __future__ import annotations

from typing import Any

import pytest

from applier.failure import Failure, Reason
from applier.objects import check
from applier.rules import CRD
from tests.applier.samples import SCOPES, an, changed, config_map, rules

RBAC = "rbac.authorization.k8s.io/v1"
CLUSTER_KINDS = frozenset(kind for kind, namespaced in SCOPES.items() if not namespaced)


def refusal(*objects: dict[str, Any], **rule: Any) -> Failure | None:
    try:
        check(objects, rules(**rule), SCOPES)
    except Failure as failure:
        return failure
    return None


def cluster(api_version: str, kind: str, name: str = "web", **rest: Any) -> dict[str, Any]:
    document = an(api_version, kind, name, **rest)
    del document["metadata"]["namespace"]
    return document


def crd(group: str, scope: str = "Namespaced", kind: str = "Cart") -> dict[str, Any]:
    spec = {"group": group, "scope": scope, "names": {"kind": kind}}
    return cluster(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"carts.{group}", spec=spec
    )


def role(*rules_: Any, kind: str = "Role", **rest: Any) -> dict[str, Any]:
    return an(RBAC, kind, rules=list(rules_), **rest)


READ = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}


def binding(role_name: str, *subjects: Any, kind: str = "RoleBinding") -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role_name}
    return an(RBAC, kind, roleRef=reference, subjects=list(subjects))


def template(**metadata: Any) -> dict[str, Any]:
    return {"metadata": metadata, "spec": {"containers": []}}


ALLOWED = [
    config_map(),
    an(
        "v1",
        "ConfigMap",
        metadata={"namespace": "shop-eu", "labels": {"stagepass.developers/x": "y"}},
    ),
    an("apps/v1", "Deployment", spec={"template": template(labels={"app": "web"})}, status={}),
    an("v1", "ConfigMap", metadata={"creationTimestamp": None, "annotations": None}),
    role(READ),
    role({**READ, "apiGroups": ["stagepass.dev"], "verbs": ["get", "list", "watch"]}),
    binding("view", {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}),
    binding("system:auth-delegator", {"kind": "User", "name": "alice"}),
    an("argoproj.io/v1alpha1", "Rollout"),
    an("rbac.authorization.k8s.io/v1", "Role", "system:reader", rules=[]),
]


@pytest.mark.parametrize("document", ALLOWED)
def test_what_a_source_may_bring(document: dict[str, Any]) -> None:
    assert refusal(document) is None


def meta(**members: Any) -> dict[str, Any]:
    return an("v1", "ConfigMap", metadata=members)


REFUSED = {
    "no kind": {"apiVersion": "v1", "metadata": {"name": "x", "namespace": "shop"}},
    "no apiVersion": {"kind": "ConfigMap", "metadata": {"name": "x", "namespace": "shop"}},
    "no metadata": {"apiVersion": "v1", "kind": "ConfigMap"},
    "metadata as text": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": "x"},
    "no name": meta(name=""),
    "a number as a name": meta(name=1),
    "a name that walks": meta(name="../../x"),
    "a name of dots": meta(name=".."),
    "a name with a query": meta(name="x?fieldManager=y"),
    "a name with an escape": meta(name="x%2fy"),
    "generateName": changed(meta(generateName="x-"), ("metadata", "name")),
    "both names": meta(generateName="x-"),
    "no namespace": cluster("v1", "ConfigMap"),
    "a namespace that walks": meta(namespace="../x"),
    "a number as a namespace": meta(namespace=1),
    "another namespace": meta(namespace="other"),
    "the gate's namespace": meta(namespace="shop-gate"),
    "kube-system": meta(namespace="kube-system"),
    "a list in a list": an("v1", "List", items=[config_map()]),
    "a list of one kind": an("v1", "ConfigMapList", items=[]),
    "a version that walks": an("v1/../../x", "ConfigMap"),
    "a kind that walks": an("v1", "Config/Map"),
    **{name: meta(**{name: value}) for name, value in {
        "ownerReferences": [{"uid": "x"}], "finalizers": [], "managedFields": [], "uid": "x",
        "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z", "selfLink": "/x",
        "deletionTimestamp": "2026-01-01T00:00:00Z", "generation": 1}.items()},
    "a status": an("apps/v1", "Deployment", status={"replicas": 1}),
    "our label": meta(labels={"stagepass.dev/application": "shop.prod"}),
    "our annotation": meta(annotations={"stagepass.dev/break-glass": "yes"}),
    "a label below ours": meta(labels={"x.stagepass.dev/y": "z"}),
    "a label that is no text": meta(labels={"a": 1}),
    "labels as a list": meta(labels=["a"]),
    "our label on Pods": an("apps/v1", "Deployment",
                            spec={"template": template(labels={"stagepass.dev/application": "x"})}),
    "our annotation on the Pods of Jobs": an("batch/v1", "CronJob", spec={"jobTemplate": {"spec": {
        "template": template(annotations={"stagepass.dev/x": "y"})}}}),
    "our label on claims": an("apps/v1", "StatefulSet",
                              spec={"volumeClaimTemplates": [template(labels={"stagepass.dev/x": "y"})]}),
    "our own kind": an("stagepass.dev/v1", "Application"),
    "finalizers of Pods": an("apps/v1", "Deployment", spec={"template": template(finalizers=["x/y"])}),
    "owners of claims": an("apps/v1", "StatefulSet",
                           spec={"volumeClaimTemplates": [template(ownerReferences=[{"kind": "Pod"}])]}),
    "a Flux object": an("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    "an Argo object": an("argoproj.io/v1alpha1", "Application"),
    "a Binding": an("v1", "Binding"),
    "all verbs": role({**READ, "verbs": ["*"]}),
    "all resources": role({**READ, "resources": ["*"]}),
    "all resources of a kind": role({**READ, "resources": ["*/scale"]}),
    "all groups": role({**READ, "apiGroups": ["*"]}),
    "escalate": role({**READ, "verbs": ["get", "escalate"]}),
    "bind": role({**READ, "verbs": ["bind"]}),
    "impersonate": role({**READ, "verbs": ["impersonate"]}),
    "writing our kinds": role({**READ, "apiGroups": ["stagepass.dev"], "verbs": ["create"]}),
    "a rule that is none": role("x"),
    "verbs that are no list": role({**READ, "verbs": "get"}, {**READ, "verbs": [1]}),
    "rules that are no list": {**role(), "rules": {"a": 1}},
    "cluster-admin": binding("cluster-admin"),
    "a system role": binding("system:kube-controller-manager"),
    "system:masters": binding("view", {"kind": "Group", "name": "system:masters"}),
    "everybody": binding("view", {"kind": "User", "name": "system:anonymous"}),
    "subjects that are none": binding("view", "x"),
    "no role": an(RBAC, "RoleBinding", roleRef="x"),
}  # fmt: skip


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_what_no_source_may_bring(document: dict[str, Any]) -> None:
    failure = refusal(document)

    assert failure is not None
    assert failure.reason is Reason.OBJECT_REFUSED


CLUSTER_REFUSED = {
    "a webhook": cluster("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    "an API server": cluster("apiregistration.k8s.io/v1", "APIService"),
    "a certificate": cluster("certificates.k8s.io/v1", "CertificateSigningRequest"),
    "a node": cluster("v1", "Node"),
    "a namespace elsewhere": cluster("v1", "Namespace", "other"),
    "the gate's namespace": cluster("v1", "Namespace", "shop-gate"),
    "our own kinds": crd("stagepass.dev"),
    "kinds below ours": crd("x.stagepass.dev"),
    "a namespaced cluster role": an(RBAC, "ClusterRole"),
    "a role of other roles": cluster(RBAC, "ClusterRole", aggregationRule={}),
    "all URLs": cluster(RBAC, "ClusterRole", rules=[{"nonResourceURLs": ["*"], "verbs": ["get"]}]),
    "writing webhooks": cluster(RBAC, "ClusterRole", rules=[
        {**READ, "apiGroups": ["admissionregistration.k8s.io"], "verbs": ["patch"]}]),
}  # fmt: skip


@pytest.mark.parametrize("document", CLUSTER_REFUSED.values(), ids=CLUSTER_REFUSED)
def test_what_even_a_source_with_all_cluster_kinds_may_not_bring(document: dict[str, Any]) -> None:
    failure = refusal(document, cluster_kinds=CLUSTER_KINDS)

    assert failure is not None
    assert failure.reason is Reason.OBJECT_REFUSED


@pytest.mark.parametrize(
    "document",
    [
        cluster("v1", "Namespace", "shop-eu"),
        crd("shop.example"),
        cluster(RBAC, "ClusterRole", rules=[READ]),
    ],
)
def test_cluster_scoped_kinds_are_allowed_one_by_one(document: dict[str, Any]) -> None:
    kind = (document["apiVersion"].partition("/")[0], document["kind"])
    allowed = frozenset({("", "Namespace") if kind[0] == "v1" else kind})

    assert refusal(document) is not None
    assert refusal(document, cluster_kinds=allowed) is None


def test_all_problems_are_named_at_once() -> None:
    failure = refusal(
        meta(namespace="other"), config_map("twice"), config_map("twice"), cluster("v1", "Node")
    )

    assert failure is not None
    assert failure.objects == (
        "core/ConfigMap/other/web", "core/Node/-/web", "core/ConfigMap/shop/twice",
    )  # fmt: skip
    for part in ("not this stage's", "a Node takes", "twice"):
        assert part in failure.message


def test_one_object_in_two_versions_is_brought_twice() -> None:
    one, other = an("batch/v1", "CronJob"), an("batch/v1beta1", "CronJob")

    assert refusal(one, other) is not None


def test_the_kinds_that_a_render_defines_are_known() -> None:
    cart, board = an("shop.example/v1", "Cart"), cluster("shop.example/v1", "Board")
    allowed = frozenset({CRD, ("shop.example", "Board")})
    boards = crd("shop.example", "Cluster", "Board")
    boards["metadata"]["name"] = "boards.shop.example"

    assert refusal(crd("shop.example"), boards, cart, board, cluster_kinds=allowed) is None
    failure = refusal(crd("shop.example"), boards, cart, board, cluster_kinds=frozenset({CRD}))
    assert failure is not None
    assert failure.objects == ("shop.example/Board/-/web",)


def test_an_unknown_kind_waits() -> None:
    """Its definition may come from somebody else: that is no fault of this render."""
    failure = refusal(an("shop.example/v1", "Cart"))

    assert failure is not None
    assert (failure.reason, failure.objects) == (
        Reason.KIND_UNKNOWN,
        ("shop.example/Cart/shop/web",),
    )


def test_an_unknown_kind_hides_no_other_problem() -> None:
    failure = refusal(an("shop.example/v1", "Cart", metadata={"namespace": "other"}))

    assert failure is not None
    assert failure.reason is Reason.OBJECT_REFUSED
