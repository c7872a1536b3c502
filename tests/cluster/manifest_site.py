"""
A gate whose stage requires manifests, before a real API server that asks it about every kind in scope.

The rules are those of `deploy/manifests`, and one more for a custom resource. Releases hold every kind
of `tests.manifests.released`, in a namespace each, and are signed as `stagepass release attest` signs.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from stagepass.objects import spelled
from stagepass.policy.releases import DEFAULT_KINDS, kind_text
from stagepass.release.build import Terms, build
from stagepass.release.store import write_directory
from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import NAME, ROOT, Gate
from tests.cluster.shop import HOST, Shop
from tests.core.gated import of_set
from tests.manifests.released import released
from tests.manifests.samples import an
from tests.release.samples import COMMIT, named, payload_of
from tests.world import signed, signed_pass, signer, stored

Object = dict[str, Any]

TERMS = Terms("shop", "staging", "staging", COMMIT, salted=True)
DENIED = f'admission webhook "{NAME}" denied the request: '
_KINDS = ", ".join(sorted(map(kind_text, DEFAULT_KINDS)))
_POLICY = f"""\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors:
  ci: {{keys: [{{file: keys/ci.pub, owner: ci}}]}}
  test-cluster: {{keys: [{{file: keys/test-cluster.pub, owner: test-cluster}}]}}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {{name: shop}}
images: [{HOST}/shop/**]
stages:
  - {{name: test, clusters: [test], namespaces: [shop], signedBy: [test-cluster]}}
  - name: staging
    clusters: [staging]
    namespaces: ["gate-*"]
    after: [test]
    manifests: required
    release:
      from: [ci]
      secrets: salted
      kinds: [example.com/Widget, {_KINDS}]
      allow:
        - {{kinds: [apps/Deployment], pointer: /spec/replicas, reason: autoscaled}}
---
apiVersion: stagepass.dev/v1
kind: Defaults
"""
_WIDGETS = "widgets.example.com"
_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": _WIDGETS},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
_WIDGET_RULE = {
    "operations": ["CREATE", "UPDATE"],
    "apiGroups": ["example.com"],
    "apiVersions": ["v1"],
    "resources": ["widgets"],
    "scope": "Namespaced",
}
_PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}


def objects(namespace: str, number: int = 1) -> list[Object]:
    """What release `number` holds in a namespace: of the second, all objects have a label more."""
    widget = an("example.com/v1", "Widget", "widget", spec={"size": 1, "parts": [{"name": "a"}]})
    widget["metadata"]["namespace"] = namespace
    found = [*released(namespace), widget]
    for each in found if number > 1 else []:
        each["metadata"].setdefault("labels", {})["release"] = str(number)
        if each["metadata"]["name"] == "deployment":
            each["spec"]["template"]["spec"]["containers"][0]["args"] = ["--port", "9090"]
    return [spelled(each) for each in found]


class ManifestShop(Shop):
    """The policy, and releases whose images have passed `test` as the sets that they are."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.host = directory, HOST
        self.policy, self.evidence = directory / "policy", directory / "evidence"
        (self.policy / "keys").mkdir(parents=True)
        self.evidence.mkdir()
        for name in ("ci", "test-cluster"):
            (self.policy / "keys" / f"{name}.pub").write_bytes(signer(name).public_pem)
        (self.policy / "policy.yaml").write_text(_POLICY)

    def release(self, documents: Iterable[Object]) -> None:
        """One signed release with these objects."""
        release = build(named(list(documents)), TERMS)
        write_directory(self.evidence, release, signed(payload_of(release), "ci"))
        for image in release.statement.images:
            moment = datetime.now(UTC)
            bundle = signed_pass(digest=image.digest, at=moment, changes=of_set(release))
            stored(self.evidence, [bundle], image.digest)


class Api:
    """The API server as its administrator asks it, over one connection."""

    def __init__(self, control_plane: ControlPlane) -> None:
        host, _, port = control_plane.server.removeprefix("https://").partition(":")
        tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self._connection = http.client.HTTPSConnection(host, int(port), context=tls, timeout=30)
        self._token = control_plane.token

    def send(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, Object]:
        """Status and answer."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        self._connection.close()


class ManifestSite:
    """A gate in force; `namespace()` is a new one with two signed releases of all kinds."""

    def __init__(self, gate: Gate, shop: ManifestShop, api: Api) -> None:
        self.gate, self.shop, self.api = gate, shop, api
        self.control_plane = gate.control_plane

    def namespace(self) -> str:
        found = self.control_plane.namespace("gate")
        for number in (1, 2):
            self.shop.release(objects(found, number))
        self.gate.namespace = found
        return found

    def refused(self) -> list[str]:
        """What the gate did not admit in its namespace so far."""
        return [
            f"{each['operation']} {each['object']}: {each['violations']}"
            for each in self.gate.decisions()
            if each["answer"] != "admitted"
        ]


def collection(document: Mapping[str, Any]) -> str:
    """Where objects of its kind are, in its namespace."""
    version, kind = document["apiVersion"], document["kind"]
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    return f"{prefix}/namespaces/{document['metadata']['namespace']}/{plural}"


def ask_about_manifests(control_plane: ControlPlane, *more: Object) -> None:
    """The API server asks about every kind in scope, as `deploy/manifests` says, and by `more` rules."""
    component = yaml.safe_load((ROOT / "deploy/manifests/kustomization.yaml").read_text())
    patch = yaml.safe_load(component["patches"][0]["patch"])
    patch += [{"op": "add", "path": "/webhooks/0/rules/-", "value": rule} for rule in more]
    what = ("validatingwebhookconfiguration", "stagepass")
    control_plane.kubectl("patch", *what, "--type=json", "-p", json.dumps(patch))


@contextmanager
def manifest_site(control_plane: ControlPlane, directory: Path) -> Iterator[ManifestSite]:
    """The whole of it; `directory` must be empty."""
    for name in ("shop", "gate"):
        (directory / name).mkdir()
    shop = ManifestShop(directory / "shop")
    control_plane.kubectl("create", "-f", "-", stdin=json.dumps(_DEFINITION))
    control_plane.kubectl("wait", "--for=condition=Established", f"crd/{_WIDGETS}")
    with Gate(control_plane, shop, directory / "gate") as gate:
        ask_about_manifests(control_plane, _WIDGET_RULE)
        api = Api(control_plane)
        try:
            site = ManifestSite(gate, shop, api)
            probes = [
                an("v1", "ConfigMap", "probe"),
                an("example.com/v1", "Widget", "probe"),
                an("policy/v1", "PodDisruptionBudget", "probe", spec={"minAvailable": 1}),
            ]
            for probe in probes:
                probe["metadata"]["namespace"] = gate.namespace
                gate.wait_for(lambda probe=probe: _is_refused(api, probe))  # type: ignore[misc]
            yield site
        finally:
            api.close()


def _is_refused(api: Api, probe: Object) -> bool:
    status, said = api.send("POST", f"{collection(probe)}?dryRun=All", probe)
    return DENIED in str(said.get("message")) and status == http.HTTPStatus.FORBIDDEN
