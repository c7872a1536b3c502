"""
Objects as a real API server and its controllers kept them, each changed at every place.

`recorded.json` was taken from the run of `tests/cluster/test_manifests.py`, which asks a real one.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stagepass.manifests.compare import differences
from stagepass.manifests.difference import Difference
from stagepass.manifests.templates import template_differences
from stagepass.objects import Object
from tests.manifests.samples import RULE

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())
RELEASED = {(each["kind"], each["metadata"]["name"]): each for each in RECORDED["released"]}
LIVE = {f"{each['kind']}-{each['metadata']['name']}": each for each in RECORDED["live"]}
OTHER = ("other", 7, True, ["x"], {"x": "y"})

Steps = tuple[str | int, ...]


def nearest(live: dict[str, Any]) -> Object:
    """The object of the release that it is named by, or else made of."""
    named = RELEASED.get((live["kind"], live["metadata"]["name"]))
    if named is not None:
        return named
    return next(
        o for o in RECORDED["released"] if template_differences(o, live, RULE, created=False) == []
    )


OWNERS = {name: nearest(live) for name, live in LIVE.items()}


def paths(name: str, live: Any) -> list[str]:
    owner = OWNERS[name]
    if (owner["kind"], owner["metadata"]["name"]) == tuple(name.split("-", 1)):
        found: list[Difference] | None = differences(owner, live, RULE, created=False)
    else:
        found = template_differences(owner, live, RULE, created=False)
    return ["metadata.name"] if found is None else [each.path for each in found]


def walk(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    yield steps, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from walk(each, (*steps, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from walk(each, (*steps, index))


def changes(live: Any) -> Iterator[tuple[str, Any]]:
    """Every object that differs in one place, and the place, `*` for an item."""
    for steps, value in walk(live):
        where = "/".join("*" if isinstance(s, int) else s.replace("/", "~") for s in steps)
        if len(steps) < 2 or steps[-1] in ("apiVersion", "kind"):  # which object it is
            continue
        for other in OTHER:
            if type(other) is not type(value) or other != value:
                yield where, changed(live, steps, other)
        if isinstance(value, dict):
            yield f"{where}/zz", changed(live, steps, {**value, "zz": "x"})
        elif isinstance(value, list) and value:
            yield where, changed(live, steps, [*value, value[0]])
            yield where, changed(live, steps, [*value, "x"])
            if value != value[::-1]:
                yield f"{where} turned", changed(live, steps, value[::-1])


def changed(live: Any, steps: Steps, value: Any) -> Any:
    copied = copy.deepcopy(live)
    here = copied
    for step in steps[:-1]:
        here = here[step]
    here[steps[-1]] = value
    return copied


# What may be changed, and by which rule; no other place may.
TERMS = (
    "spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms"
)
FREE = {
    # Not compared: the API server's own, and the owner, which proves nothing.
    "": {
        *("metadata/uid", "metadata/resourceVersion", "metadata/generation"),
        *("metadata/creationTimestamp", "metadata/ownerReferences", "metadata/finalizers"),
        *("metadata/generateName", "metadata/deletionGracePeriodSeconds"),
        # The closed list; a value of another form is a difference for all but kubectl's own.
        "metadata/annotations/kubectl.kubernetes.io~last-applied-configuration",
    },
    # Which hash, which node: the controller's answer. Any name, but for a StatefulSet's.
    "Pod": {
        *("metadata/name", "metadata/labels/pod-template-hash"),
        *("metadata/labels/controller-revision-hash", f"{TERMS}/*/matchFields/*/values"),
        # What admission adds may stand before or after what the release says.
        *(
            "spec/volumes turned",
            "spec/tolerations turned",
            "spec/containers/*/volumeMounts turned",
        ),
    },
    # Of a Deployment: the roll-out moves it. Of a release: a difference.
    "ReplicaSet": {"metadata/annotations", "spec/replicas"},
    # Of a CronJob, whose own annotations this happens to be.
    "Job": {"metadata/annotations"},
    # Allocated; of a Service without selector, both families in either order.
    "Service": {"spec/healthCheckNodePort", "spec/ports/*/nodePort", "spec/ipFamilies turned"},
}


# `podSelector: {}` of a NetworkPolicy: without it, the API server writes it.
WRITTEN_ANYWAY = {("spec", "podSelector")}


def is_free(kind: str, where: str) -> bool:
    free = FREE[""] | FREE.get(kind, set())
    parts = where.split("/")
    return any("/".join(parts[: n + 1]) in free for n in range(len(parts)))


@pytest.mark.parametrize("name", sorted(LIVE))
def test_every_place_counts(name: str) -> None:
    """Whatever else stands anywhere, is added, doubled or turned round, is seen."""
    live = LIVE[name]
    assert paths(name, live) == []

    unseen = {where for where, other in changes(live) if not paths(name, other)}

    assert {where for where in unseen if not is_free(live["kind"], where)} == set()


@pytest.mark.parametrize("name", sorted(LIVE))
def test_what_the_release_sets_may_not_be_removed(name: str) -> None:
    attested, live = OWNERS[name], LIVE[name]
    if attested["kind"] != live["kind"]:
        return
    for steps, _ in walk(attested):
        if not steps or steps[0] in ("metadata", "apiVersion", "kind") or steps in WRITTEN_ANYWAY:
            continue
        copied = copy.deepcopy(live)
        here = copied
        for step in steps[:-1]:
            here = here[step]
        del here[steps[-1]]
        assert paths(name, copied), steps


def test_the_path_is_that_of_the_live_object() -> None:
    """Counted with what admission added, which stands before it."""
    name = next(each for each in LIVE if each.startswith("Pod-daemon-"))
    live = copy.deepcopy(LIVE[name])
    live["spec"]["tolerations"].append({"operator": "Exists"})
    last = len(live["spec"]["tolerations"]) - 1

    assert paths(name, live) == [f"spec.tolerations[{last}]"]
