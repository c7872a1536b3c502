"""What Pods say about a release before its objects do: an image that cannot be pulled, a crash loop. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from applier.health_status import CURRENT, Health, failed, text
from applier.rules import Object, entries, members

# Waiting reasons of the kubelet that no waiting has ever cured. `ErrImagePull` is the first of some
# tries and becomes `ImagePullBackOff`.
_HOPELESS = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}
_LISTS = {"initContainers": "initContainerStatuses", "containers": "containerStatuses"}


def container_statuses(pod: Object) -> Iterator[tuple[str, Object]]:
    """(list in the spec, status) of containers. Ephemeral ones are people's, and do not count."""
    status = members(pod.get("status"))
    return ((name, each) for name, at in _LISTS.items() for each in entries(status.get(at)))


def is_leaving(pod: Object) -> bool:
    """Whether it is being deleted."""
    return members(pod.get("metadata")).get("deletionTimestamp") is not None


def pod_failure(pod: Object) -> Health | None:
    """Why the Pod will not get ready by waiting, or None."""
    for _, each in container_statuses(pod):
        waiting = members(members(each.get("state")).get("waiting"))
        reason = text(waiting.get("reason"))
        if reason in _HOPELESS:
            pod_name = text(members(pod.get("metadata")).get("name"))
            where = f"Pod {pod_name}, container {text(each.get('name'))}"
            return failed(reason, f"{where}: {text(waiting.get('message'))}".removesuffix(": "))
    return None


def pods_health(pods: Iterable[Object]) -> Health:
    """
    Failed as soon as one Pod is hopeless, else current: whether there are enough is for others.

    Give it the Pods of what was applied (`ran.pods_of`): a Pod of an older release that crashes
    must not fail the release that repairs it. Pods being deleted are left out.
    """
    found = (pod_failure(pod) for pod in pods if not is_leaving(pod))
    return next((each for each in found if each is not None), CURRENT)
