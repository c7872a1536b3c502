"""
What controllers make from the templates of a release: Pods, ReplicaSets, Jobs, claims. Pure.

An object that no release names must equal what a controller would have made of a template of some
object of a release. Whose it says it is, and who sent it, proves nothing: the expected object is made
here, from the release, and compared like an object of the release. Of the live object it takes only
what a controller has to choose: the name, hashes, ordinals and UIDs, each in its closed form.

| made | from |
|---|---|
| Pod | Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob, ReplicationController |
| ReplicaSet | Deployment |
| Job | CronJob |
| PersistentVolumeClaim | StatefulSet (`volumeClaimTemplates`); `ephemeral` volumes of Pods |

A pointer of the allow-list that leads below the owner's template holds for what is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from stagepass.manifest import Path
from stagepass.manifests import allowed, claims, controllers
from stagepass.manifests.allowed import Allowed
from stagepass.manifests.compare import kind_of, of_kind
from stagepass.manifests.difference import Difference
from stagepass.objects import Object
from stagepass.policy.releases import Kind, ReleaseRule

_POD, _REPLICA_SET, _JOB = ("", "Pod"), ("apps", "ReplicaSet"), ("batch", "Job")
_CLAIM = ("", "PersistentVolumeClaim")
_POD_TEMPLATE = ("spec", "template")
_JOB_TEMPLATE = ("spec", "jobTemplate")
_CRON_POD = (*_JOB_TEMPLATE, "spec", "template")

Maker = Callable[[Object, Object], dict[str, Any] | None]
"""From the owner and the live object: what the controller would have made, None if not this one."""

_MAKERS: Mapping[tuple[Kind, Kind], tuple[Maker, Path]] = {
    (_POD, ("apps", "Deployment")): (controllers.pod_of_deployment, _POD_TEMPLATE),
    (_POD, _REPLICA_SET): (controllers.pod_of_template, _POD_TEMPLATE),
    (_POD, ("", "ReplicationController")): (controllers.pod_of_template, _POD_TEMPLATE),
    (_POD, ("apps", "StatefulSet")): (controllers.pod_of_stateful_set, _POD_TEMPLATE),
    (_POD, ("apps", "DaemonSet")): (controllers.pod_of_daemon_set, _POD_TEMPLATE),
    (_POD, _JOB): (controllers.pod_of_job, _POD_TEMPLATE),
    (_POD, ("batch", "CronJob")): (controllers.pod_of_cron_job, _CRON_POD),
    (_REPLICA_SET, ("apps", "Deployment")): (controllers.replica_set, ()),
    (_JOB, ("batch", "CronJob")): (controllers.job, _JOB_TEMPLATE),
}
# Of a ReplicaSet that a Deployment made: its size, which the roll-out moves; its annotations, which are
# those the Deployment had at some time, and which nothing runs by.
_ALWAYS: Mapping[Kind, allowed.Open] = {
    _REPLICA_SET: (("spec", "replicas"), ("metadata", "annotations"))
}
KINDS = frozenset({_POD, _REPLICA_SET, _JOB, _CLAIM})
"""The kinds whose objects may be made from a template."""


def template_differences(
    owner: Object, live: Object, rule: ReleaseRule, *, created: bool = True
) -> list[Difference] | None:
    """
    Where `live` is not what a controller makes of `owner`, an object of a verified release.

    [] where it is; None where it could not be made of it, whatever it holds: another kind, namespace
    or name. Paths are those of `live`; `created` as in `differences`.
    """
    made = expected(owner, live, rule)
    return _nearest(of_kind(each, live, allow, created=created) for each, allow in made)


def expected(owner: Object, live: Object, rule: ReleaseRule) -> Iterator[tuple[Object, Allowed]]:
    """What a controller may have made of `owner` under the name of `live`, and what is open there."""
    owner_kind, kind = kind_of(owner), kind_of(live)
    if kind == _CLAIM:
        own = Allowed.of(rule, kind)
        yield from ((claim, own) for claim in claims.expected(owner, live))
        return
    maker, path = _MAKERS.get((kind, owner_kind), (None, ()))
    found = maker(owner, live) if maker else None
    if found is None:
        return
    own = Allowed.of(rule, kind)
    pointers = (*own.pointers, *_ALWAYS.get(kind, ()))
    pointers += allowed.below(Allowed.of(rule, owner_kind).pointers, path)
    yield found, replace(own, pointers=pointers)


def _nearest(compared: Iterable[list[Difference]]) -> list[Difference] | None:
    """The first without differences, else the first with the fewest; None of none."""
    nearest: list[Difference] | None = None
    for found in compared:
        if not found:
            return found
        if nearest is None or len(found) < len(nearest):
            nearest = found
    return nearest
