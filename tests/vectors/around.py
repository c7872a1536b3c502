"""Section C of the catalogue: getting the gate not to be asked."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.simulators.registry import Faults
from tests.vectors import apiserver_around as real
from tests.vectors import apiserver_guard as guard
from tests.vectors.bench import Bench
from tests.vectors.images import ADMITTED, MISSING, UNLISTED
from tests.vectors.row import Case, Door, Row, objects
from tests.webhook.reviews import Json

_TIMEOUT = 10.0
"""The shipped `timeoutSeconds`; the deadline of this webhook is 2 s, the shipped one 8."""
_MIRROR = {"annotations": {"kubernetes.io/config.mirror": "hash"}}
_NODE = {"username": "system:node:n1", "groups": ["system:nodes"]}
_USERS: dict[str, Json] = {
    "applier": {"username": "system:serviceaccount:gate:applier", "groups": []},
    "masters": {"username": "admin", "groups": ["system:masters"]},
    "node": _NODE,
    "nobody": {},
}
_SKIPS = {
    "gate/skip": "true",
    "stagepass.dev/skip": "true",
    "policy.sigstore.dev/exclude": "true",
    "admission.gatekeeper.sh/ignore": "true",
}
_SYSTEM = "registry.k8s.io/kube-proxy@sha256:" + "5" * 64


def _mirror(bench: Bench) -> Json:
    review = bench.created(bench.image(), metadata=_MIRROR)
    review["request"]["userInfo"] = _NODE
    return review


def _in(namespace: str, image: str = "") -> Any:
    return lambda b: b.create(image or b.passed(), namespace=namespace)


def _user(info: Json) -> Any:
    return lambda b: b.create(b.image(), userInfo=info)


def _late(bench: Bench) -> str:
    """A webhook whose registry sleeps answers by itself, before an API server gives up."""
    review = bench.create(bench.pushed())
    bench.registry.faults = Faults(hang=True)
    started = time.monotonic()
    said = bench.ask(bench.online, json.dumps(review).encode())
    return f"{said}, {'in time' if time.monotonic() - started < _TIMEOUT else 'too late'}"


def _with_env(bench: Bench) -> Json:
    review = bench.create(bench.passed())
    review["request"]["object"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "b"}]
    return review


ROWS = (
    Row(
        "B36",
        "static Pod",
        objects(MISSING, wanted="audited", mirror=_mirror),
        "no skip for an annotation or a node's user: both would be a way in. The Pod runs anyway, from"
        " a file on the node; the refusal only keeps its mirror out of the API",
    ),
    Row("B37", "run on the node itself", note="no request, no object: nothing to admit or scan"),
    Row(
        "B38",
        "exempt namespace",
        (
            *objects(UNLISTED, kube_system=_in("kube-system"), kube_public=_in("kube-public")),
            *objects("admitted EXEMPT", component_by_digest=_in("kube-system", _SYSTEM)),
            *objects(
                UNLISTED,
                component_by_tag=_in("kube-system", "registry.k8s.io/kube-proxy:v1"),
            ),
            *objects(UNLISTED, component_elsewhere=_in("shop", _SYSTEM)),
            real.KUBE_SYSTEM,
        ),
    ),
    Row(
        "B39",
        "label of a namespace changed",
        (real.LABELS, real.LABEL),
        "the policy set names cluster and namespace, and labels never decide: a label that is taken"
        " away or changed opens nothing, so nobody is kept from changing it",
    ),
    Row("B40", "new namespace", (*objects(UNLISTED, new=_in("new")), real.NEW_NAMESPACE)),
    Row(
        "B41",
        "label or annotation that asks to be skipped",
        (
            *objects(
                MISSING,
                labels=lambda b: b.created(b.image(), metadata={"labels": _SKIPS}),
                annotations=lambda b: b.created(b.image(), metadata={"annotations": _SKIPS}),
            ),
            real.SKIP_LABEL,
            real.NO_SELECTORS,
        ),
    ),
    Row(
        "B42",
        "webhook configuration edited or deleted",
        guard.CONFIGURATION_CHANGES,
    ),
    Row(
        "B43",
        "guarding policy deleted",
        guard.GUARD_CHANGES,
        "RBAC alone keeps it, or deploy/static: a policy of the API does not see policies",
    ),
    Row("B44", "failurePolicy Ignore", (real.FAILURE_POLICY,)),
    Row(
        "B45",
        "registry that sleeps",
        (
            Case("asleep", Door.WEBHOOK, _late, "undetermined DEADLINE PASS_MISSING, in time"),
            real.TIMEOUT,
        ),
    ),
    Row("B46", "no gate left", (real.OUTAGE,)),
    Row("B47", "matchConditions that fail", (real.NO_CONDITIONS,)),
    Row("B48", "another service in the gate's place", (real.IMPOSTOR,)),
    Row(
        "B49",
        "privileged users",
        (
            *objects(MISSING, **{name: _user(info) for name, info in _USERS.items()}),
            *real.IMPERSONATED,
        ),
    ),
    Row(
        "B50",
        "sidecar injected by a mutator",
        (
            *objects(MISSING, D_and_U=lambda b: b.create(b.passed(), b.image())),
            real.SIDECAR,
        ),
    ),
    Row(
        "B51",
        "fields changed by a mutator",
        (*objects(ADMITTED, env_added=_with_env), real.REWRITTEN_HOST),
        "fields other than images count once releases are signed",
    ),
)
