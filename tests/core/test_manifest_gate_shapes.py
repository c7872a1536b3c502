"""Objects of every shape at a gate that requires manifests: updates, Secrets, and what is no object."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import pytest

from stagepass.admission import judge_object
from stagepass.decision import Answer, Code
from stagepass.evidence import Deadline
from stagepass.manifest import ObjectId
from stagepass.release.build import Terms
from stagepass.review import AdmissionRequest
from tests.core.gated import OBJECTS, World, a_pod, gated, said
from tests.release.samples import COMMIT, CONFIG, DEPLOYMENT, SECRET, altered
from tests.world import DROP, NOW, codes

SALTED = Terms("shop", "production", "production", COMMIT, salted=True)
VALUE = "correct horse battery staple"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def live(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As it stands in a cluster."""
    metadata = {
        **document["metadata"],
        "uid": "7a2c",
        "resourceVersion": "1",
        "creationTimestamp": "2026-11-26T11:00:00Z",
    }
    return altered({**document, "metadata": metadata, "status": {"phase": "x"}}, **changes)


class TestUpdates:
    @pytest.mark.parametrize("document", [*OBJECTS, a_pod()], ids=lambda d: d["kind"])
    def test_that_change_nothing_signed_are_admitted_whatever_is_there(
        self, world: World, document: dict[str, Any]
    ) -> None:
        """Without any release: status, finalizers, owners, and what controllers write."""
        old = live(document)
        new = live(
            document,
            status={"phase": "y"},
            metadata__finalizers=["example.com/x"],
            metadata__ownerReferences=[{"kind": "X", "name": "x", "apiVersion": "v1", "uid": "1"}],
            metadata__resourceVersion="2",
        )
        if document["kind"] == "Deployment":
            new["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
        for each in (old, new):
            assert world.judge(each, old).notes == (Code.UNCHANGED,)

    @pytest.mark.parametrize(
        ("document", "changes"),
        [
            (CONFIG, {"data__colour": "rot"}),
            (CONFIG, {"metadata__labels": {"a": "b"}}),
            (DEPLOYMENT, {"spec__replicas": 7}),
            (DEPLOYMENT, {"metadata__annotations": {"a": "b"}}),
            (a_pod(), {"metadata__labels__app": "other"}),
        ],
    )
    def test_that_change_anything_else_are_judged(
        self, world: World, document: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        world.released()
        new = live(document, **changes)

        assert codes(world.judge(new, live(document))) == ["MANIFEST_DIFFERS"]
        assert world.judge(live(document), new).answer is Answer.ADMITTED, "back again"

    def test_the_size_of_a_replica_set_is_its_deployment_s(self, world: World) -> None:
        found = altered(DEPLOYMENT, kind="ReplicaSet", spec__replicas=0)
        assert world.judge(live(found, spec__replicas=4), live(found)).notes == (Code.UNCHANGED,)

    def test_an_old_object_that_cannot_be_read_is_no_reason(self, world: World) -> None:
        world.released()
        for old in ({}, {"kind": "ConfigMap"}, {"metadata": {}}, {**CONFIG, "metadata": "x"}):
            assert world.judge(CONFIG, old, operation="UPDATE").notes == ()

    def test_deleting_asks_for_nothing(self, world: World) -> None:
        assert world.judge(None, CONFIG, operation="DELETE").notes == (Code.NO_IMAGES,)


class TestSecrets:
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        release = {"from": ["ci"], "secrets": "salted"}
        world = World(tmp_path, gated({"pipeline.stages.2.release": release}))
        world.released(DEPLOYMENT, altered(SECRET, stringData__password=VALUE), terms=SALTED)
        return world

    def test_the_same_values_are_admitted(self, world: World) -> None:
        coded = base64.b64encode(VALUE.encode()).decode()
        stored = {**altered(SECRET, stringData=DROP), "data": {"password": coded}}
        assert world.judge(stored).answer is Answer.ADMITTED

    @pytest.mark.parametrize("where", ["data", "stringData", "annotation", "type"])
    def test_no_value_is_ever_shown(self, world: World, where: str) -> None:
        """Nor its base64, nor any part of it, whatever is wrong."""
        other = "a value of the cluster's own"
        coded = base64.b64encode(other.encode()).decode()
        found = altered(SECRET, stringData=DROP)
        found |= {
            "data": {"data": {"password": coded}},
            "stringData": {"stringData": {"password": other}},
            "annotation": {"data": {"password": coded}},
            "type": {"data": {"password": coded, "more": coded}, "type": "example.com/x"},
        }[where]
        if where == "annotation":
            found["metadata"] = {
                **found["metadata"],
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": other,
                    "a": other,
                },
            }
        decision = world.judge(found)

        assert codes(decision) == ["MANIFEST_DIFFERS"]
        for secret in (other, coded, VALUE, base64.b64encode(VALUE.encode()).decode()):
            for part in (secret, secret[:12]):
                assert part not in said(decision)


class TestExempt:
    def test_the_certificate_that_a_controller_writes_everywhere(self, world: World) -> None:
        found = altered(CONFIG, metadata__name="kube-root-ca.crt", data={"ca.crt": "x"})
        assert world.judge(found).notes == (Code.NO_IMAGES,)

    @pytest.mark.parametrize("changes", [{"kind": "Secret"}, {"metadata__name": "kube-root-ca"}])
    def test_nothing_that_looks_like_it(self, world: World, changes: dict[str, Any]) -> None:
        found = altered(CONFIG, metadata__name="kube-root-ca.crt", data={})
        assert codes(world.judge(altered(found, **changes))) == ["MANIFEST_UNATTESTED"]


class TestNoObject:
    def asked(self, world: World, new: Any, *, kind: str = "ConfigMap") -> Any:
        about = ObjectId("", kind, "shop", "settings")
        request = AdmissionRequest("", "CREATE", about, new, None)
        deadline = Deadline.after(60)
        return judge_object(world.verifier(), "prod-eu", request, now=NOW, deadline=deadline)

    def test_without_an_object(self, world: World) -> None:
        world.released()
        for new in (None, {}):
            decision = self.asked(world, new)
            assert (decision.answer, codes(decision)) == (Answer.UNDETERMINED, ["OBJECT_INVALID"])

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**64, 10**400])
    def test_what_has_no_canonical_form_equals_nothing(self, world: World, value: Any) -> None:
        world.released()
        verifier = world.verifier()
        for _ in range(2):
            found = copy.deepcopy(CONFIG)
            found["data"]["size"] = value
            about = ObjectId("", "ConfigMap", "shop", "settings")
            decision = judge_object(
                verifier,
                "prod-eu",
                AdmissionRequest("", "CREATE", about, found, None),
                now=NOW,
                deadline=Deadline.after(60),
            )
            assert codes(decision) == ["MANIFEST_DIFFERS"]

    @pytest.mark.parametrize("metadata", [None, [], "x", {}, {"name": 1}, {"labels": "x"}])
    def test_metadata_of_any_shape(self, world: World, metadata: Any) -> None:
        world.released()
        decision = self.asked(world, {**CONFIG, "metadata": metadata})
        assert decision.answer is Answer.DENIED

    @pytest.mark.parametrize("spec", [None, [], {}, {"template": None}, {"template": {"spec": 1}}])
    def test_a_workload_of_any_shape(self, world: World, spec: Any) -> None:
        world.released()
        assert world.judge({**DEPLOYMENT, "spec": spec}).answer is not Answer.ADMITTED

    def test_a_name_of_the_request_s_own_is_not_believed(self, world: World) -> None:
        """And of a generated name it knows none."""
        world.released()
        other = altered(CONFIG, metadata__name="other", data={"evil": "x"})

        assert codes(world.judge(other, name="settings")) == ["MANIFEST_UNATTESTED"]
        assert world.judge(a_pod(), name="").answer is Answer.ADMITTED

    def test_an_object_of_another_namespace_is_not_of_this_one(self, world: World) -> None:
        world.released()
        moved = altered(CONFIG, metadata__namespace="other")
        assert not world.judge(moved).allowed
        assert not world.judge(CONFIG, namespace="shop-2").allowed
