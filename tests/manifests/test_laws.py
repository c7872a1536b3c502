"""Laws of comparing, for objects of every built-in kind that the table makes up."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stagepass.manifests import kinds
from stagepass.manifests.compare import differences, unchanged
from stagepass.manifests.difference import Key, spelled_path
from stagepass.manifests.fields import Place
from tests.manifests.samples import RULE, an
from tests.manifests.server import TYPES, filled

LAW = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
KINDS = {
    **{kind: ("apps", f"apps.v1.{kind}") for kind in ("Deployment", "StatefulSet", "DaemonSet")},
    **{
        kind: ("", f"core.v1.{kind}")
        for kind in ("Pod", "Service", "Secret", "ConfigMap", "PersistentVolumeClaim")
    },
    **{
        kind: ("networking.k8s.io", f"networking.v1.{kind}")
        for kind in ("Ingress", "NetworkPolicy")
    },
    **{kind: ("batch", f"batch.v1.{kind}") for kind in ("Job", "CronJob")},
    "PodDisruptionBudget": ("policy", "policy.v1.PodDisruptionBudget"),
    "RoleBinding": ("rbac.authorization.k8s.io", "rbac.v1.RoleBinding"),
}
_NAMING = ("apiVersion", "kind", "metadata", "status")
_DEPTH = 7
_SCALARS: list[Any] = ["", "x", "y", 0, 1, 2, True, False]
_SPELLINGS: dict[str, list[Any]] = {
    "quantity": ["1", "1000m", 1, "2Gi", "0"],
    "bytes": ["", "eA=="],
}
_OTHERS: list[Any] = [*_SCALARS, 7, "1", None, [], {}, ["x"], {"x": "y"}, 1.0, 0.0]

scalars = st.sampled_from(_SCALARS)


@st.composite
def structs(draw: st.DrawFn, type_name: str, place: Place, depth: int = _DEPTH) -> dict[str, Any]:
    """Some members of a type, but none that a written rule is about: those have tests of their own."""
    types = TYPES.get(type_name, {})
    names = [n for n in types if "/" not in n and place.look(n).member is None and n != "metadata"]
    found = {}
    for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else ():
        entry, items = types[name], types.get(f"{name}/*")
        below = place.look(name)
        if entry.get("is") == "map":
            found[name] = draw(
                st.dictionaries(st.sampled_from(["a", "b/c"]), values(items or {}), max_size=2)
            )
        elif items is not None:
            inner = struct_or_value(items, below.look("*"), depth)
            found[name] = draw(st.lists(inner, max_size=2))
        else:
            found[name] = draw(struct_or_value(entry, below, depth))
    return found


def struct_or_value(entry: Any, place: Place, depth: int) -> st.SearchStrategy[Any]:
    if "type" in entry:
        return structs(entry["type"], place, depth - 1) if depth else st.just({})
    return values(entry)


def values(entry: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(_SPELLINGS.get(entry.get("is", ""), _SCALARS))


@st.composite
def objects(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    kind = draw(st.sampled_from(sorted(KINDS)))
    group, type_name = KINDS[kind]
    types = TYPES[type_name]
    place = kinds.root((group, kind))
    source = draw(structs(type_name, place))
    if "spec" in types:
        source["spec"] = draw(structs(types["spec"]["type"], place.look("spec")))
    for name in ("apiVersion", "kind", "status"):
        source.pop(name, None)
    if source.get("spec") == {}:
        del source["spec"]  # the same to the server; its defaults then hang on nothing
    return an(f"{group}/v1" if group else "v1", kind, **source), kind


def served(source: Any, kind: str) -> Any:
    group, type_name = KINDS[kind]
    return filled(source, group, kind, type_name)


def canonical(value: Any) -> str:
    """Types told apart; integral floats are integers."""
    return json.dumps(value, sort_keys=True).replace("1.0", "1").replace("0.0", "0")


@LAW
@given(objects())
def test_what_the_server_fills_in_is_no_difference(made: tuple[dict[str, Any], str]) -> None:
    attested, kind = made

    assert differences(attested, served(attested, kind), RULE) == []
    assert differences(attested, attested, RULE) == []


def places(value: Any, steps: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [steps] if steps else []
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, each in members:
        found += places(each, (*steps, step))
    return found


def mutated(live: Any, steps: tuple[str | int, ...], how: str, other: Any) -> Any:
    changed = copy.deepcopy(live)
    here = changed
    for step in steps[:-1]:
        here = here[step]
    here.setdefault(steps[-1], {}) if steps == ("spec",) else None
    last: Any = steps[-1]
    target = here[last]
    if how == "add" and isinstance(target, dict):
        target["zz"] = other
    elif how == "add" and isinstance(target, list):
        target.append(other)
    elif how == "double" and isinstance(target, list) and target:
        target.append(target[0])
    elif how == "turn" and isinstance(target, list):
        target.reverse()
    elif how == "remove":
        del here[last]
    else:
        here[last] = other
    return changed


def is_ruled(steps: tuple[str | int, ...], place: Place) -> bool:
    """Whether a written rule is asked on the way: those have tests of their own."""
    for step in steps:
        place = place.look("*" if isinstance(step, int) else step)
        if place.member is not None:
            return True
    return False


def written(steps: tuple[str | int, ...], place: Place) -> str:
    """The path as a difference spells it."""
    named: list[Any] = []
    for step in steps:
        named.append(Key(str(step)) if place.free and isinstance(step, str) else step)
        place = place.look("*" if isinstance(step, int) else step)
    return spelled_path(named)


@settings(LAW, max_examples=300)
@given(objects(), st.data())
def test_what_the_server_would_not_have_made_is_named(
    made: tuple[dict[str, Any], str], data: st.DataObject
) -> None:
    """One change anywhere: that place is named, or one above or below it."""
    attested, kind = made
    live = served(attested, kind)
    steps = data.draw(
        st.sampled_from([("spec",), *(p for p in places(live) if p[0] not in _NAMING)])
    )
    assume(not is_ruled(steps, kinds.root((KINDS[kind][0], kind))))
    how = data.draw(st.sampled_from(["set", "add", "double", "turn", "remove"]))
    changed = mutated(live, steps, how, data.draw(st.sampled_from(_OTHERS)))
    assume(changed.get("spec") != {})  # as good as none: tests/manifests/attacks.py has it
    assume(canonical(served(changed, kind)) != canonical(served(live, kind)))

    found = differences(attested, changed, RULE)

    if how == "remove" and isinstance(steps[-1], int):
        steps = steps[:-1]  # of two equal items, which one is missing cannot be told
    place = written(steps, kinds.root((KINDS[kind][0], kind)))
    assert found, (attested, changed)
    assert any(d.path.startswith(place) or place.startswith(d.path) for d in found)


@LAW
@given(objects(), st.data())
def test_an_update_is_unchanged_only_if_nothing_is(
    made: tuple[dict[str, Any], str], data: st.DataObject
) -> None:
    attested, kind = made
    old = served(attested, kind)
    steps = data.draw(
        st.sampled_from([("spec",), *(p for p in places(old) if p[0] not in _NAMING)])
    )
    new = mutated(old, steps, "set", data.draw(st.sampled_from(_OTHERS)))
    assume(json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True))

    assert unchanged(old, copy.deepcopy(old))
    assert not unchanged(old, new)
