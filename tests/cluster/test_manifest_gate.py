"""
The gate before a real API server, where manifests are required: as released admitted, else refused.

Every kind in scope and one custom resource; `python -m tests.manifests` prints kinds by cases.
"""

from __future__ import annotations

import copy
import http
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifest_site import (
    DENIED,
    ManifestSite,
    Object,
    collection,
    manifest_site,
    objects,
)
from tests.cluster.mutations import mutations

pytestmark = pytest.mark.cluster

TABLE: dict[str, Counter[str]] = defaultdict(Counter)
"""How often what was seen, by kind."""
_CONTROLLERS = (
    "daemonset-controller",
    "disruption-controller",
    "endpointslice-controller",
    "ephemeral-volume-controller",
    "persistentvolume-binder-controller",
    "persistentvolumeclaim-protection-controller",
    "replicationcontroller-controller",
)
_NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
_MADE = {"pods": 11, "replicasets": 3, "jobs": 2, "persistentvolumeclaims": 3}
_ALLOWED = {
    ("Deployment", ("spec", "replicas")),  # the stage's allow-list
    ("Pod", ("spec", "imagePullSecrets")),  # a written rule: those of the service account
}
_SECONDS = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManifestSite]:
    directory = tmp_path_factory.mktemp("plane")
    with ControlPlane(directory, controllers=_CONTROLLERS) as running:
        running.kubectl("create", "-f", "-", stdin=json.dumps(_NODE))
        running.kubectl("taint", "node", "node-1", "node.kubernetes.io/not-ready-")
        with manifest_site(running, tmp_path_factory.mktemp("site")) as found:
            yield found
    _print_table()


def apply(site: ManifestSite, found: list[Object], *options: str) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": found})
    site.control_plane.kubectl("apply", *options, "-f", "-", stdin=text)


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client", "server"])
def test_every_kind_is_applied_updated_and_rolled_back(
    site: ManifestSite, options: tuple[str, ...]
) -> None:
    """Created, applied again, updated to the next release, rolled back; whoever defaults what."""
    namespace = site.namespace()
    first, second = objects(namespace, 1), objects(namespace, 2)
    for case, found in (
        ("create", first),
        ("no-op", first),
        ("update", second),
        ("rollback", first),
    ):
        apply(site, found, *options)
        assert site.refused() == [], case
        for each in found:
            TABLE[each["kind"]][f"{case}{'/ssa' if options else ''}"] += 1


@pytest.fixture(scope="module")
def rolled_out(site: ManifestSite) -> str:
    """Where the first release was rolled out; what is made and updated there is the controllers'."""
    namespace = site.namespace()
    apply(site, objects(namespace))
    job = ("create", "job", "cron-29000000", "--from=cronjob/cron")
    site.control_plane.kubectl("-n", namespace, *job)
    deadline = time.monotonic() + _SECONDS
    while missing := {
        kind: f"{found} of {wanted}: {site.refused()}"
        for kind, wanted in _MADE.items()
        if (found := len(_live(site, namespace, kind))) < wanted
    }:
        assert time.monotonic() < deadline, missing
        time.sleep(0.2)
    return namespace


class TestControllers:
    def test_what_they_make_is_admitted(self, site: ManifestSite, rolled_out: str) -> None:
        site.gate.namespace = rolled_out
        for kind in _MADE:
            for each in _live(site, rolled_out, kind):
                TABLE[each["kind"]]["made"] += bool(each["metadata"].get("ownerReferences"))
        assert site.refused() == []

    def test_what_they_write_is_admitted(self, site: ManifestSite, rolled_out: str) -> None:
        """Finalizers, owners, status, and the annotations of a roll-out, to each object."""
        site.gate.namespace = rolled_out
        root = f"/api/v1/namespaces/{rolled_out}/configmaps/kube-root-ca.crt"
        _, owner = site.api.send("GET", root)
        owned = {"apiVersion": "v1", "kind": "ConfigMap"}
        owned |= {name: owner["metadata"][name] for name in ("name", "uid")}
        patch = {"metadata": {"finalizers": ["example.com/held"], "ownerReferences": [owned]}}
        kind = "application/merge-patch+json"
        for each in objects(rolled_out):
            path = f"{collection(each)}/{each['metadata']['name']}"
            for body in (patch, {"metadata": {"finalizers": None, "ownerReferences": None}}):
                status, said = site.api.send("PATCH", path, body, kind)
                assert status == http.HTTPStatus.OK, f"{each['kind']}: {said}"
            TABLE[each["kind"]]["written"] += 1
        assert site.refused() == []

    def test_scaling_is_the_allow_list_s(self, site: ManifestSite, rolled_out: str) -> None:
        """By the subresource nobody asks the gate; by the object only where the stage opens it."""
        site.gate.namespace = rolled_out
        scale = ("-n", rolled_out, "scale", "--replicas=3")
        site.control_plane.kubectl(*scale, "deployment/deployment", "statefulset/stateful")
        for resource in ("deployments/deployment", "statefulsets/stateful"):
            path = f"/apis/apps/v1/namespaces/{rolled_out}/{resource}"
            body = {"spec": {"replicas": 2}}
            status, said = site.api.send("PATCH", path, body, "application/merge-patch+json")
            if resource.startswith("deployments"):
                assert status == http.HTTPStatus.OK, said
            else:
                assert status == http.HTTPStatus.FORBIDDEN
                assert "spec.replicas: got 2" in said["message"]
        before = len(site.refused())
        deadline = time.monotonic() + _SECONDS
        while len(_live(site, rolled_out, "pods")) < _MADE["pods"] + 1:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert len(site.refused()) == before == 1


def test_one_thing_changed_anywhere_is_refused_by_its_name(site: ManifestSite) -> None:
    """
    Every mutation of every object, created as a dry run where nothing is yet.

    What the API server itself refuses is not counted; what it makes the same object of is no
    mutation. All others the gate refuses, and names the place or what stands around it.
    """
    namespace = site.namespace()
    wrong: list[str] = []
    for document in objects(namespace):
        _, plain = site.api.send("POST", f"{collection(document)}?dryRun=All", document)
        for mutation in mutations(document):
            path = f"{collection(document)}?dryRun=All"
            status, said = site.api.send("POST", path, mutation.document)
            message = str(said.get("message", ""))
            about = f"{document['kind']} {document['metadata']['name']}: {mutation}"
            if status == http.HTTPStatus.CREATED:
                same = _kept(said) == _kept(plain)
                allowed = (document["kind"], mutation.path) in _ALLOWED
                TABLE[document["kind"]]["same" if same else "allowed"] += 1
                if not same and not allowed:
                    wrong.append(f"{about} ADMITTED")
            elif DENIED in message and "MANIFEST_DIFFERS" in message:
                TABLE[document["kind"]][mutation.how] += 1
                if not _names(message, mutation.path):
                    wrong.append(f"{about} NOT NAMED: {message[:400]}")
            elif DENIED in message:
                TABLE[document["kind"]][mutation.how] += 1
                if "image" not in mutation.path:
                    wrong.append(f"{about}: {message[:300]}")
            else:
                TABLE[document["kind"]]["invalid"] += 1
    assert wrong == [], "\n".join(["", *wrong])


def _names(message: str, path: tuple[str | int, ...]) -> bool:
    """Whether it names the place, something in it, or the list or map around it."""
    text = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path[:-1]).lstrip(".")
    return text in message


def _kept(said: Object) -> Any:
    """What is said of an object, without what is new each time."""
    found = copy.deepcopy(said)
    for name in ("uid", "creationTimestamp", "managedFields", "resourceVersion"):
        found["metadata"].pop(name, None)
    text = json.dumps(found, sort_keys=True).replace(str(said["metadata"].get("uid")), "UID")
    return re.sub("kube-api-access-[a-z0-9]{5}", "kube-api-access", text)


def _live(site: ManifestSite, namespace: str, kind: str) -> list[Object]:
    text = site.control_plane.kubectl("-n", namespace, "get", kind, "-o", "json").stdout
    items: list[Object] = json.loads(text)["items"]
    return items


def _print_table() -> None:
    """Into the file that `python -m tests.manifests` names."""
    target = os.environ.get("STAGEPASS_TEST_TABLE")
    cases = list(dict.fromkeys(case for row in TABLE.values() for case in row))
    lines = [" ".join(["kind".ljust(24), *(case.rjust(12) for case in cases)])]
    for kind, row in sorted(TABLE.items()):
        lines.append(" ".join([kind.ljust(24), *(str(row[case]).rjust(12) for case in cases)]))
    if target:
        Path(target).write_text("\n".join(lines) + "\n")
