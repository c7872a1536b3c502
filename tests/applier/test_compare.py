from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from applier.compare import differs
from applier.objects import prepare
from applier.rules import FIELD_MANAGER
from stagepass.manifests import quantity
from tests.applier.model import Cluster, managed, record_of
from tests.applier.samples import LAW, an, changed, config_map, leaves, objects, scalars


def applied(document: dict[str, Any]) -> dict[str, Any]:
    return Cluster().apply(document)


def compare(desired: dict[str, Any], live: dict[str, Any]) -> tuple[str, ...]:
    return differs(desired, live, FIELD_MANAGER)


@LAW
@given(objects())
def test_what_was_applied_is_unchanged(document: dict[str, Any]) -> None:
    """With every default that the server added, and every empty member that it dropped."""
    assert compare(document, applied(document)) == ()


@LAW
@given(objects(), st.data())
def test_a_changed_leaf_is_found(document: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([p for p in leaves(document["spec"]) if p]))
    other = changed(document, ("spec", *path), "changed to this")

    assert compare(other, applied(document)) != ()


@LAW
@given(objects(), st.data())
def test_a_removed_leaf_is_found(document: dict[str, Any], data: st.DataObject) -> None:
    """It was ours, and live still has it: only the record can tell."""
    path = data.draw(st.sampled_from([p for p in leaves(document["spec"]) if p]))

    assert compare(changed(document, ("spec", *path)), applied(document)) != ()


@LAW
@given(objects(), scalars, st.data())
def test_an_added_leaf_is_found(document: dict[str, Any], value: Any, data: st.DataObject) -> None:
    """Whatever its value: an empty one, too, may mean something."""
    maps = {()} | {p[:n] for p in leaves(document["spec"]) for n in range(len(p))}
    path = data.draw(st.sampled_from(sorted(maps, key=str)))
    parent: Any = document["spec"]
    for step in path:
        parent = parent[step]
    assume(isinstance(parent, dict))

    other = changed(document, ("spec", *path, "added"), value)

    assert compare(other, applied(document)) != ()


@LAW
@given(objects(), st.data())
def test_drift_is_found(document: dict[str, Any], data: st.DataObject) -> None:
    """Even where the record still says that the member is ours."""
    live = applied(document)
    spec = live["spec"]
    paths = [path for path in leaves(spec) if path and "addedByTheServer" not in path]
    assume(paths)
    path = data.draw(st.sampled_from(paths))
    live = changed(live, ("spec", *path), "drifted")

    assert compare(document, live) != ()


@LAW
@given(objects(), st.dictionaries(st.sampled_from(["f", "g"]), scalars, min_size=1))
def test_what_others_add_is_no_difference(document: dict[str, Any], extra: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.apply(document)
    theirs = {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": extra,
    }

    live = cluster.apply(theirs, "somebody-else")

    assert compare(document, live) == ()


def test_what_we_never_applied_differs() -> None:
    live = config_map()
    assert compare(config_map(), live) == (".metadata.managedFields",)
    live["metadata"]["managedFields"] = [managed(record_of(live), "kubectl", "v1")]
    assert compare(config_map(), live) == (".metadata.managedFields",)


def test_what_we_applied_in_another_version_differs() -> None:
    live = applied(an("autoscaling/v1", "HorizontalPodAutoscaler", spec={"maxReplicas": 2}))
    desired = an("autoscaling/v2", "HorizontalPodAutoscaler", spec={"maxReplicas": 2})

    assert compare(desired, live) == (".metadata.managedFields",)


@pytest.mark.parametrize(
    "entry",
    [
        {"operation": "Update"},
        {"subresource": "status"},
        {"fieldsType": "FieldsV2"},
        {"fieldsV1": None},
    ],
)
def test_only_our_record_of_an_apply_counts(entry: dict[str, Any]) -> None:
    live = applied(config_map())
    live["metadata"]["managedFields"][0] |= entry

    assert compare(config_map(), live) == (".metadata.managedFields",)


def container(**members: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "i", **members}]}
    return an("apps/v1", "Deployment", spec={"template": {"spec": spec}})


def ports(*items: dict[str, Any], order: tuple[int, ...] = (0, 1, 2)) -> Any:
    """A live Deployment with a record of ports by their two merge keys, `protocol` defaulted."""
    live = applied(container(ports=list(items)))
    full = [{"protocol": "TCP", **item} for item in items]
    live["spec"]["template"]["spec"]["containers"][0]["ports"] = [
        full[index] for index in order if index < len(full)
    ]
    keys = [
        f'k:{{"containerPort":{p["containerPort"]},"protocol":"{p["protocol"]}"}}' for p in full
    ]
    spec = live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]
    spec["f:containers"]['k:{"name":"c"}']["f:ports"] = {
        key: {".": {}, **{f"f:{name}": {} for name in item}}
        for key, item in zip(keys, items, strict=True)
    }
    return live


HTTP, DNS, DNS_UDP = (
    {"containerPort": 80},
    {"containerPort": 53},
    {"containerPort": 53, "protocol": "UDP"},
)


def test_a_merge_key_may_be_left_to_its_default() -> None:
    """Two ports 53, one without its protocol, find their own items."""
    desired = container(ports=[HTTP, DNS, DNS_UDP])

    assert compare(desired, ports(HTTP, DNS, DNS_UDP)) == ()


@pytest.mark.parametrize(
    "wanted",
    [
        [HTTP, DNS],
        [HTTP],
        [HTTP, DNS, DNS_UDP, {"containerPort": 54}],
        [HTTP, DNS, DNS],
        [HTTP, DNS, {**DNS_UDP, "name": "dns"}],
        [DNS, HTTP, DNS_UDP],
        ["x", "y", "z"],
    ],
)
def test_a_list_with_merge_keys_differs(wanted: list[Any]) -> None:
    """An item less, more, twice, with a new member, in another order, or no item at all."""
    live = ports(HTTP, DNS, DNS_UDP)

    assert compare(container(ports=wanted), live) != ()


def test_an_order_that_was_changed_differs() -> None:
    """Init containers run in it, and variables refer to earlier ones."""
    desired = container(ports=[HTTP, DNS])

    assert compare(desired, ports(HTTP, DNS, order=(1, 0))) == (
        ".spec.template.spec.containers[0].ports",
    )


def test_a_set_is_compared_without_order() -> None:
    desired = an("v1", "Thing", spec={"set": ["a", "b"]})
    live = applied(desired)
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:set"] = {'v:"a"': {}, 'v:"b"': {}}

    live["spec"]["set"] = ["c", "b", "a"]
    assert compare(desired, live) == ()
    assert compare(an("v1", "Thing", spec={"set": ["a"]}), live) != ()
    assert compare(an("v1", "Thing", spec={"set": ["a", "b", "c"]}), live) != ()
    live["spec"]["set"] = ["b"]
    assert compare(desired, live) != ()


@pytest.mark.parametrize(
    ("wanted", "kept", "same"),
    [
        ("1000m", "1", True),
        ("1024Mi", "1Gi", True),
        (0.5, "500m", True),
        (1, "1", True),
        ("1e3", "1k", True),
        ("1.5Gi", "1536Mi", True),
        ("0.1", "100m", True),
        ("2", "1", False),
        ("1M", "1Mi", False),
        ("1Zi", "1", False),
        (True, "1", False),
    ],
)
def test_quantities_are_compared_as_numbers(wanted: Any, kept: str, same: bool) -> None:
    desired = container(resources={"limits": {"cpu": wanted}})
    live = applied(desired)
    limits = live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    limits["cpu"] = kept

    assert (compare(desired, live) == ()) is same


def test_what_only_looks_like_a_quantity_is_text() -> None:
    """In a ConfigMap and in a custom kind nothing is spelled anew."""
    live = applied(config_map(cpu="1"))
    assert compare(config_map(cpu="1000m"), live) == (".data.cpu",)
    live = applied(an("shop.example/v1", "Cart", spec={"limits": {"cpu": "1"}}))
    desired = an("shop.example/v1", "Cart", spec={"limits": {"cpu": "1000m"}})
    assert compare(desired, live) == (".spec.limits.cpu",)


@pytest.mark.parametrize(
    "text", ["", "m", "1e1000000000", "1.2.3", "--1", "1 Gi", "0x10", "1eE", "\u0661"]
)
def test_no_quantity(text: str) -> None:
    """And none whose exponent would fill the memory."""
    assert quantity.parse(text) is None


@pytest.mark.parametrize(
    ("wanted", "kept"), [(1, "1"), (True, 1), (0, False), ("true", True), (1, True)]
)
def test_types_are_told_apart(wanted: Any, kept: Any) -> None:
    live = applied(an("v1", "Thing", spec={"x": wanted}))
    live["spec"]["x"] = kept

    assert compare(an("v1", "Thing", spec={"x": wanted}), live) == (".spec.x",)


def test_a_secret_is_compared_in_its_stored_form() -> None:
    secret = an("v1", "Secret", stringData={"a": "b"}, data={"c": "aGVs\nbG8=", "a": "eA=="})
    [sent] = prepare([secret], "shop.test")
    live = applied(sent)

    assert live["data"]["a"] == "Yg=="
    assert compare(sent, live) == ()
    again = changed(secret, ("stringData", "a"), "other")
    assert compare(prepare([again], "shop.test")[0], live) == (".data.a",)
    fewer = changed(secret, ("data", "c"))
    assert compare(prepare([fewer], "shop.test")[0], live) == (".data.c",)


def test_what_is_replaced_whole_may_have_known_defaults_only() -> None:
    def policy(**port: Any) -> dict[str, Any]:
        ingress = [{"ports": [{"port": 80, **port}]}]
        return an("networking.k8s.io/v1", "NetworkPolicy", spec={"ingress": ingress})

    live = applied(policy())
    live["spec"]["ingress"] = [{"ports": [{"port": 80, "protocol": "TCP"}]}]
    assert compare(policy(), live) == ()
    live["spec"]["ingress"] = [{"ports": [{"port": 80, "protocol": "TCP", "endPort": 90}]}]
    assert compare(policy(), live) == (".spec.ingress[0].ports[0].endPort",)


def test_an_empty_map_that_replaces_is_a_change() -> None:
    """`podSelector: {}` selects everything, and is no way of saying nothing."""

    def policy(selector: dict[str, Any]) -> dict[str, Any]:
        return an("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": selector})

    live = applied(policy({}))
    live["spec"]["podSelector"] = {"matchLabels": {"a": "b"}}

    assert compare(policy({}), live) == (".spec.podSelector.matchLabels",)
