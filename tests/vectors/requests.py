"""Section B of the catalogue: which request carries the image."""

from __future__ import annotations

import copy
from typing import Any

from tests.vectors import apiserver, raw
from tests.vectors.bench import Bench
from tests.vectors.images import ADMITTED, MISSING, UNLISTED
from tests.vectors.row import Case, Door, Row, objects, registry
from tests.webhook.bad_reviews import BAD
from tests.webhook.reviews import WORKLOADS, Json, create, pod_spec, review, update, workload

_DYING = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/hold"]}
_OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "any", "uid": "any"}
_UNCHANGED = "admitted UNCHANGED"


def _changed_image(kind: str = "Pod", metadata: Json | None = None, **spec: Any) -> Any:
    """An UPDATE from an attested image to one that is not, with other changes beside it."""

    def build(bench: Bench) -> Json:
        old = workload(pod_spec(bench.passed()), kind)
        new = workload(pod_spec(bench.image()), kind)
        for each in (old, new):
            each["metadata"].update(metadata or {})
        new["spec"].update(spec)
        return update(old, new)

    return build


def _swapped(bench: Bench) -> Json:
    first, second = bench.image(), bench.image()
    return update(bench.pod(first, second), bench.pod(second, first))


def _metadata_only(bench: Bench) -> Json:
    image = bench.image()
    return update(bench.pod(image, metadata=_DYING), bench.pod(image))


def _custom(bench: Bench) -> Json:
    inner = workload(pod_spec(bench.image()), "Deployment")
    return review({**inner, "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"})


def _other_version(bench: Bench) -> Json:
    sent = {"group": "extensions", "version": "v1beta1", "kind": "Deployment"}
    return create(bench.image(), kind="Deployment", requestKind=sent)


def _version_of_apps(version: str) -> Any:
    def build(bench: Bench) -> Json:
        made = workload(pod_spec(bench.image()), "Deployment")
        return review({**made, "apiVersion": f"apps/{version}"})

    return build


def _resized(same: bool) -> Any:
    def build(bench: Bench) -> Json:
        old = bench.pod(bench.image())
        new = copy.deepcopy(old) if same else bench.pod(bench.image())
        new["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2"}}
        return update(old, new, subResource="resize")

    return build


def _exec(_: Bench) -> Json:
    options = {"apiVersion": "v1", "kind": "PodExecOptions", "container": "c0", "command": ["sh"]}
    return review(options, operation="CONNECT", subResource="exec")


def _namespaces(image: str, asked: str, written: str | None) -> Any:
    def build(bench: Bench) -> Json:
        made = create(bench.passed() if image == "D" else bench.image(), namespace=asked)
        metadata = made["request"]["object"]["metadata"]
        metadata.pop("namespace") if written is None else metadata.update(namespace=written)
        return made

    return build


def _nameless(attested: bool) -> Any:
    def build(bench: Bench) -> Json:
        pod = bench.pod(bench.passed() if attested else bench.image())
        del pod["metadata"]["name"]
        pod["metadata"]["generateName"] = "web-"
        return review(pod, name="")

    return build


_SURVIVES = "HTTP 413, then admitted by the same process"
_RAW = (
    "of version v1beta1",
    "of another kind",
    "empty",
    "without uid",
    "without request",
    "a list",
)

ROWS = (
    Row("B17", "UPDATE of a dying object", objects(MISSING, update=_changed_image("Pod", _DYING))),
    Row(
        "B18",
        "scale-down and image in one UPDATE",
        objects(MISSING, update=_changed_image("Deployment", replicas=4)),
    ),
    Row(
        "B19",
        "image of a running Pod",
        objects(MISSING, changed=_changed_image(), swapped=_swapped),
    ),
    Row(
        "B20",
        "metadata of a Pod nobody attested",
        objects(_UNCHANGED, finalizer_removed=_metadata_only),
    ),
    Row(
        "B21",
        "every controller",
        (
            *objects(
                MISSING,
                **{k: lambda b, k=k: create(b.image(), kind=k) for k in WORKLOADS if k != "Pod"},
            ),
            apiserver.PODS_ALONE_ARE_GUARDED,
        ),
    ),
    Row("B22", "ControllerRevision, then undo", (apiserver.FORGED_REVISION,)),
    Row(
        "B23",
        "custom resource with a pod template",
        (
            *objects("admitted NO_IMAGES", Rollout=_custom),
            *objects(MISSING, its_Pod=lambda b: b.created(b.image())),
        ),
    ),
    Row(
        "B24",
        "forged owner",
        (
            *objects(
                MISSING, Pod=lambda b: b.created(b.image(), metadata={"ownerReferences": [_OWNER]})
            ),
            apiserver.FORGED_OWNER,
        ),
    ),
    Row(
        "B25",
        "another API version",
        (
            *objects(
                MISSING,
                requestKind=_other_version,
                v1beta2=_version_of_apps("v1beta2"),
                v9=_version_of_apps("v9"),
            ),
            apiserver.ANY_VERSION,
        ),
    ),
    Row(
        "B26",
        "no AdmissionReview v1",
        tuple(Case(name, Door.WEBHOOK, raw.posted(BAD[name]), "HTTP 400") for name in _RAW),
    ),
    Row(
        "B27",
        "resize",
        (
            *objects(_UNCHANGED, same_image=_resized(same=True)),
            *objects(MISSING, another_image=_resized(same=False)),
            apiserver.RESIZE,
            apiserver.RESIZE_IMAGE,
        ),
    ),
    Row("B28", "scale, binding, eviction", apiserver.SUBRESOURCES),
    Row(
        "B29",
        "exec",
        (*objects("admitted NO_IMAGES", CONNECT=_exec), apiserver.EXEC),
        "out of scope: RBAC's; what runs in an exec is not attested",
    ),
    Row(
        "B30",
        "dry run",
        (
            *objects(MISSING, U=lambda b: b.create(b.image(), dryRun=True)),
            *objects(ADMITTED, D=lambda b: b.create(b.passed(), dryRun=True)),
            apiserver.DRY_RUN,
        ),
    ),
    Row(
        "B31",
        "namespace of the request and of the object",
        (
            *objects(
                ADMITTED,
                none=_namespaces("D", "shop", None),
                another=_namespaces("D", "shop", "dev"),
            ),
            *objects(MISSING, unattested=_namespaces("U", "shop", "kube-system")),
            *objects(UNLISTED, request_decides=_namespaces("D", "dev", "shop")),
        ),
    ),
    Row(
        "B32",
        "generateName",
        (*objects(MISSING, U=_nameless(False)), *objects(ADMITTED, D=_nameless(True))),
    ),
    Row(
        "B33",
        "many containers, slow registry",
        (
            Case("200", Door.WEBHOOK, raw.slow, "undetermined DEADLINE PASS_MISSING, in time"),
            *registry(MISSING, containers_40_of_a_quick_one=raw.many(40)),
            *registry("undetermined EVIDENCE_LIMIT", containers_501=raw.many(501)),
        ),
    ),
    Row(
        "B34",
        "a JSON key twice",
        objects("refused", D_then_U=raw.twice("D", "U"), U_then_D=raw.twice("U", "D")),
    ),
    Row(
        "B35",
        "huge body",
        (
            Case("9 MiB", Door.WEBHOOK, raw.survived(raw.sent), _SURVIVES),
            Case("50 MiB, announced", Door.WEBHOOK, raw.survived(raw.announced), _SURVIVES),
        ),
    ),
)
