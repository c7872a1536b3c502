"""Ways round the object itself, at a real API server: its subresources, and PUT where nothing is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.manifests.samples import IMAGE
from tests.manifests_attacks.apiserver import ApiServer, collection, verdict
from tests.manifests_attacks.objects import Object
from tests.manifests_attacks.row import ADMITTED, BY_THE_POLICY, REFUSED

_BY_RBAC = "nobody is asked about a {}: who may write one is RBAC's to say"
_SHELL = {"name": "shell", "image": IMAGE, "command": ["sh"], "targetContainerName": "web"}
_RESOURCES = {"limits": {"cpu": "900m", "memory": "64Mi"}, "requests": {"cpu": "900m"}}


@dataclass(frozen=True, slots=True)
class Way:
    """One row. `why` says of what is let in who has to stop it."""

    name: str
    go: Callable[[ApiServer], str]
    expected: str = REFUSED
    why: str = ""

    def is_expected(self, got: str) -> bool:
        """Word for word."""
        return got == self.expected


def _patched(kind: str, name: str, subresource: str, path: str, value: Any) -> Any:
    def go(server: ApiServer) -> str:
        attested = server.site.attested(kind, name, server.site.applied)
        where = f"{collection(attested)}/{name}/{subresource}?dryRun=All"
        patch = [{"op": "add", "path": path, "value": value}]
        return verdict(*server.send("PATCH", where, patch))

    return go


def _put(kind: str, name: str) -> Any:
    """Some kinds are created by PUT as well."""

    def go(server: ApiServer) -> str:
        document: Object = server.site.attested(kind, name, server.site.empty)
        document["metadata"]["name"] = "evil"
        return verdict(*server.send("PUT", f"{collection(document)}/evil", document))

    return go


def _stored_already(server: ApiServer) -> str:
    """A new Pod that names a resource version, as if it were there; the API server refuses this one late."""
    document = server.site.attested("Pod", "alone", server.site.empty)
    document["metadata"]["resourceVersion"] = "7"
    document["spec"]["nodeName"] = "control-plane"
    return server.created(document, kept=True)


def _rows() -> Iterator[Way]:
    evil = {"evil": "yes"}
    shell = _patched("Pod", "alone", "ephemeralcontainers", "/spec/ephemeralContainers", [_SHELL])
    yield Way("kubectl debug with an attested image", shell)
    for kind, name in (("Service", "web"), ("Role", "reader"), ("RoleBinding", "reader")):
        yield Way(f"PUT of a new {kind}", _put(kind, name))
    yield Way("a new Pod with a node and a resource version", _stored_already)
    for kind, name in (("Pod", "alone"), ("Service", "web"), ("StatefulSet", "db")):
        label = _patched(kind, name, "status", "/metadata/labels", evil)
        yield Way(f"a label of a {kind}, through its status", label, BY_THE_POLICY)
    for what, kind in (("an Ingress", "Ingress"), ("a Deployment", "Deployment")):
        note = _patched(kind, "web", "status", "/metadata/annotations", evil)
        yield Way(f"an annotation of {what}, through its status", note, BY_THE_POLICY)
    note = _patched("Pod", "alone", "status", "/metadata/annotations", evil)
    why = "CNI plugins write them there: who may write the status is RBAC's to say"
    yield Way("an annotation of a Pod, through its status", note, ADMITTED, why)
    for kind, name in (("Deployment", "web"), ("StatefulSet", "db")):
        size = _patched(kind, name, "scale", "/spec/replicas", 7)
        yield Way(
            f"the size of a {kind}, through its scale", size, ADMITTED, _BY_RBAC.format("scale")
        )
    cpu = _patched("Pod", "alone", "resize", "/spec/containers/0/resources", _RESOURCES)
    yield Way("the resources of a Pod, by resize", cpu, ADMITTED, _BY_RBAC.format("resize"))


ROWS = tuple(_rows())
