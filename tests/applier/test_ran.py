from __future__ import annotations

from typing import Any

import pytest

from applier.health import Status
from applier.pods import pods_health
from applier.ran import Ran, digest_of, pods_of, ran
from stagepass.digest import Digest
from stagepass.manifest import ObjectId
from tests.applier.samples import an

DIGEST, OTHER = (Digest.of(text) for text in (b"one", b"other"))
IMAGE = f"registry.example/shop/web@{DIGEST}"


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (IMAGE, DIGEST),
        (f"docker-pullable://{IMAGE}", DIGEST),
        (str(DIGEST), None),
        (f"docker://{DIGEST}", None),
        (f"docker://{IMAGE}", None),
        (f"@{DIGEST}", None),
        ("registry.example/shop/web:1.0", None),
        (f"registry.example/shop/web@{DIGEST}0", None),
        ("registry.example/shop/web@sha512:00", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_only_a_manifest_digest_counts(image_id: Any, digest: Digest | None) -> None:
    """A bare digest is that of a configuration, which other manifests share."""
    assert digest_of(image_id) == digest


def owned_by(owner: dict[str, Any], *, controller: bool = True) -> list[dict[str, Any]]:
    names = owner["metadata"]
    return [
        {
            "kind": owner["kind"],
            "name": names["name"],
            "uid": names["uid"],
            "controller": controller,
        }
    ]


def template(image: str = IMAGE, name: str = "web") -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "image": image}]}}


def deployment(image: str = IMAGE, revision: str = "2") -> dict[str, Any]:
    annotations = {"deployment.kubernetes.io/revision": revision}
    return an(
        "apps/v1",
        "Deployment",
        metadata={"uid": "deployment", "annotations": annotations},
        spec={"template": template(image)},
    )


def replica_set(owner: dict[str, Any], revision: str = "2", **metadata: Any) -> dict[str, Any]:
    annotations = {"deployment.kubernetes.io/revision": revision}
    return an(
        "apps/v1",
        "ReplicaSet",
        "web-1",
        spec={"template": template()},
        metadata={
            "uid": "replica-set",
            "ownerReferences": owned_by(owner),
            "annotations": annotations,
            **metadata,
        },
    )


def pod(
    owner: dict[str, Any] | None,
    *statuses: dict[str, Any],
    uid: str = "pod",
    phase: str = "Running",
    ready: str = "True",
    init: tuple[dict[str, Any], ...] = (),
    **metadata: Any,
) -> dict[str, Any]:
    references = {"ownerReferences": owned_by(owner)} if owner else {}
    conditions = [{"type": "Ready", "status": ready}]
    return an(
        "v1",
        "Pod",
        f"web-{uid}",
        metadata={"uid": uid, **references, **metadata},
        spec=template()["spec"],
        status={
            "phase": phase,
            "conditions": conditions,
            "containerStatuses": list(statuses),
            "initContainerStatuses": list(init),
        },
    )


def container(**changed: Any) -> dict[str, Any]:
    """The status of a container that serves."""
    return {
        "name": "web",
        "imageID": IMAGE,
        "ready": True,
        "restartCount": 0,
        "state": {"running": {}},
    } | changed


D = deployment()
RS = replica_set(D)
APPLIED = {"deployment", "stateful", "pod-of-ours", "job", "cron"}


def look(*pods: dict[str, Any], objects: tuple[dict[str, Any], ...] = (D, RS)) -> dict[Digest, Ran]:
    return ran(pods, objects, APPLIED)


def test_a_ready_pod_of_a_deployment_we_applied() -> None:
    found = look(
        pod(RS, container(restartCount=2)), pod(RS, container(restartCount=1), uid="second")
    )

    assert set(found) == {DIGEST}
    one = found[DIGEST]
    assert (one.objects, one.ready, one.restarts) == (frozenset({ObjectId.of(D)}), 2, 3)
    assert one.finished == frozenset()


STRANGER = an("apps/v1", "Deployment", metadata={"uid": "theirs"}, spec={"template": template()})
NOT_RAN = {
    "not ready": (pod(RS, container(), ready="False"),),
    "a container that is not ready": (pod(RS, container(ready=False)),),
    "a container that waits": (pod(RS, container(state={"waiting": {}})),),
    "pending": (pod(RS, container(), phase="Pending"),),
    "leaving": (pod(RS, container(), deletionTimestamp="2026-01-01T00:00:00Z"),),
    "another image": (pod(RS, container(imageID=f"registry.example/shop/web@{OTHER}")),),
    "a configuration": (pod(RS, container(imageID=str(DIGEST))),),
    "an injected container": (pod(RS, container(name="sidecar")),),
    "nobody's": (pod(None, container()),),
    "ended, and not a Job": (
        pod(RS, container(state={"terminated": {"exitCode": 0}}), phase="Succeeded"),
    ),
}


@pytest.mark.parametrize("pods", NOT_RAN.values(), ids=NOT_RAN)
def test_what_did_not_run(pods: tuple[dict[str, Any], ...]) -> None:
    assert look(*pods) == {}


def test_replicas_0_passes_nothing() -> None:
    assert look() == {}


@pytest.mark.parametrize(
    "objects",
    [
        (D,), (RS,), (), (STRANGER, replica_set(STRANGER)),
        (D, replica_set({**D, "metadata": {**D["metadata"], "name": "another"}})),
        (D, replica_set({**D, "kind": "StatefulSet"})),
        (D, replica_set(D, ownerReferences=owned_by(D, controller=False))),
        (D, replica_set(D, revision="1")),
    ],
)  # fmt: skip
def test_a_chain_that_does_not_lead_to_ours(objects: tuple[dict[str, Any], ...]) -> None:
    """A link missing, a stranger's, a name or kind that is not the UID's, an older ReplicaSet."""
    assert look(pod(RS, container()), objects=objects) == {}


def test_a_forged_owner_runs_only_what_we_asked_for() -> None:
    """Anybody may write ownerReferences into a Pod; the digest must stand in what we applied."""
    forged = pod(RS, container(imageID=f"evil.example/x@{OTHER}"), uid="forged")

    assert set(look(pod(RS, container()), forged)) == {DIGEST}


def test_a_circle_of_owners_ends() -> None:
    a = an("v1", "Thing", "a", metadata={"uid": "a"})
    b = an("v1", "Thing", "b", metadata={"uid": "b", "ownerReferences": owned_by(a)})
    a["metadata"]["ownerReferences"] = owned_by(b)

    assert look(pod(a, container()), objects=(a, b)) == {}


def test_a_tag_is_asked_for_by_its_container_alone() -> None:
    tagged = deployment("registry.example/shop/web:1.0")

    assert set(look(pod(RS, container()), objects=(tagged, RS))) == {DIGEST}


def test_what_an_operator_makes_of_our_custom_object() -> None:
    cart = an("shop.example/v1", "Cart", metadata={"uid": "stateful"})
    made = an(
        "apps/v1", "StatefulSet", "x", metadata={"uid": "s", "ownerReferences": owned_by(cart)}
    )

    found = look(pod(made, container()), objects=(cart, made))

    assert found[DIGEST].objects == {ObjectId.of(cart)}


def test_init_containers_count_once_the_pod_is_ready() -> None:
    ended = container(name="init", state={"terminated": {"exitCode": 0}}, ready=True)
    both = deployment()
    both["spec"]["template"]["spec"]["initContainers"] = [{"name": "init", "image": IMAGE}]
    main = container(imageID=str(OTHER))

    assert set(look(pod(RS, main, init=(ended,)), objects=(both, RS))) == {DIGEST}
    assert look(pod(RS, main, init=(ended,), ready="False"), objects=(both, RS)) == {}
    failed = {**ended, "state": {"terminated": {"exitCode": 1}}}
    assert look(pod(RS, main, init=(failed,)), objects=(both, RS)) == {}


def job(complete: str = "True", uid: str = "job", **metadata: Any) -> dict[str, Any]:
    return an(
        "batch/v1",
        "Job",
        uid,
        spec={"template": template()},
        metadata={"uid": uid, **metadata},
        status={"conditions": [{"type": "Complete", "status": complete}]},
    )


def ended(owner: dict[str, Any] | None, code: int = 0, **rest: Any) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code}}
    return pod(owner, container(ready=False, state=state), phase="Succeeded", ready="False", **rest)


def test_a_job_counts_when_it_is_complete() -> None:
    done = job()

    found = look(ended(done), objects=(done,))

    assert (found[DIGEST].finished, found[DIGEST].ready) == ({"pod"}, 0)
    assert look(ended(done), objects=(job("False"),)) == {}
    assert look(ended(done, code=1), objects=(done,)) == {}
    assert look(pod(done, container()), objects=(done,)) == {}, "it still runs"


def test_a_job_of_a_cron_job_we_applied() -> None:
    cron = an(
        "batch/v1",
        "CronJob",
        metadata={"uid": "cron"},
        spec={"jobTemplate": {"spec": {"template": template()}}},
    )
    made = job(uid="made", ownerReferences=owned_by(cron))

    assert look(ended(made), objects=(cron, made))[DIGEST].objects == {ObjectId.of(cron)}


def test_a_pod_we_applied_ourselves() -> None:
    assert set(look(pod(None, container(), uid="pod-of-ours"))) == {DIGEST}
    assert look(ended(None, uid="pod-of-ours"))[DIGEST].finished == {"pod-of-ours"}


def crashing(reason: str, owner: dict[str, Any] = RS, **rest: Any) -> dict[str, Any]:
    return pod(
        owner, container(ready=False, state={"waiting": {"reason": reason}}), ready="False", **rest
    )


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CrashLoopBackOff", "InvalidImageName"])
def test_a_hopeless_pod_fails_fast(reason: str) -> None:
    found = pods_health([pod(RS, container()), crashing(reason)])

    assert (found.status, found.reason) == (Status.FAILED, reason)
    assert "web-pod" in found.message


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ErrImagePull"])
def test_a_pod_that_starts_is_no_failure(reason: str) -> None:
    assert pods_health([crashing(reason)]).status is Status.CURRENT


def test_an_older_release_that_crashes_does_not_fail_the_new_one() -> None:
    old = replica_set(D, "1", uid="old")
    pods = [
        crashing("CrashLoopBackOff", old),
        crashing("CrashLoopBackOff", RS, deletionTimestamp="x"),
    ]

    assert pods_health(p for p, _ in pods_of(pods, [D, RS, old], APPLIED)).status is Status.CURRENT
