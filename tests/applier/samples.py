"""Objects for the tests of the pure core, and hypothesis strategies of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from applier.rules import Rules
from stagepass.stage import NamespacePattern

LAW = settings(derandomize=True, deadline=None, max_examples=100, database=None)
APPLICATION = "shop.test"
SCOPES = {
    **{("", kind): True for kind in ("ConfigMap", "Secret", "Service", "Pod", "ServiceAccount")},
    **{("", kind): True for kind in ("PersistentVolumeClaim", "Binding")},
    **{("apps", kind): True for kind in ("Deployment", "StatefulSet")},
    ("batch", "Job"): True,
    ("batch", "CronJob"): True,
    ("rbac.authorization.k8s.io", "Role"): True,
    ("rbac.authorization.k8s.io", "RoleBinding"): True,
    ("rbac.authorization.k8s.io", "ClusterRole"): False,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): False,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): False,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): False,
    ("apiregistration.k8s.io", "APIService"): False,
    ("certificates.k8s.io", "CertificateSigningRequest"): False,
    ("", "Node"): False,
    ("", "Namespace"): False,
    ("", "PersistentVolume"): False,
    ("stagepass.dev", "Application"): True,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): True,
    ("argoproj.io", "Application"): True,
    ("argoproj.io", "Rollout"): True,
}


def rules(**changed: Any) -> Rules:
    """Of an application that may write `shop` and `shop-*`, but not `shop-gate`."""
    patterns = tuple(map(NamespacePattern.parse, ("shop", "shop-*")))
    forbidden = frozenset({"shop-gate", "kube-system"})
    return Rules(
        **{"application": APPLICATION, "namespaces": patterns, "forbidden_namespaces": forbidden}
        | changed
    )


def an(api_version: str, kind: str, name: str = "web", **rest: Any) -> dict[str, Any]:
    """An object in `shop`; `metadata` among `rest` is added to its names."""
    metadata = {"name": name, "namespace": "shop", **rest.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def config_map(name: str = "web", **data: str) -> dict[str, Any]:
    """A ConfigMap in `shop`."""
    return an("v1", "ConfigMap", name, data=data or {"key": "value"})


keys = st.sampled_from(
    ["name", "image", "spec", "labels", "limits", "cpu", "args", "ports", "a", "b"]
)
scalars = st.sampled_from(["", "a", "1", "1000m", "x y", 0, 1, 2, True, False])
trees = st.recursive(
    scalars,
    lambda inner: (
        st.dictionaries(keys, inner, max_size=4)
        | st.lists(inner, max_size=3)
        | st.lists(st.sampled_from(["x", "y", "z"]), unique=True, max_size=3).flatmap(
            lambda names: st.tuples(
                *(
                    st.dictionaries(keys, inner, max_size=3).map(lambda d, n=n: {**d, "name": n})
                    for n in names
                )
            ).map(list)
        )
    ),
    max_leaves=6,
)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """An object of some kind, built in or not, with any spec."""
    version, kind = draw(
        st.sampled_from(
            [("apps/v1", "Deployment"), ("v1", "ConfigMap"), ("shop.example/v1", "Cart")]
        )
    )
    labels = draw(st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"])))
    spec = draw(st.dictionaries(keys, trees, min_size=1, max_size=4))
    return an(version, kind, "web", metadata={"labels": labels}, spec=spec)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all scalars and empty containers."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from leaves(each, (*path, index))
    else:
        yield path


def changed(document: dict[str, Any], path: tuple[Any, ...], *value: Any) -> dict[str, Any]:
    """A copy with another value at `path`, or without it where no value is given."""
    copied = copy.deepcopy(document)
    parent: Any = copied
    for step in path[:-1]:
        parent = parent[step]
    if value:
        parent[path[-1]] = value[0]
    else:
        del parent[path[-1]]
    return copied
