"""The vectors of a real API server: requests that carry an image, in every way that it offers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.cluster.gate import Gate
from tests.cluster.workloads import pod_of, workload
from tests.vectors.cluster import answer, configuration, configured, create, run, unasked
from tests.vectors.row import Case, Door

_MISSING = "denied PASS_MISSING"
_PODS = [
    {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": [""],
        "apiVersions": ["*"],
        "resources": ["pods"],
        "scope": "Namespaced",
    }
]
_FAILURE = 'jsonpath={.status.conditions[?(@.type=="ReplicaFailure")].message}'


def case(name: str, run: Callable[[Gate], str], expected: str, wanted: str = "") -> Case:
    """A case at this door."""
    return Case(name, Door.APISERVER, run, expected, wanted)


def _pods_alone(gate: Gate) -> str:
    """A Deployment of an unattested image, with no rule left for controllers."""
    with configured(gate, rules=_PODS):
        image = gate.shop.image()
        trial = ("create", "deployment", "web", "--image", image, "--replicas=1")
        gate.wait_for(lambda: answer(gate, *trial, "--dry-run=server") == "admitted")
        gate.kubectl(*trial)
        shown = ("get", "deployment", "web", "-o", _FAILURE)
        gate.wait_for(lambda: bool(gate.kubectl(*shown).stdout))
        why = gate.kubectl(*shown).stdout
        pods = gate.kubectl("get", "pods", "-o", "name").stdout
    return f"its Pod denied {'PASS_MISSING' if 'PASS_MISSING' in why else why}; Pods: {pods!r}"


def _forged_revision(gate: Gate) -> str:
    """A revision of a StatefulSet rewritten to hold an unattested image, then gone back to."""
    images = [gate.shop.attest(gate.shop.image()) for _ in range(2)]
    gate.kubectl("create", "-f", "-", stdin=workload("StatefulSet", images[0]))
    gate.kubectl("set", "image", "statefulset/web", f"web={images[1]}")
    listing = ("get", "controllerrevisions", "-o", "json")
    gate.wait_for(lambda: len(json.loads(gate.kubectl(*listing).stdout)["items"]) == 2)
    items = json.loads(gate.kubectl(*listing).stdout)["items"]
    (old,) = (item for item in items if item["revision"] == 1)
    text = json.dumps(old).replace(images[0], gate.shop.image())
    gate.kubectl("replace", "--force", "-f", "-", stdin=text)
    return answer(gate, "rollout", "undo", "statefulset/web", "--to-revision=1")


def _forged_owner(gate: Gate) -> str:
    """A ReplicaSet and a Pod that say they belong to an attested Deployment."""
    gate.kubectl("create", "deployment", "good", "--image", gate.shop.attest(gate.shop.image()))
    uid = gate.kubectl("get", "deployment", "good", "-o", "jsonpath={.metadata.uid}").stdout
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "good", "uid": uid}
    said = []
    for text in (workload("ReplicaSet", gate.shop.image()), pod_of(gate.shop.image())):
        document = json.loads(text)
        document["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
        said.append(create(gate, document))
    return ", ".join(said)


def _any_version(gate: Gate) -> str:
    """How the shipped configuration asks for versions that do not exist yet."""
    webhook = configuration(gate)
    versions = {version for rule in webhook["rules"] for version in rule["apiVersions"]}
    return f"{webhook['matchPolicy']} {sorted(versions)}"


def _resize(gate: Gate) -> str:
    container = {"name": "web", "image": gate.shop.attest(gate.shop.image())}
    asks: Any = [{**container, "resources": {"requests": {"cpu": cpu}}} for cpu in ("1", "2")]
    pod = json.loads(pod_of())
    pod["spec"]["containers"] = asks[:1]
    create(gate, pod)
    patch = json.dumps({"spec": {"containers": asks[1:]}})
    return unasked(gate, "patch", "pod", "web", "--subresource=resize", "-p", patch)


def _resize_image(gate: Gate) -> str:
    gate.kubectl("run", "web", "--image", gate.shop.attest(gate.shop.image()))
    image = [{"name": "web", "image": gate.shop.image()}]
    patch = json.dumps({"spec": {"containers": image}})
    answer(gate, "patch", "pod", "web", "--subresource=resize", "-p", patch)
    now = gate.kubectl("get", "pod", "web", "-o", "jsonpath={.spec.containers[0].image}").stdout
    return "another image" if now == image[0]["image"] else "the image stays"


def _scale(gate: Gate) -> str:
    image = gate.shop.attest(gate.shop.image())
    gate.kubectl("create", "deployment", "web", "--image", image, "--replicas=0")
    gate.kubectl("scale", "deployment", "web", "--replicas=1")
    gate.wait_for_pods(1)
    found = [d for d in gate.decisions() if d["object"].split("/")[1] == "Deployment"]
    return f"{len(found)} decision about the Deployment, its creation"


def _raw(subresource: str, body: dict[str, Any]) -> Callable[[Gate], str]:
    def send(gate: Gate) -> str:
        gate.kubectl("run", "web", "--image", gate.shop.attest(gate.shop.image()))
        path = f"/api/v1/namespaces/{gate.namespace}/pods/web/{subresource}"
        meta = {"metadata": {"name": "web", "namespace": gate.namespace}}
        return unasked(gate, "create", "--raw", path, "-f", "-", stdin=json.dumps({**body, **meta}))

    return send


def _exec(gate: Gate) -> str:
    gate.kubectl("run", "web", "--image", gate.shop.attest(gate.shop.image()))
    said = unasked(gate, "exec", "-n", gate.namespace, "web", "--", "sh")
    return said.rpartition(", ")[2] if "does not have a host assigned" in said else said


def _dry_run(gate: Gate) -> str:
    images = (gate.shop.image(), gate.shop.attest(gate.shop.image()))
    said = [run(gate, image, "--dry-run=server") for image in images]
    kept = gate.kubectl("get", "pods", "-o", "name").stdout
    return f"{', '.join(said)}, kept {kept!r}"


def ephemeral(gate: Gate) -> str:
    """`kubectl debug` with an image that nobody attested."""
    gate.kubectl("run", "web", "--image", gate.shop.attest(gate.shop.image()))
    debug = ("debug", "web", "--profile=general", "-c", "shell", "--image")
    return answer(gate, *debug, gate.shop.image())


def restored(gate: Gate) -> str:
    """A Pod with `restoreFrom`, as an API server without the feature takes it."""
    image = gate.shop.attest(gate.shop.image())
    create(gate, pod_of(image, restoreFrom="checkpoint-1"), "--validate=ignore")
    spec = json.loads(gate.kubectl("get", "pod", "web", "-o", "json").stdout)["spec"]
    return "kept" if "restoreFrom" in spec else "the field is dropped"


PODS_ALONE_ARE_GUARDED = case(
    "child Pod, with the rules for controllers gone",
    _pods_alone,
    "its Pod denied PASS_MISSING; Pods: ''",
)
FORGED_REVISION = case("undo", _forged_revision, _MISSING)
FORGED_OWNER = case("ReplicaSet, Pod", _forged_owner, f"{_MISSING}, {_MISSING}")
ANY_VERSION = case("shipped rules", _any_version, "Equivalent ['*']")
RESIZE = case("resize of a Pod", _resize, "admitted, not asked")
RESIZE_IMAGE = case("image by resize", _resize_image, "the image stays")
SUBRESOURCES = (
    case("scale", _scale, "1 decision about the Deployment, its creation"),
    case(
        "binding",
        _raw(
            "binding",
            {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n1"}},
        ),
        "admitted, not asked",
    ),
    case(
        "eviction",
        _raw("eviction", {"apiVersion": "policy/v1", "kind": "Eviction"}),
        "admitted, not asked",
    ),
)
EXEC = case("exec", _exec, "not asked")
DRY_RUN = case("U, D", _dry_run, f"{_MISSING}, admitted, kept ''")
EPHEMERAL = case("kubectl debug", ephemeral, _MISSING)
RESTORED = case("restoreFrom", restored, "the field is dropped")
