"""What the vectors of the API server share: how its answers read, and changes that are taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess
from typing import Any

from stagepass.decision import Code
from tests.cluster.gate import NAME, Gate

CONFIGURATION = ("validatingwebhookconfiguration", "stagepass")


def verdict(done: CompletedProcess[str]) -> str:
    """Who said what: the gate, RBAC, the API server without the gate, or nobody a no."""
    said = done.stderr
    if done.returncode == 0:
        return "admitted"
    if f'admission webhook "{NAME}" denied the request' in said:
        codes = sorted(str(code) for code in Code if f"{code}: " in said)
        return " ".join(["undetermined" if "could not find out" in said else "denied", *codes])
    if f'failed calling webhook "{NAME}"' in said:
        return "gate not reached"
    if 'User "' in said and "cannot" in said:
        return "forbidden by RBAC"
    return said.strip().splitlines()[-1]


def answer(gate: Gate, *arguments: str, **options: Any) -> str:
    """What comes of one kubectl command in the gate's namespace."""
    return verdict(gate.kubectl(*arguments, check=False, **options))


def run(gate: Gate, image: str, *more: str, **options: Any) -> str:
    """What comes of `kubectl run`."""
    return answer(gate, "run", "web", "--image", image, *more, **options)


def create(gate: Gate, document: dict[str, Any] | str, *more: str) -> str:
    """What comes of `kubectl create -f -`."""
    text = document if isinstance(document, str) else json.dumps(document)
    return answer(gate, "create", "-f", "-", *more, stdin=text)


def unasked(gate: Gate, *arguments: str, **options: Any) -> str:
    """What comes of a command, and whether the gate logged a decision because of it."""
    before = len(gate.decisions())
    said = answer(gate, *arguments, **options)
    return f"{said}, {'not asked' if len(gate.decisions()) == before else 'asked'}"


def configuration(gate: Gate) -> dict[str, Any]:
    """The only webhook of the configuration that is in effect."""
    shown = gate.control_plane.kubectl("get", *CONFIGURATION, "-o", "json")
    (webhook,) = json.loads(shown.stdout)["webhooks"]
    assert isinstance(webhook, dict)
    return webhook


@contextmanager
def configured(gate: Gate, **members: Any) -> Iterator[None]:
    """Inside, the cluster's administrator has replaced these members of the webhook."""
    kept = {name: configuration(gate)[name] for name in members}
    _replace(gate, members)
    try:
        yield
    finally:
        _replace(gate, kept)
        gate.wait_for(lambda: _denies(gate))


@contextmanager
def mutated(gate: Gate, expression: str) -> Iterator[None]:
    """Inside, a mutating policy applies the JSON patches of a CEL `expression` to every new Pod."""
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "mesh"}}
    policy = {
        "matchConstraints": {"resourceRules": [rule]},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
    }
    documents = [
        {**head, "kind": "MutatingAdmissionPolicy", "spec": policy},
        {**head, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": "mesh"}},
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    gate.control_plane.kubectl("create", "-f", "-", stdin=text)
    try:
        yield
    finally:
        gate.control_plane.kubectl("delete", "-f", "-", stdin=text)


def _replace(gate: Gate, members: dict[str, Any]) -> None:
    patch = [{"op": "add", "path": f"/webhooks/0/{n}", "value": v} for n, v in members.items()]
    gate.control_plane.kubectl("patch", *CONFIGURATION, "--type=json", "-p", json.dumps(patch))


def _denies(gate: Gate) -> bool:
    probe = ("create", "deployment", "probe", "--image", gate.shop.image(), "--dry-run=server")
    return answer(gate, *probe).startswith("denied")
