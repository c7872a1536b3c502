from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.failure import Failure, Reason
from applier.inventory import Entry, Inventory
from applier.objects import LABEL, prepare
from applier.plan import PROTECTED, Plan, plan
from stagepass.manifest import ObjectId
from tests.applier.model import Cluster, entries_of
from tests.applier.samples import APPLICATION, LAW, an, config_map, rules

names = st.sampled_from([f"web-{number}" for number in range(5)])
data = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), min_size=1)
kinds = st.sampled_from([("v1", "ConfigMap"), ("apps/v1", "StatefulSet")])
renders = st.lists(
    st.builds(lambda kind, name, spec: an(*kind, name, spec=spec), kinds, names, data),
    max_size=5,
    unique_by=ObjectId.of,
).map(lambda found: prepare(found, APPLICATION))


def running(*desired: dict[str, Any]) -> tuple[Cluster, Inventory]:
    """A cluster in which they were applied, and the inventory."""
    cluster = Cluster()
    return cluster, entries_of([cluster.apply(each) for each in prepare(desired, APPLICATION)])


def planned(desired: list[dict[str, Any]], cluster: Cluster, owned: Inventory, **rule: Any) -> Plan:
    return plan(prepare(desired, APPLICATION), cluster.objects, owned, rules(**rule))


def refusal(
    desired: list[dict[str, Any]], cluster: Cluster, owned: Inventory, **rule: Any
) -> Failure:
    with pytest.raises(Failure) as caught:
        planned(desired, cluster, owned, **rule)
    return caught.value


@LAW
@given(renders)
def test_what_is_live_and_equal_needs_nothing(desired: list[dict[str, Any]]) -> None:
    cluster, owned = running(*desired)

    found = plan(desired, cluster.objects, owned, rules())

    assert found.writes == 0
    assert sorted(found.unchanged) == sorted(map(ObjectId.of, desired))


@LAW
@given(renders, renders)
def test_a_plan_carried_out_leaves_nothing_to_do(
    before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    """From any release to any other: the cluster then has exactly what is desired."""
    approved = rules(prune_approved=True)
    cluster, owned = running(*before)

    first = plan(after, cluster.objects, owned, approved)
    owned = cluster.carry_out(first, owned)
    again = plan(after, cluster.objects, owned, approved)

    assert (again.writes, again.going, again.forgotten) == (0, (), ())
    assert set(cluster.objects) == {ObjectId.of(each) for each in after}
    assert {entry.id: entry.uid for entry in owned} == {
        found: live["metadata"]["uid"] for found, live in cluster.objects.items()
    }


@LAW
@given(renders, renders, renders)
def test_prune_names_only_what_is_owned(
    desired: list[dict[str, Any]], ours: list[dict[str, Any]], copies: list[dict[str, Any]]
) -> None:
    """Objects that carry our label, but are in no inventory, are never deleted."""
    cluster, owned = running(*ours)
    for each in copies:
        if ObjectId.of(each) not in cluster.objects:
            cluster.apply(each)

    found = plan(desired, cluster.objects, owned, rules(prune_approved=True))

    assert set(found.prune) <= set(owned)
    assert not {entry.id for entry in found.prune} & {ObjectId.of(each) for each in desired}


@LAW
@given(renders, renders, st.data())
def test_the_order_of_objects_does_not_matter(
    before: list[dict[str, Any]], after: list[dict[str, Any]], choice: st.DataObject
) -> None:
    cluster, owned = running(*before)
    shuffled = choice.draw(st.permutations(after))
    backwards = dict(reversed(cluster.objects.items()))

    assert plan(after, cluster.objects, owned, rules(prune_approved=True)) == plan(
        shuffled, backwards, owned, rules(prune_approved=True)
    )


def test_an_update_says_what_differs() -> None:
    cluster, owned = running(config_map(key="old"), config_map("other"))

    found = planned(
        [config_map(key="new"), config_map("other"), config_map("more")], cluster, owned
    )

    web = ObjectId("", "ConfigMap", "shop", "web")
    assert [each["metadata"]["name"] for each in found.create] == ["more"]
    assert [each["metadata"]["name"] for each in found.update] == ["web"]
    assert found.fields == {web: (".data.key",)}
    assert [each.name for each in found.unchanged] == ["other"]


def test_an_empty_render_is_refused() -> None:
    cluster, owned = running(config_map())

    assert refusal([], cluster, owned).reason is Reason.EMPTY_RENDER
    assert len(planned([], cluster, owned, prune_approved=True).prune) == 1
    assert planned([], Cluster(), Inventory()) == Plan(fields={})


MANY = [config_map(f"c{number}") for number in range(10)]


@pytest.mark.parametrize(("kept", "refused"), [(10, False), (7, False), (6, True), (1, True)])
def test_at_most_three_of_ten_are_pruned(kept: int, refused: bool) -> None:
    cluster, owned = running(*MANY)
    if refused:
        failure = refusal(MANY[:kept], cluster, owned)
        assert (failure.reason, len(failure.objects)) == (Reason.MASS_PRUNE, 10 - kept)
    assert len(planned(MANY[:kept], cluster, owned, prune_approved=refused).prune) == 10 - kept


def test_a_renamed_application_is_a_mass_prune() -> None:
    """Each object has a new name: as many come as go, and all would go."""
    cluster, owned = running(*MANY)
    renamed = [config_map(f"new-{each['metadata']['name']}") for each in MANY]

    assert refusal(renamed, cluster, owned).reason is Reason.MASS_PRUNE


def test_what_is_gone_does_not_hide_a_mass_prune() -> None:
    """Of ten owned objects six are gone by themselves: two of the other four are half."""
    cluster, owned = running(*MANY)
    for each in MANY[4:]:
        del cluster.objects[ObjectId.of(each)]

    assert refusal(MANY[:2], cluster, owned).reason is Reason.MASS_PRUNE


def test_the_next_version_of_a_generated_object_is_no_loss() -> None:
    """Kustomize names them by content: every change of a setting would be a mass prune."""
    old, new = ["a-6mt9g2dhgk", "b-6mt9g2dhgk"], ["a-bk8d2fhc5t", "b-bk8d2fhc5t"]
    cluster, owned = running(*map(config_map, old), config_map("web"))

    found = planned([*map(config_map, new), config_map("web")], cluster, owned)

    assert [entry.id.name for entry in found.prune] == old
    assert refusal([config_map("web")], cluster, owned).reason is Reason.MASS_PRUNE


def test_one_object_is_no_mass() -> None:
    """Of two objects each is half: whoever has a small application must be able to change it."""
    cluster, owned = running(config_map("settings"), config_map("web"))

    assert len(planned([config_map("web")], cluster, owned).prune) == 1


@pytest.mark.parametrize(("group", "kind"), sorted(PROTECTED))
def test_protected_kinds_need_an_approval(group: str, kind: str) -> None:
    """One of eleven is no mass, but it takes data along."""
    precious = an(f"{group}/v1" if group else "v1", kind, "precious")
    cluster, owned = running(*MANY, precious)

    failure = refusal(MANY, cluster, owned)

    assert failure.reason is Reason.PROTECTED_PRUNE
    assert [name.split("/")[1] for name in failure.objects] == [kind]
    assert len(planned(MANY, cluster, owned, prune_approved=True).prune) == 1


def metadata(cluster: Cluster, document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = cluster.objects[ObjectId.of(document)]["metadata"]
    return found


def test_an_object_of_another_application_is_refused_until_it_is_taken_over() -> None:
    cluster, _ = running(config_map())
    metadata(cluster, config_map())["labels"][LABEL] = "shop.prod"
    web = ObjectId.of(config_map())

    failure = refusal([config_map(), config_map("b")], cluster, Inventory())
    assert (failure.reason, failure.objects) == (
        Reason.OWNED_BY_ANOTHER,
        ("core/ConfigMap/shop/web",),
    )
    assert (
        refusal([config_map()], cluster, Inventory(), prune_approved=True).reason is failure.reason
    )
    taken = planned([config_map()], cluster, Inventory(), takeover=frozenset({web}))
    assert [each["metadata"]["name"] for each in taken.update] == ["web"]


def test_what_was_there_before_us_is_not_ours() -> None:
    """A planned entry does not make it ours: somebody was faster than our apply."""
    cluster = Cluster()
    cluster.apply(config_map(), "kubectl")
    owned = Inventory().with_planned([config_map()])

    assert refusal([config_map()], cluster, owned).reason is Reason.OWNED_BY_ANOTHER


def test_a_label_that_was_taken_off_is_put_back_on_what_we_made() -> None:
    cluster, owned = running(config_map())
    del metadata(cluster, config_map())["labels"][LABEL]

    assert planned([config_map()], cluster, owned).fields == {
        ObjectId.of(config_map()): (f".metadata.labels.{LABEL}",)
    }


def test_a_label_that_somebody_wrote_over_is_set_right_on_what_we_made() -> None:
    """Whoever may `kubectl label` must not stop an application: its UID says whose the object is."""
    cluster, owned = running(config_map())
    metadata(cluster, config_map())["labels"][LABEL] = "evil"

    assert planned([config_map()], cluster, owned).fields == {
        ObjectId.of(config_map()): (f".metadata.labels.{LABEL}",)
    }
    metadata(cluster, config_map())["uid"] = "made-again-by-somebody"
    assert refusal([config_map()], cluster, owned).reason is Reason.OWNED_BY_ANOTHER


def test_what_a_controller_owns_is_not_ours() -> None:
    cluster, owned = running(config_map())
    metadata(cluster, config_map())["ownerReferences"] = [
        {"kind": "Cart", "name": "web", "uid": "x", "controller": True}
    ]

    assert refusal([config_map()], cluster, owned).reason is Reason.OWNED_BY_ANOTHER


def one_less(change: dict[str, Any] | None) -> Plan:
    """`web` is no longer desired; its live metadata was changed, or it is gone."""
    cluster, owned = running(*MANY, config_map())
    if change is None:
        del cluster.objects[ObjectId.of(config_map())]
    else:
        metadata(cluster, config_map()).update(change)
    return planned(MANY, cluster, owned)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({}, "prune"),
        ({"labels": {}}, "prune"),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, "going"),
        (None, "forgotten"),
        ({"uid": "made-again-by-somebody"}, "forgotten"),
        ({"uid": ""}, "forgotten"),
        ({"labels": {LABEL: "shop.prod"}}, "forgotten"),
    ],
)
def test_only_the_very_object_we_made_is_pruned(change: dict[str, Any] | None, where: str) -> None:
    """By its UID, and not if another application has it by now."""
    found = one_less(change)

    for name in ("prune", "going", "forgotten"):
        assert len(getattr(found, name)) == (name == where), name


@pytest.mark.parametrize("ours", [True, False])
def test_an_apply_whose_end_was_not_seen(ours: bool) -> None:
    """Killed between the write and the note of its UID: the label tells whether the write was ours."""
    cluster, owned = running(*MANY)
    left = prepare([config_map()], APPLICATION)[0] if ours else config_map()
    uid = cluster.apply(left)["metadata"]["uid"]
    owned = owned.with_planned([left])

    found = planned(MANY, cluster, owned)

    entry = Entry(ObjectId.of(left), "v1", uid if ours else None)
    assert (found.prune, found.forgotten) == (((entry,), ()) if ours else ((), (entry,)))


def test_an_object_twice_is_refused() -> None:
    assert (
        refusal([config_map(), config_map()], Cluster(), Inventory()).reason
        is Reason.OBJECT_REFUSED
    )
