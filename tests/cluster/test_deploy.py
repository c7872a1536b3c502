from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from certs.inject import inject, read_bundle
from certs.issue import issue
from certs.names import Names
from tests.cluster.controlplane import ControlPlane

pytestmark = pytest.mark.cluster

BASE = Path(__file__).parents[2] / "deploy" / "base"
CONFIGURATION = BASE / "validatingwebhookconfiguration.yaml"
GATE = "stagepass-system"
LAST = "stagepass.dev/apply!=last"

POD = {"containers": [{"name": "web", "image": "registry.example.com/web:1"}]}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
ONCE = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
LABELLED = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
WORKLOADS: list[tuple[str, str, dict[str, Any]]] = [
    ("v1", "Pod", {"spec": POD}),
    ("v1", "ReplicationController", {"spec": {"template": TEMPLATE}}),
    ("v1", "PodTemplate", {"template": TEMPLATE}),
    ("apps/v1", "Deployment", {"spec": LABELLED}),
    ("apps/v1", "ReplicaSet", {"spec": LABELLED}),
    ("apps/v1", "DaemonSet", {"spec": LABELLED}),
    ("apps/v1", "StatefulSet", {"spec": {**LABELLED, "serviceName": "web"}}),
    ("batch/v1", "Job", {"spec": ONCE}),
    ("batch/v1", "CronJob", {"spec": {"schedule": "@daily", "jobTemplate": {"spec": ONCE}}}),
]


def items(*objects: tuple[str, str, dict[str, Any]]) -> str:
    """A List of objects, each called `web`."""
    named = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, **rest}
        for version, kind, rest in objects
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": named})


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """A cluster with the gate's namespace and service account, and nothing else of it."""
    for name in ("namespace.yaml", "serviceaccount.yaml"):
        control_plane.kubectl("apply", "-f", str(BASE / name))
    return control_plane


@contextmanager
def applied(
    control_plane: ControlPlane, text: str, name: str, namespaces: list[str]
) -> Iterator[None]:
    """The shipped configuration for real, but only in `namespaces`: others share the cluster."""
    configuration = yaml.safe_load(text)
    configuration["metadata"]["name"] = name
    (webhook,) = configuration["webhooks"]
    only = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces}
    webhook["namespaceSelector"]["matchExpressions"].append(only)
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(configuration))
    try:
        yield
    finally:
        control_plane.kubectl("delete", "validatingwebhookconfiguration", name)


def refused(control_plane: ControlPlane, namespace: str, text: str) -> int:
    """How many of the objects in `text` the (absent) gate kept out, by a dry run."""
    done = control_plane.kubectl(
        *("create", "--dry-run=server", "-n", namespace, "-f", "-"), stdin=text, check=False
    )
    return done.stderr.count('failed calling webhook "gate.stagepass.dev"')


def test_the_api_server_accepts_every_object_and_kubectl_applies_the_webhook_last(
    installed: ControlPlane,
) -> None:
    done = installed.kubectl("apply", "-k", str(BASE), "--dry-run=server", "-o", "name")

    assert done.stdout.split() == [
        "namespace/stagepass-system",
        "serviceaccount/stagepass-webhook",
        "service/stagepass-webhook",
        "deployment.apps/stagepass-webhook",
        "poddisruptionbudget.policy/stagepass-webhook",
        "networkpolicy.networking.k8s.io/stagepass-webhook",
        "validatingwebhookconfiguration.admissionregistration.k8s.io/stagepass",
    ]
    assert done.stderr == "", "the restricted standard warns about nothing"


def test_the_first_apply_of_the_manual_leaves_the_webhook_out(installed: ControlPlane) -> None:
    """deploy/README.md, step 5."""
    done = installed.kubectl("apply", "-k", str(BASE), "-l", LAST, "--dry-run=server", "-o", "name")

    assert "deployment.apps/stagepass-webhook" in done.stdout
    assert "webhookconfiguration" not in done.stdout


def test_the_pods_pass_the_restricted_standard(installed: ControlPlane) -> None:
    """A Deployment is only warned about; the Pod it makes is enforced."""
    spec = yaml.safe_load((BASE / "deployment.yaml").read_text())["spec"]["template"]["spec"]
    weak = deepcopy(spec)
    del weak["securityContext"]["seccompProfile"]
    command = ("create", "--dry-run=server", "-n", GATE, "-f", "-")

    assert installed.kubectl(*command, stdin=items(("v1", "Pod", {"spec": spec}))).stderr == ""
    done = installed.kubectl(*command, stdin=items(("v1", "Pod", {"spec": weak})), check=False)
    assert 'violates PodSecurity "restricted:latest": seccompProfile' in done.stderr


def test_without_the_gate_no_workload_of_any_kind_gets_in(installed: ControlPlane) -> None:
    """The rules as the API server reads them: the Service is absent, so every question fails."""
    namespace = installed.namespace()
    harmless = ("v1", "ConfigMap", {"data": {"a": "b"}})

    with applied(installed, CONFIGURATION.read_text(), "stagepass-absent", [namespace, GATE]):
        assert refused(installed, namespace, items(*WORKLOADS)) == len(WORKLOADS)
        assert refused(installed, namespace, items(harmless)) == 0
        assert refused(installed, GATE, items(*WORKLOADS)) == 0


def test_changes_and_ephemeral_containers_are_asked_about_and_scaling_is_not(
    installed: ControlPlane,
) -> None:
    namespace = installed.namespace()
    idle = {"spec": {**LABELLED, "replicas": 0}}
    running = items(("v1", "Pod", {"spec": POD}), ("apps/v1", "Deployment", idle))
    installed.kubectl("create", "-n", namespace, "-f", "-", stdin=running)
    debug = {"ephemeralContainers": [{"name": "sh", "image": "registry.example.com/sh:1"}]}
    patch = ("patch", "pod", "web", "-n", namespace, "--dry-run=server", "--patch")
    scale = ("scale", "deployment", "web", "-n", namespace, "--replicas=1", "--dry-run=server")

    with applied(installed, CONFIGURATION.read_text(), "stagepass-absent", [namespace]):
        for arguments in (
            (*patch, json.dumps({"metadata": {"labels": {"a": "b"}}})),
            (*patch, json.dumps({"spec": debug}), "--subresource=ephemeralcontainers"),
        ):
            stderr = installed.kubectl(*arguments, check=False).stderr
            assert 'failed calling webhook "gate.stagepass.dev"' in stderr
        installed.kubectl(*scale)


class _Gate(BaseHTTPRequestHandler):
    """Denies everything, and says which name it was called by."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = {"code": 403, "reason": "Forbidden", "message": f"asked as {self.headers['Host']}"}
        answer = {"uid": review["request"]["uid"], "allowed": False, "status": status}
        body = json.dumps({**review, "request": None, "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(directory: Path) -> Iterator[int]:
    """A gate on 127.0.0.1 with the pair in `directory`; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    with HTTPServer(("127.0.0.1", 0), _Gate) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_the_api_server_trusts_an_issued_certificate_through_the_injected_bundle(
    installed: ControlPlane, tmp_path: Path
) -> None:
    now, names = datetime.now(UTC), Names.of_service("gate", GATE, ips=["127.0.0.1"])
    for ca in ("ours", "other"):
        issue(tmp_path / ca, names, days=90, replace=False, now=now)
    namespace = installed.namespace()
    answers = []
    with serving(tmp_path / "ours") as port:
        manifest = yaml.safe_load(CONFIGURATION.read_text())
        manifest["webhooks"][0]["clientConfig"] = {"url": f"https://127.0.0.1:{port}/validate"}
        for ca in ("ours", "other"):
            bundle = read_bundle(tmp_path / ca / "ca.crt", now=now)
            text = inject(yaml.safe_dump(manifest), bundle, where="test")
            with applied(installed, text, f"stagepass-{ca}", [namespace]):
                create = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
                answers.append(installed.kubectl(*create, stdin=items(WORKLOADS[0]), check=False))

    assert f"denied the request: asked as 127.0.0.1:{port}" in answers[0].stderr
    assert "certificate signed by unknown authority" in answers[1].stderr
