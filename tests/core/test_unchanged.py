"""An update that changes no image is admitted, so that drains and finalizers go on (B17 to B20)."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.admission import judge_object
from stagepass.decision import Answer, Code, Decision
from stagepass.evidence import Deadline
from stagepass.verifier import Verifier
from tests.core.objects import WORKLOADS, containers, pod, request, workload
from tests.core.sources import MemorySource
from tests.world import DROP, IMAGE, NOW, OTHER_IMAGE, changed, policy_set

A, B = str(OTHER_IMAGE), f"registry.example.com/shop/other@{OTHER_IMAGE.digest}"
POD = pod(
    {
        "containers": containers(A, B),
        "initContainers": [{"name": "i", "image": A}],
        "volumes": [{"name": "v", "image": {"reference": A}}, {"name": "tmp", "emptyDir": {}}],
    }
)
FIRST, SECOND = "spec.containers.0", "spec.containers.1"


def judge(new: Any, old: Any, operation: str = "UPDATE", cluster: str = "prod-eu") -> Decision:
    """Without any evidence: only an object that is unchanged can be admitted."""
    verifier = Verifier(policy_set(), [MemorySource()])
    asked = request(new, old, operation=operation)
    return judge_object(verifier, cluster, asked, now=NOW, deadline=Deadline.after(60))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metadata.finalizers": DROP},
        {"metadata.labels": {"a": "b"}},
        {"metadata.deletionTimestamp": "2026-11-26T12:00:00Z"},
        {"spec.activeDeadlineSeconds": 5},
        {f"{FIRST}.resources": {"limits": {"cpu": "1"}}},
        {"spec.volumes.1": DROP},
        {"spec.containers": POD["spec"]["containers"][::-1]},
        {"spec.ephemeralContainers": []},
    ],
)
def test_an_update_in_which_every_slot_keeps_its_image_is_admitted(changes: dict[str, Any]) -> None:
    old = {**POD, "metadata": {**POD["metadata"], "finalizers": ["x"]}}
    decision = judge(changed(old, changes), old)

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.UNCHANGED,))
    assert decision.places == (("shop", "production"),)


@pytest.mark.parametrize(("api_version", "kind"), WORKLOADS)
def test_every_workload_kind_has_the_same_rule(api_version: str, kind: str) -> None:
    old = workload(api_version, kind, {"containers": containers(A)})
    new = workload(api_version, kind, {"containers": containers(B)})

    assert judge(old, old).notes == (Code.UNCHANGED,)
    assert judge(new, old).answer is Answer.DENIED


@pytest.mark.parametrize(
    "changes",
    [
        {f"{FIRST}.image": B},
        {f"{FIRST}.image": B, f"{SECOND}.image": A},
        {f"{FIRST}.name": "renamed"},
        {f"{FIRST}.name": DROP},
        {SECOND: DROP},
        {"spec.containers.2": {"name": "new", "image": A}},
        {"spec.initContainers": DROP},
        {"spec.initContainers.0.image": B},
        {"spec.ephemeralContainers": [{"name": "debug", "image": A}]},
        {"spec.volumes.0.image.reference": B},
        {"spec.volumes.0": DROP},
        {"spec.volumes.1": {"name": "tmp", "image": {"reference": A}}},
        {f"{FIRST}.image": A.replace("@", ":tag@")},
        {"spec.replicas": 1, f"{FIRST}.image": B},
        {"metadata.deletionTimestamp": "2026-11-26T12:00:00Z", f"{FIRST}.image": B},
    ],
)
def test_one_difference_in_any_slot_and_every_image_is_judged(changes: dict[str, Any]) -> None:
    decision = judge(changed(POD, changes), POD)

    assert (decision.answer, decision.notes) == (Answer.DENIED, ())


def test_what_is_added_beside_images_kept_does_not_excuse_those() -> None:
    """All are judged, not only the one that is new."""
    new = changed(POD, {"spec.containers.2": {"name": "new", "image": str(IMAGE)}})

    paths = {v.path for v in judge(new, POD).violations}
    assert "spec.containers[0].image" in paths
    assert "spec.volumes[0].image.reference" in paths


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "a", "image": A}, {"name": "a", "image": A}]},
        {"containers": [{"image": A}]},
        {"containers": [{"name": "", "image": A}]},
        {"containers": containers(A), "volumes": [{"image": {"reference": A}}]},
    ],
)
def test_ambiguous_slots_are_never_unchanged(spec: dict[str, Any]) -> None:
    assert judge(pod(spec), pod(spec)).answer is Answer.DENIED


def test_nothing_is_unchanged_on_create() -> None:
    """Whoever creates may send any old object along."""
    decision = judge(POD, POD, operation="CREATE")

    assert (decision.answer, decision.notes) == (Answer.DENIED, ())


@pytest.mark.parametrize(
    "old", [None, {}, pod(None), pod({}), pod({"containers": "x"}), {**POD, "spec": []}]
)
def test_an_old_object_that_is_absent_or_misshapen_excuses_nothing(old: Any) -> None:
    if old == {}:
        old = {"apiVersion": "v1", "kind": "Pod"}

    assert judge(POD, old).answer is Answer.DENIED


def test_a_new_object_that_is_misshapen_is_not_unchanged_even_if_the_old_one_was() -> None:
    assert judge(pod({}), pod({})).answer is Answer.UNDETERMINED


def test_an_unchanged_object_is_admitted_in_a_cluster_that_no_stage_names() -> None:
    """A gate that is set up wrongly must not stop the clean-up of what runs."""
    assert judge(POD, POD, cluster="unknown").notes == (Code.UNCHANGED,)
