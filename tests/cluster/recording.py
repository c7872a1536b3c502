"""
What an admission webhook is shown of an object, recorded from a real API server.

The server decodes an object, fills in defaults and encodes it again before it asks a mutating
webhook, and validates it only after that. So a webhook that records and then denies sees the
defaults of any object, even of one that could never be stored.
"""

from __future__ import annotations

import base64
import http.client
import secrets
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import orjson

from tests.cluster.controlplane import ControlPlane

Object = dict[str, Any]

_REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
_NAME = "recording.stagepass.test"
_THREADS = 4
_WAIT_SECONDS = 30.0


class Recorder:
    """
    A context manager: inside, every CREATE in one namespace of its own is recorded and denied.

    `phase` is "Mutating" (before validation) or "Validating" (after mutation and validation).
    """

    def __init__(self, control_plane: ControlPlane, resources: Iterable[str], phase: str) -> None:
        self._control_plane, self._phase = control_plane, phase
        self._resources = sorted({*resources, "configmaps"})  # these tell that it is in effect
        self.namespace = control_plane.namespace("recording")
        self._seen: dict[str, Object] = {}
        self._server = _server(control_plane, self._seen)
        self._tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self._local = threading.local()
        self._connections: list[http.client.HTTPSConnection] = []
        self._pool = ThreadPoolExecutor(_THREADS)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            self._control_plane.kubectl(
                "create", "-f", "-", stdin=orjson.dumps(self._configuration()).decode()
            )
            self._await_effect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        name = f"{self._phase.lower()}webhookconfiguration"
        self._control_plane.kubectl("delete", name, _NAME, "--ignore-not-found")
        self._pool.shutdown()
        for connection in self._connections:
            connection.close()
        self._server.shutdown()
        self._server.server_close()

    def record(self, path: str, document: Mapping[str, Any]) -> Object:
        """
        What the webhook was shown. `path` is the API's, with `{namespace}`, to POST to.

        Raises `RuntimeError`, with the API server's answer, where the webhook was not asked.
        """
        name = f"r-{secrets.token_hex(8)}"
        metadata = {**document.get("metadata", {}), "name": name}
        answer = self._post(path, {**document, "metadata": metadata})
        try:
            return self._seen.pop(name)
        except KeyError:
            raise RuntimeError(
                f"not recorded: {orjson.dumps(document).decode()}: {answer}"
            ) from None

    def record_all(self, path: str, documents: Iterable[Mapping[str, Any]]) -> list[Object]:
        """`record` for each, several at a time, in the order given."""
        return list(self._pool.map(lambda each: self.record(path, each), documents))

    def _configuration(self) -> Object:
        ca = base64.b64encode(self._control_plane.ca_file.read_bytes()).decode()
        rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": self._resources}
        webhook = {
            "name": _NAME,
            "clientConfig": {
                "url": f"https://127.0.0.1:{self._server.server_address[1]}/",
                "caBundle": ca,
            },
            "rules": [{**rule, "operations": ["CREATE"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}},
            "matchPolicy": "Exact",
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{self._phase}WebhookConfiguration",
            "metadata": {"name": _NAME},
            "webhooks": [webhook],
        }

    def _await_effect(self) -> None:
        """Until the webhook is asked: a change of configuration takes some milliseconds."""
        probe = {"apiVersion": "v1", "kind": "ConfigMap"}
        path = "/api/v1/namespaces/{namespace}/configmaps"
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                self.record(path, probe)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _post(self, path: str, document: Mapping[str, Any]) -> str:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            _, _, port = self._control_plane.server.rpartition(":")
            connection = http.client.HTTPSConnection(
                "127.0.0.1", int(port), context=self._tls, timeout=60
            )
            self._local.connection = connection
            self._connections.append(connection)
        headers = {
            "Authorization": f"Bearer {self._control_plane.token}",
            "Content-Type": "application/json",
        }
        url = f"{path.format(namespace=self.namespace)}?fieldValidation=Ignore"
        body = orjson.dumps(document)
        try:
            connection.request("POST", url, body, headers)
            answer = connection.getresponse()
        except OSError:  # the server hangs up on what was idle for a while; http.client calls again
            connection.close()
            connection.request("POST", url, body, headers)
            answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode()[:1000]}"


def schemas(control_plane: ControlPlane, group_version: str) -> Mapping[str, Any]:
    """The server's own OpenAPI v3 components of one group and version, such as `apis/apps/v1`."""
    _, _, port = control_plane.server.rpartition(":")
    context = ssl.create_default_context(cafile=str(control_plane.ca_file))
    headers = {"Authorization": f"Bearer {control_plane.token}"}
    connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context, timeout=60)
    with closing(connection):
        connection.request("GET", f"/openapi/v3/{group_version}", headers=headers)
        document = orjson.loads(connection.getresponse().read())
    found: Mapping[str, Any] = document["components"]["schemas"]
    return found


def _server(control_plane: ControlPlane, seen: dict[str, Object]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            review = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = review["request"]
            seen[request["object"]["metadata"]["name"]] = request["object"]
            response = {"uid": request["uid"], "allowed": False}
            body = orjson.dumps({**_REVIEW, "response": response})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # The control plane's own certificate is for 127.0.0.1, whatever the port.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(
        control_plane.directory / "api.crt", control_plane.directory / "api.key"
    )
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server
