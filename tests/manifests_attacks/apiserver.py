"""The rows at a real API server that asks a real gate: every request is a dry run, and is judged like any."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

from stagepass.decision import Code
from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import NAME, ROOT, Gate
from tests.manifests_attacks.objects import Object, release_a
from tests.manifests_attacks.row import ADMITTED, BY_THE_API, BY_THE_POLICY, Attack, Verb
from tests.manifests_attacks.site import Site, worded

_COMPONENT = ROOT / "deploy" / "manifests" / "kustomization.yaml"
_STATUS = _COMPONENT.with_name("status.yaml")
_OF_STATUS = (
    "ValidatingAdmissionPolicy 'stagepass-status' with binding 'stagepass-status' denied request"
)
_PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}
_MADE = {"web-", "db-0", "pool-", "migrate-"}
"""How the Pods are called that controllers make of release A."""


class ApiServer:
    """What two namespaces of a gated cluster answer; release A lives in the first."""

    def __init__(self, control_plane: ControlPlane, site: Site) -> None:
        self.site = site
        self._token = control_plane.token
        self._address = control_plane.server.removeprefix("https://").partition(":")
        self._tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self.control_plane = control_plane

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and answer of one request by the administrator."""
        host, _, port = self._address
        kind = "application/json-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        connection = http.client.HTTPSConnection(host, int(port), context=self._tls, timeout=30)
        with closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def live(self, kind: str, name: str, namespace: str) -> Object:
        """An object as it lives."""
        attested = self.site.attested(kind, name, namespace)
        status, found = self.send("GET", f"{collection(attested)}/{name}")
        assert status == http.HTTPStatus.OK, found
        # Left out of single objects' members by nobody, but by lists.
        return {**found, "apiVersion": attested["apiVersion"], "kind": kind}

    def answer(self, attack: Attack, verb: Verb) -> str:
        """What comes of one row."""
        if verb is Verb.CREATE:
            empty = self.site.empty
            new = attack.make(lambda kind, name: self.site.attested(kind, name, empty))
            return self.created(new)
        applied = self.site.applied
        for _ in range(20):
            new = attack.make(lambda kind, name: self.live(kind, name, applied))
            path = f"{collection(new)}/{new['metadata']['name']}?dryRun=All"
            status, said = self.send("PUT", path, new)
            if status != http.HTTPStatus.CONFLICT:
                return verdict(status, said)
        return "always in conflict"

    def created(self, document: Object, *, kept: bool = False) -> str:
        """What comes of a new object; nothing stays of it unless it is `kept`."""
        path = collection(document) + ("" if kept else "?dryRun=All")
        return verdict(*self.send("POST", path, _unnamed(document)))

    def pods(self) -> list[str]:
        """The names of those in the first namespace."""
        _, found = self.send("GET", f"/api/v1/namespaces/{self.site.applied}/pods")
        return [each["metadata"]["name"] for each in found["items"]]

    def await_pods(self) -> None:
        """Until the controllers have made one of each kind that makes some. `AssertionError` after 30 s."""
        deadline = time.monotonic() + 30
        while missing := [n for n in _MADE if not any(p.startswith(n) for p in self.pods())]:
            assert time.monotonic() < deadline, f"no Pod of {missing}: {self.pods()}"
            time.sleep(0.1)


@contextmanager
def attacked(
    control_plane: ControlPlane,
    directory: Path,
    before: Callable[[ApiServer], None] = lambda _: None,
) -> Iterator[ApiServer]:
    """
    A gate before two namespaces, in the first of which release A was applied and rolled out.

    `before` there is a gate, the API server answers by itself.
    """
    namespaces = [control_plane.namespace("gate") for _ in range(2)]
    for name in ("site", "gate"):
        (directory / name).mkdir()
    site = Site(directory / "site", namespaces)
    before(ApiServer(control_plane, site))
    with Gate(control_plane, site, directory / "gate") as gate:
        (rules,) = yaml.safe_load(_COMPONENT.read_text())["patches"]
        patch = json.dumps(yaml.safe_load(rules["patch"]))
        configuration = ("validatingwebhookconfiguration", "stagepass", "--type=json", "-p", patch)
        control_plane.kubectl("patch", *configuration)
        server = ApiServer(control_plane, site)
        probe = {"apiVersion": "v1", "kind": "ConfigMap"}
        probe["metadata"] = {"name": "probe", "namespace": site.applied}  # type: ignore[assignment]
        gate.wait_for(lambda: server.created(probe) != ADMITTED)
        for document in release_a(site.applied):
            said = server.created(document, kept=True)
            assert said == ADMITTED, f"{document['kind']}: {said}"
        server.await_pods()
        with _status_policy(server):
            yield server


@contextmanager
def _status_policy(server: ApiServer) -> Iterator[None]:
    """Inside, the other half of the component is in force; the control plane may be others' as well."""
    kubectl = server.control_plane.kubectl
    kubectl("apply", "-f", str(_STATUS))
    try:
        path = f"/api/v1/namespaces/{server.site.applied}/pods/alone/status?dryRun=All"
        patch = [{"op": "add", "path": "/metadata/labels", "value": {"probe": "yes"}}]
        deadline = time.monotonic() + 30
        while (said := verdict(*server.send("PATCH", path, patch))) != BY_THE_POLICY:
            assert time.monotonic() < deadline, f"the policy of status is not in force: {said}"
            time.sleep(0.1)
        yield
    finally:
        kubectl("delete", "-f", str(_STATUS), "--ignore-not-found")


def collection(document: Mapping[str, Any]) -> str:
    """Where objects of its kind are, in its namespace."""
    version, kind = document["apiVersion"], document["kind"]
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    return f"{prefix}/namespaces/{document['metadata']['namespace']}/{plural}"


def verdict(status: int, said: Mapping[str, Any]) -> str:
    """Who said what: nobody a no, the gate, or the API server by itself."""
    if status in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
        return ADMITTED
    message = str(said.get("message", ""))
    if f'admission webhook "{NAME}" denied the request' in message:
        codes = [str(code) for code in Code if f"{code}: " in message]
        return worded("undetermined" if "could not find out" in message else "denied", codes)
    if _OF_STATUS in message:
        return BY_THE_POLICY
    return f"{BY_THE_API}: {said.get('reason', status)}"


def _unnamed(document: Object) -> Object:
    """Without the name where one is to be generated."""
    metadata = document["metadata"]
    if "generateName" not in metadata:
        return document
    kept = {key: value for key, value in metadata.items() if key != "name"}
    return {**document, "metadata": kept}
