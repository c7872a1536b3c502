"""The comparison, judged by a real API server: what it says would change is what does change."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from applier.compare import differs
from applier.objects import prepare
from applier.rules import FIELD_MANAGER
from stagepass import strictyaml
from tests.applier.samples import changed, leaves
from tests.cluster.controlplane import ControlPlane

pytestmark = pytest.mark.cluster

# Kinds whose plural is not the lower-case kind and an "s".
_PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}


class Server:
    """Server-side apply in one namespace, on one connection."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        address = urlsplit(control_plane.server)
        context = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self.connection = http.client.HTTPSConnection(
            str(address.hostname), address.port, context=context, timeout=30
        )
        self._token, self.namespace = control_plane.token, namespace

    def apply(self, document: dict[str, Any], *, dry: bool = False) -> tuple[int, Any]:
        version, kind = document["apiVersion"], document["kind"]
        root = "api" if "/" not in version else "apis"
        plural = _PLURALS.get(kind, f"{kind.lower()}s")
        path = (
            f"/{root}/{version}/namespaces/{self.namespace}/{plural}/{document['metadata']['name']}"
        )
        query = f"?fieldManager={FIELD_MANAGER}" + ("&dryRun=All" if dry else "")
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/apply-patch+yaml",
        }
        self.connection.request("PATCH", path + query, json.dumps(document), headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> Iterator[Server]:
    server = Server(control_plane, control_plane.namespace("compare"))
    with closing(server.connection):
        yield server


def world() -> list[dict[str, Any]]:
    text = (Path(__file__).parent / "applier_world.yaml").read_text()
    return prepare(strictyaml.load_all(text, where="applier_world.yaml"), "shop.test")


def essence(live: dict[str, Any]) -> Any:
    """What an apply changes: everything but times and counters; of the record, our fields."""
    metadata = dict(live["metadata"])
    ours = [m["fieldsV1"] for m in metadata.pop("managedFields") if m["manager"] == FIELD_MANAGER]
    for name in ("resourceVersion", "generation"):
        metadata.pop(name, None)
    return {**live, "metadata": metadata, "ours": ours, "status": None}


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def mutations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every leaf removed, every leaf changed into something of its own type, every list turned."""
    lists = {p[:n] for p in leaves(document) for n in range(len(p)) if isinstance(p[n], int)}
    for path in sorted(lists, key=str):
        yield f"turned {path}", changed(document, path, at(document, path)[::-1])
    for path in leaves(document):
        if path[0] in ("apiVersion", "kind") or path[:2] == ("metadata", "name"):
            continue
        yield f"without {path}", changed(document, path)
        match at(document, path):
            case bool(value):
                yield f"not {path}", changed(document, path, not value)
            case int(value):
                yield f"more {path}", changed(document, path, value + 1)
            case str(value):
                yield f"other {path}", changed(document, path, f"{value}x")


@pytest.mark.parametrize("document", world(), ids=lambda d: d["kind"])
def test_what_was_applied_is_unchanged(server: Server, document: dict[str, Any]) -> None:
    status, live = server.apply(document)

    assert status in (200, 201), live
    assert differs(document, live, FIELD_MANAGER) == ()


@pytest.mark.parametrize("document", world(), ids=lambda d: d["kind"])
def test_whatever_an_apply_would_change_is_found(server: Server, document: dict[str, Any]) -> None:
    """Every leaf removed or changed, each asked of the server in a dry run."""
    _, live = server.apply(document)
    tried, missed, needless = 0, [], []
    for what, other in mutations(document):
        status, result = server.apply(other, dry=True)
        if status != 200:
            continue
        tried += 1
        changes = essence(result) != essence(live)
        found = bool(differs(other, live, FIELD_MANAGER))
        if changes and not found:
            missed.append(what)
        if found and not changes:
            needless.append(what)

    assert missed == []
    assert needless == []
    assert tried > 0
