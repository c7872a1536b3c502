"""The vectors of a real API server: keeping it from asking the gate, or from hearing the answer."""

from __future__ import annotations

import base64
from collections.abc import Callable

from tests.cluster.gate import Gate
from tests.cluster.workloads import pod_of
from tests.vectors.apiserver import case
from tests.vectors.cluster import (
    configuration,
    configured,
    create,
    mutated,
    run,
    unasked,
)
from tests.webhook.server import issue

_MISSING, _UNLISTED = "denied PASS_MISSING", "denied UNLISTED"


def _kube_system(gate: Gate) -> str:
    image = gate.shop.attest(gate.shop.image())
    return ", ".join(run(gate, image, "-n", n) for n in ("kube-system", "kube-public"))


def _labels(gate: Gate) -> str:
    """Every label that a gate might go by, set, changed and taken away; then the same Pod."""
    image = gate.shop.image()
    said = [run(gate, image)]
    skips = ("stage=dev", "gate-", "stagepass.dev/skip=true", "admission.gatekeeper.sh/ignore=yes")
    for label in skips:
        gate.control_plane.kubectl("label", "namespace", gate.namespace, "--overwrite", label)
        said.append(run(gate, image))
    own = "kubernetes.io/metadata.name=stagepass-system"
    name = ("label", "namespace", gate.namespace, "--overwrite", own)
    gate.control_plane.kubectl(*name, check=False)
    said.append(run(gate, image))
    named = gate.control_plane.kubectl("get", "namespace", "-l", own, "-o", "name").stdout
    kept = f"namespace/{gate.namespace}" in named.split()
    return f"{' '.join(sorted(set(said)))}; with the name of another: {kept}"


def _label(gate: Gate) -> str:
    return unasked(gate, "label", "namespace", gate.namespace, "stage=dev")


def _new_namespace(gate: Gate) -> str:
    image = gate.shop.attest(gate.shop.image())
    return run(gate, image, "-n", gate.control_plane.namespace("fresh"))


def _skip_label(gate: Gate) -> str:
    return run(gate, gate.shop.image(), "--labels=gate/skip=true,stagepass.dev/skip=true")


def _member(name: str) -> Callable[[Gate], str]:
    return lambda gate: str(configuration(gate).get(name))


def _outage(gate: Gate) -> str:
    image = gate.shop.attest(gate.shop.image())
    gate.kill()
    try:
        down = run(gate, image)
    finally:
        gate.start()
    return f"{down}; back: {run(gate, image)}"


def _impostor(gate: Gate) -> str:
    """The name and the port are the same; the certificate is not of the CA that is trusted."""
    other = gate.directory / f"{gate.namespace}-ca"
    issue(other)
    trusted = dict(configuration(gate)["clientConfig"])
    trusted["caBundle"] = base64.b64encode((other / "ca.crt").read_bytes()).decode()
    image = gate.shop.attest(gate.shop.image())
    with configured(gate, clientConfig=trusted):
        gate.wait_for(lambda: run(gate, image, "--dry-run=server") != "admitted")
        return run(gate, image)


def _as(user: str, group: str = "system:masters") -> Callable[[Gate], str]:
    """Impersonated, with all rights: RBAC is out of the way, the gate is not."""

    def ask(gate: Gate) -> str:
        images = (gate.shop.image(), gate.shop.attest(gate.shop.image()))
        who = (f"--as={user}", f"--as-group={group}")
        return ", ".join(run(gate, image, *who) for image in images)

    return ask


def _sidecar(gate: Gate) -> str:
    image, mesh = gate.shop.attest(gate.shop.image()), gate.shop.image("mesh")
    container = f'Object.spec.containers{{name: "mesh", image: "{mesh}"}}'
    patch = f'[JSONPatch{{op: "add", path: "/spec/containers/-", value: {container}}}]'
    with mutated(gate, patch):
        gate.wait_for(lambda: run(gate, image, "--dry-run=server") != "admitted")
        done = gate.kubectl("run", "web", "--image", image, check=False)
        named = f"{mesh} (spec.containers[1].image)" in done.stderr
        said = run(gate, image)
        gate.shop.attest(mesh)
        return f"{said}, {'named' if named else 'not named'}; attested too: {run(gate, image)}"


def _rewritten_host(gate: Gate) -> str:
    image = gate.shop.attest(gate.shop.image())
    elsewhere = image.replace(gate.shop.host, "evil.example.com")
    change = f'op: "replace", path: "/spec/containers/0/image", value: "{elsewhere}"'
    with mutated(gate, f"[JSONPatch{{{change}}}]"):
        gate.wait_for(lambda: run(gate, image, "--dry-run=server") != "admitted")
        return create(gate, pod_of(image))


KUBE_SYSTEM = case("kube-system, kube-public", _kube_system, f"{_UNLISTED}, {_UNLISTED}")
LABELS = case("five changes", _labels, f"{_MISSING}; with the name of another: False")
LABEL = case("the change itself", _label, "admitted, not asked", "denied")
NEW_NAMESPACE = case("D in a new one", _new_namespace, _UNLISTED)
SKIP_LABEL = case("on a Pod", _skip_label, _MISSING)
NO_SELECTORS = case("shipped objectSelector", _member("objectSelector"), "{}")
FAILURE_POLICY = case("shipped value", _member("failurePolicy"), "Fail")
TIMEOUT = case("shipped timeoutSeconds, deadline 8", _member("timeoutSeconds"), "10")
OUTAGE = case("killed", _outage, "gate not reached; back: admitted")
NO_CONDITIONS = case("shipped matchConditions", _member("matchConditions"), "None")
IMPOSTOR = case("certificate of another CA", _impostor, "gate not reached")
IMPERSONATED = tuple(
    case(f"as {name}", _as(name), f"{_MISSING}, admitted")
    for name in ("system:serviceaccount:gate:applier", "system:node:n1", "root")
)
SIDECAR = case("sidecar U", _sidecar, f"{_MISSING}, named; attested too: admitted")
REWRITTEN_HOST = case("host rewritten", _rewritten_host, _UNLISTED)
