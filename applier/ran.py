"""
Which images really ran, as the only thing a pass may be signed for. Pure.

A digest counts when a Pod was Ready with that `imageID`, an object *we* applied made the Pod, and
that object asks for it. `replicas: 0` passes nothing; neither does a sidecar that was injected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from applier.health_status import condition, is_true, text, whole
from applier.pods import container_statuses, is_leaving
from applier.rules import Object, entries, is_built_in, members
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.manifest import ObjectId, image_fields

_MAX_CHAIN = 8  # Pod -> ReplicaSet -> Deployment are 3; operators add some
_MAKES = {
    "CronJob": "Job",
    "DaemonSet": "Pod",
    "Deployment": "ReplicaSet",
    "Job": "Pod",
    "ReplicaSet": "Pod",
    "ReplicationController": "Pod",
    "StatefulSet": "Pod",
}
_REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, slots=True)
class Ran:
    """
    One digest in one look at the cluster.

    `objects` are the applied ones that asked for it. `pods` maps the UIDs of the Pods that run it
    to restarts of that container; `finished` are UIDs of Pods that ran it to a good end.
    """

    digest: Digest
    objects: frozenset[ObjectId]
    pods: Mapping[str, int]
    finished: frozenset[str]

    @property
    def ready(self) -> int:
        """How many Pods were ready with it."""
        return len(self.pods)

    @property
    def restarts(self) -> int:
        """Of its containers, in the Pods that are there."""
        return sum(self.pods.values())


def digest_of(image_id: object) -> Digest | None:
    """
    The manifest digest in an `imageID`, or None.

    `REPOSITORY@sha256:…`, with or without `docker-pullable://`. A bare `sha256:…` (also behind
    `docker://`) is the digest of a *configuration*: other manifests share it, so it proves nothing.
    """
    name, at, digest = text(image_id).removeprefix("docker-pullable://").rpartition("@")
    if not at or not name or "://" in name:
        return None
    try:
        return Digest.parse(digest)
    except InputError:
        return None


def pods_of(
    pods: Iterable[Object], objects: Iterable[Object], applied: Collection[str]
) -> list[tuple[Object, Object]]:
    """
    (Pod, applied object) for each Pod whose chain of controllers ends in an object with a UID in `applied`.

    `objects` are the live ones a chain may pass: ReplicaSets, Jobs, and the applied ones themselves.
    Of ReplicaSets only the one that holds the Deployment's own template counts.
    """
    pods = list(pods)
    index = {_uid(each): each for each in [*objects, *pods] if _uid(each)}
    found = ((pod, _root(pod, index, applied)) for pod in pods)
    return [(pod, root) for pod, root in found if root is not None]


def ran(
    pods: Iterable[Object], objects: Iterable[Object], applied: Collection[str]
) -> dict[Digest, Ran]:
    """What ran in one look. `applied` are the UIDs in the inventory; see `pods_of`."""
    known = list(objects)
    index = {_uid(each): each for each in known}
    found: dict[Digest, Ran] = {}
    for pod, root in pods_of(pods, known, applied):
        for digest, restarts, ended in _running(pod, root, index):
            old = found.get(digest, Ran(digest, frozenset(), {}, frozenset()))
            uid = _uid(pod)
            counts = old.pods if ended else {**old.pods, uid: old.pods.get(uid, 0) + restarts}
            ends = old.finished | {uid} if ended else old.finished
            found[digest] = Ran(digest, old.objects | {ObjectId.of(root)}, counts, ends)
    return found


def _uid(obj: Object) -> str:
    return text(members(obj.get("metadata")).get("uid"))


def _controller(obj: Object, index: Mapping[str, Object]) -> Object | None:
    """Its controller, where that is the object the reference says. Other owners only collect."""
    for owner in entries(members(obj.get("metadata")).get("ownerReferences")):
        if owner.get("controller") is True:
            found = index.get(text(owner.get("uid")))
            names = members(found.get("metadata")) if found else {}
            same = found is not None and (found.get("kind"), names.get("name")) == (
                owner.get("kind"),
                owner.get("name"),
            )
            return found if same else None
    return None


def _root(pod: Object, index: Mapping[str, Object], applied: Collection[str]) -> Object | None:
    here: Object | None = pod
    for _ in range(_MAX_CHAIN):
        if here is None:
            return None
        if _uid(here) and _uid(here) in applied:
            return here
        owner = _controller(here, index)
        if owner is not None and (_is_outdated(here, owner) or not _may_make(owner, here)):
            return None
        here = owner
    return None


def _may_make(owner: Object, made: Object) -> bool:
    """
    Whether a built-in controller of `owner` makes such objects, and is asked for any.

    Nobody takes away a Pod that claims a Deployment as its controller: only ReplicaSets are looked at.
    """
    kind = text(owner.get("kind"))
    if kind in _MAKES and is_built_in(ObjectId.of(owner).group):
        asked = members(owner.get("spec")).get("replicas")
        return made.get("kind") == _MAKES[kind] and asked != 0
    return True


def _is_outdated(here: Object, owner: Object) -> bool:
    """Whether `here` is a ReplicaSet of an older template of its Deployment."""
    if (here.get("kind"), owner.get("kind")) != ("ReplicaSet", "Deployment"):
        return False
    mine, latest = (
        members(members(each.get("metadata")).get("annotations")).get(_REVISION)
        for each in (here, owner)
    )
    return mine != latest


def _running(
    pod: Object, root: Object, index: Mapping[str, Object]
) -> Iterator[tuple[Digest, int, bool]]:
    """(digest, restarts, ran to its end) of the containers of a Pod that count."""
    status = members(pod.get("status"))
    ready = text(status.get("phase")) == "Running" and is_true(condition(status, "Ready"))
    job = _controller(pod, index)
    if text(status.get("phase")) == "Succeeded":
        succeeded = job is None or is_true(condition(members(job.get("status")), "Complete"))
        if not succeeded:
            return
    elif not ready or is_leaving(pod) or (job is not None and job.get("kind") == "Job"):
        return
    asked = _asked(root)
    for group, each in container_statuses(pod):
        digest = digest_of(each.get("imageID"))
        if digest is None or not _is_asked(asked, (group, text(each.get("name"))), digest):
            continue
        state = members(each.get("state"))
        ended = members(state.get("terminated")).get("exitCode") == 0
        serving = "running" in state and each.get("ready") is True
        if not ready and ended:
            yield digest, 0, True
        elif ready and (serving or (ended and group == "initContainers")):
            yield digest, whole(each.get("restartCount")), False


def _asked(root: Object) -> Mapping[tuple[str, str], str] | None:
    """Slot -> image of the applied object; None for a kind that names none itself, like a CR."""
    found = ObjectId.of(root)
    try:
        fields = image_fields(found.group, found.kind, root)
    except InputError:
        return {}
    # A slot names its list below the pod template; a Pod's status knows the list alone.
    slots = {(f.slot[0].rpartition(".")[2], f.slot[1]): f.image for f in fields}
    return slots or None


def _is_asked(
    asked: Mapping[tuple[str, str], str] | None, slot: tuple[str, str], digest: Digest
) -> bool:
    """
    Whether the applied object has that container, and no other digest for it.

    Anybody may write `ownerReferences`: what is asked for stands in the object that we applied.
    """
    if asked is None:
        return True
    if slot not in asked:
        return False
    try:
        pinned = ImageRef.parse(asked[slot]).digest
    except InputError:
        return False
    return pinned is None or pinned == digest
