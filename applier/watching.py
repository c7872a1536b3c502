"""
Is what was applied healthy, for how long, and which images really ran?

Health that nobody looked at is not known to have lasted: a gap between two looks starts the soak again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from applier.application import Application
from applier.cluster import Resource
from applier.failure import Failure, Reason
from applier.health import Health, Status, health, worst
from applier.health_status import in_progress
from applier.live import Live
from applier.passes import Ran
from applier.plan import NO_FIELDS, Fields
from applier.pods import pods_health
from applier.ran import pods_of, ran
from applier.rules import Object, identity
from applier.soak import Soak
from stagepass.digest import Digest, ImageRef
from stagepass.manifest import ObjectId, image_fields
from stagepass.policy.source import ServiceAccount

GAP = timedelta(seconds=90)
"""The longest time between two looks that still counts as unbroken."""

_MAX_SHOWN = 5
_CHAIN = (
    Resource("", "v1", "Pod", "pods", namespaced=True),
    Resource("apps", "v1", "ReplicaSet", "replicasets", namespaced=True),
    Resource("batch", "v1", "Job", "jobs", namespaced=True),
)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at what was applied: its health with the objects that lack it, and what ran."""

    health: Health
    objects: tuple[str, ...]
    ran: Mapping[Digest, Any]


def look(
    objects: Sequence[Object], found: Mapping[ObjectId, Object], live: Live, account: ServiceAccount
) -> Look:
    """`found` holds the live ones among `objects`. Raises `Failure` where the cluster cannot be read."""
    states = {
        wanted: health(found[wanted]) if wanted in found else in_progress("Missing", "not there")
        for wanted in map(ObjectId.of, objects)
    }
    workloads = [o for o in objects if image_fields(*_kind(o), o)]
    uids = {str(each["metadata"]["uid"]) for each in found.values()}
    pods, chain = _around(workloads, live, account)
    chain = [*chain, *(dict(each) for each in found.values())]
    own = [pod for pod, _ in pods_of(pods, chain, uids)]
    states_of_pods = pods_health(own)
    overall = worst([states_of_pods, *states.values()])
    bad = [identity(i) for i, state in states.items() if state.status is not Status.CURRENT]
    return Look(overall, tuple(bad), ran(pods, chain, uids))


def required_soak(application: Application) -> timedelta:
    """The longest soak that a stage after this one asks for: no pass is signed for less."""
    edges = (edge for stage in application.pipeline.stages for edge in stage.after)
    soaks = (e.soak for e in edges if e.stage == application.stage.name and e.soak is not None)
    return max(soaks, default=timedelta())


def looked(soak: Soak, seen: Look, now: datetime, differing: Fields = NO_FIELDS) -> Soak:
    """
    The soak after one more look, at which `differing` was not as its release says.

    It starts again where a digest begins to run, since only what ran throughout is ever signed for,
    and once nothing differs any more.
    """
    healthy = seen.health.status is Status.CURRENT and not differing
    late = any(each.ready and digest not in soak.seen for digest, each in seen.ran.items())
    return (Soak() if late else soak).looked(now, healthy, seen.ran, gap=GAP)


def lost(soak: Soak, now: datetime) -> Soak:
    """The soak once something was not as it should be: what ran to a good end did so all the same."""
    return soak.looked(now, False, {}, gap=GAP)


def judge(
    seen: Look, soak: Soak, wanted: timedelta, now: datetime, differing: Fields = NO_FIELDS
) -> None:
    """Raises `Failure`: UNHEALTHY, PROGRESSING, NOT_AS_RELEASED, or SOAKING with when it is over."""
    state = seen.health
    said = ": ".join(part for part in (state.reason, state.message) if part)
    if state.status is Status.FAILED:
        raise Failure(Reason.UNHEALTHY, said, objects=seen.objects)
    if state.status is not Status.CURRENT:
        raise Failure(Reason.PROGRESSING, said, objects=seen.objects)
    as_released(differing)
    if not soak.is_over(now, wanted):
        message = f"healthy since {soak.since:%Y-%m-%dT%H:%M:%SZ}, watched for {wanted}"
        raise Failure(Reason.SOAKING, message, wakes=soak.ends(wanted))


def as_released(differing: Fields) -> None:
    """Raises NOT_AS_RELEASED, naming fields and no value: what a pass would move on never ran."""
    if not differing:
        return
    found = {identity(about): paths for about, paths in differing.items()}
    shown = [f"{name} {path}" for name, paths in found.items() for path in paths]
    more = f" and {len(shown) - _MAX_SHOWN} more" if len(shown) > _MAX_SHOWN else ""
    message = (
        f"not as released: {', '.join(shown[:_MAX_SHOWN])}{more}; undo it, or open it by"
        " the stage's release.allow"
    )
    raise Failure(Reason.NOT_AS_RELEASED, message, objects=list(found))


def passing(
    images: Sequence[tuple[ImageRef, Digest, str]], soak: Soak, now: datetime
) -> tuple[list[Ran], list[str]]:
    """Of the wanted images: those that ran throughout, and the names of those that did not."""
    proven, ran_here, others = soak.passing(), [], []
    since = soak.since or now
    for image, digest, namespace in images:
        seen = proven.get(digest)
        if seen is not None and any(o.namespace == namespace for o in seen.objects):
            ran_here.append(Ran(image, digest, namespace, (since, now)))
        else:
            others.append(f"{image.name}@{digest}")
    return ran_here, others


def _around(
    workloads: Sequence[Object], live: Live, account: ServiceAccount
) -> tuple[list[Object], list[Object]]:
    """Every Pod of the workloads' namespaces, and what can stand between a Pod and its workload."""
    pods: list[Object] = []
    chain: list[Object] = []
    for namespace in sorted({ObjectId.of(each).namespace for each in workloads}):
        for resource in _CHAIN:
            listed = live.all(resource, namespace, account).values()
            (pods if resource.kind == "Pod" else chain).extend(listed)
    return pods, chain


def _kind(document: Object) -> tuple[str, str]:
    found = ObjectId.of(document)
    return found.group, found.kind
