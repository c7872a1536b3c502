"""Further objects that must be healthy, as an `Application` object names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from applier.application import Application
from applier.cluster import Cluster
from applier.failure import Failure, Reason
from applier.health import Health, Status, health, worst
from applier.health_status import failed, in_progress
from applier.records_wishes import HealthCheck
from applier.rules import identity
from applier.watching import Look
from stagepass.manifest import ObjectId


def with_checks(
    seen: Look, checks: Sequence[HealthCheck], application: Application, cluster: Cluster
) -> Look:
    """
    `seen`, no healthier than the objects of `checks`.

    They are read with the rights of the source's account, and only in the stage's namespaces: who may
    write an `Application` sees no more than the source does. Raises `Failure`.
    """
    states = {_identity(each): _state(each, application, cluster) for each in checks}
    bad = [name for name, state in states.items() if state.status is not Status.CURRENT]
    return replace(
        seen, health=worst([seen.health, *states.values()]), objects=(*seen.objects, *bad)
    )


def _state(check: HealthCheck, application: Application, cluster: Cluster) -> Health:
    if not any(p.matches(check.namespace) for p in application.stage.namespaces):
        return failed("OutsideStage", f"{check.namespace} is no namespace of the stage")
    try:
        resource = cluster.resource(check.api_version, check.kind)
    except Failure as failure:
        if failure.reason is not Reason.KIND_UNKNOWN:
            raise
        return in_progress("KindUnknown", failure.message)
    if not resource.namespaced:
        return failed("OutsideStage", f"{check.kind} has no namespace")
    live = cluster.get(resource, check.namespace, check.name, account=application.source.account)
    if live is None:
        return in_progress("Missing", f"{_identity(check)} is not there")
    state = health(live)
    return replace(state, message=f"{_identity(check)}: {state.message}"[:300])


def _identity(check: HealthCheck) -> str:
    group = check.api_version.rpartition("/")[0]
    return identity(ObjectId(group, check.kind, check.namespace, check.name))
