from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.inventory import Entry, Inventory
from applier.objects import LABEL, apply_order, check, label_value, prepare, unlabelled
from applier.rules import Rules
from stagepass.errors import InputError
from stagepass.manifest import ObjectId
from stagepass.stage import NamespacePattern
from tests.applier.samples import LAW, an, config_map, objects

LABEL_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
names = st.text("ab.-_Z é", min_size=1, max_size=80)


def test_a_label_names_pipeline_and_stage() -> None:
    assert label_value("shop", "prod-eu") == "shop.prod-eu"


@LAW
@given(st.tuples(names, names), st.tuples(names, names))
def test_labels_are_valid_and_tell_pairs_apart(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert LABEL_VALUE.fullmatch(label_value(*one))
    assert (label_value(*one) == label_value(*other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a.b", "c"), ("a", "b.c")), (("a" * 60, "test"), ("a" * 60, "test2"))],
)
def test_a_dot_or_a_cut_makes_no_two_pairs_one(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert label_value(*one) != label_value(*other)


def test_prepared_objects_are_labelled_and_the_source_is_left_alone() -> None:
    source = config_map()

    [sent] = prepare([source], "shop.test")

    assert sent["metadata"]["labels"] == {LABEL: "shop.test"}
    assert source == config_map()


def test_what_no_server_stores_is_dropped() -> None:
    source = an(
        "apps/v1",
        "Deployment",
        spec={"paused": None, "template": {"metadata": {"creationTimestamp": None}}},
        status={"conditions": [], "phase": ""},
        metadata={"creationTimestamp": None, "annotations": {}, "labels": None},
    )

    [sent] = prepare([source], "x")

    assert sent["spec"] == {"template": {"metadata": {}}}
    assert sent["metadata"] == {"name": "web", "namespace": "shop", "labels": {LABEL: "x"}}
    assert "status" not in sent


def test_a_custom_kind_keeps_its_nulls() -> None:
    """There, null may mean something."""
    [sent] = prepare([an("shop.example/v1", "Cart", spec={"limit": None})], "x")

    assert sent["spec"] == {"limit": None}


@LAW
@given(objects())
def test_preparing_twice_is_preparing_once(document: dict[str, Any]) -> None:
    once = prepare([document], "x")

    assert prepare(once, "x") == once


def test_string_data_wins_over_data() -> None:
    secret = an("v1", "Secret", stringData={"a": "é"}, data={"a": "eA==", "b": "eA==\r\n"})

    [sent] = prepare([secret], "x")

    assert (sent["data"], "stringData" in sent) == ({"a": "w6k=", "b": "eA=="}, False)


WORLD = [
    an("v1", "Namespace", "shop"),
    an("apiextensions.k8s.io/v1", "CustomResourceDefinition", "carts.shop.example"),
    *(an("v1", kind) for kind in ("ConfigMap", "Secret", "Service", "ServiceAccount")),
    an("rbac.authorization.k8s.io/v1", "Role"),
    an("rbac.authorization.k8s.io/v1", "RoleBinding"),
    an("v1", "PersistentVolumeClaim"),
    an("apps/v1", "Deployment"),
    an("batch/v1", "Job"),
    an("networking.k8s.io/v1", "Ingress"),
    an("shop.example/v1", "Cart"),
]


def test_what_others_need_comes_first() -> None:
    waves = [[each["kind"] for each in wave] for wave in apply_order(WORLD)]

    assert waves == [
        ["Namespace"],
        ["CustomResourceDefinition"],
        ["ConfigMap", "Secret", "Service", "ServiceAccount", "Role"],
        ["PersistentVolumeClaim", "RoleBinding"],
        ["Deployment", "Job"],
        ["Ingress", "Cart"],
    ]


@LAW
@given(st.permutations(WORLD))
def test_the_order_of_files_does_not_matter(shuffled: list[dict[str, Any]]) -> None:
    assert apply_order(shuffled) == apply_order(WORLD)


A, B = ObjectId("", "ConfigMap", "shop", "a"), ObjectId("", "ConfigMap", "shop", "b")


def test_an_inventory_grows_before_and_shrinks_after() -> None:
    empty = Inventory()
    planned = empty.with_planned([config_map("b"), config_map("a")])
    applied = planned.with_uids({A: "uid-a"})

    assert [entry.id for entry in planned] == [A, B]
    assert applied.entries == (Entry(A, "v1", "uid-a"), Entry(B, "v1", None))
    assert applied.with_planned([config_map("a")]) == applied
    assert applied.without({A}).entries == (Entry(B, "v1", None),)
    assert applied.without({A}).without({A}) == applied.without({A})


def test_what_was_not_planned_is_not_confirmed() -> None:
    with pytest.raises(KeyError):
        Inventory().with_uids({A: "uid"})


@LAW
@given(st.lists(st.sampled_from("abcdef")), st.lists(st.sampled_from("abcdef")))
def test_inventories_come_back_from_json(planned: list[str], confirmed: list[str]) -> None:
    inventory = Inventory().with_planned(map(config_map, planned))
    for name in set(confirmed) & set(planned):
        inventory = inventory.with_uids({ObjectId("", "ConfigMap", "shop", name): f"u-{name}"})

    assert Inventory.from_json(inventory.to_json()) == inventory


ROW = '{"group":"","kind":"K","namespace":"","name":"n","version":"v1","uid":null}'


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"format":1}', '{"format":2,"entries":[]}',
        '{"format":1,"entries":[],"more":1}', '{"format":1,"entries":{}}',
        '{"format":1,"entries":[1]}', f'{{"format":1,"entries":[{ROW},{ROW}]}}',
        '{"format":1,"format":1,"entries":[]}', "\ud800",
        *(f'{{"format":1,"entries":[{ROW.replace(a, b)}]}}' for a, b in (
            ('"uid":null', '"uid":""'), ('"uid":null', '"uid":1'), (',"uid":null', ""),
            ('"uid":null', '"uid":null,"x":1'), ('"n"', "1"), ('"n"', '""'), ('"K"', "null"))),
    ],
)  # fmt: skip
def test_a_wrong_inventory_is_never_an_empty_one(text: str) -> None:
    with pytest.raises(InputError):
        Inventory.from_json(text)
    Inventory.from_json(f'{{"format":1,"entries":[{ROW}]}}')


def test_what_was_applied_is_checked_again_without_our_own_label() -> None:
    """Before drift is mended: what `prepare` adds is not the source's to answer for."""
    prepared = prepare([config_map("settings")], "shop.test")
    rules = Rules("shop.test", (NamespacePattern.parse("shop"),))

    check(unlabelled(prepared), rules, {("", "ConfigMap"): True})

    assert prepared[0]["metadata"]["labels"][LABEL] == "shop.test"
