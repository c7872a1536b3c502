"""What is no longer as it was applied: found by comparison, told once, and by paths alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from applier.application import Application
from applier.goal import Rendered
from applier.objects import unlabelled
from applier.plan import Fields, Plan
from applier.releases import is_required
from applier.rules import Object, members
from applier.state import State
from applier.yielding import yielding
from stagepass.manifest import ObjectId
from stagepass.manifests.compare import differences
from stagepass.policy.releases import ReleaseRule
from stagepass.release.content import canonical_object

_Version = tuple[str, str, str]
"""Commit, resource version and policy revision."""

NOTHING: frozenset[ObjectId] = frozenset()
_REPLICAS = "spec.replicas"


class Drift:
    """Of all applications; one call at a time for each, which is the caller's to keep."""

    def __init__(self) -> None:
        self._told: dict[str, Fields] = {}
        self._equal: dict[str, dict[ObjectId, _Version]] = {}

    def news(
        self,
        application: Application,
        target: Rendered,
        live: Mapping[ObjectId, Object],
        planned: Plan,
        state: State,
        revision: str,
    ) -> Fields | None:
        """
        What differs from `target`, which is applied; None where that was told before.

        `revision` is that of the policy set in force.
        Fields that others added are seen where the version is a release: those an apply leaves alone.
        """
        found: dict[ObjectId, tuple[str, ...]] = {ObjectId.of(each): () for each in planned.create}
        for about, paths in (planned.fields or {}).items():
            found[about] = tuple(path.removeprefix(".") for path in paths)
        if state.release is not None:
            found |= self.differing(application, target, live, revision)
        before = self._told.get(application.name, {})
        self._told[application.name] = found
        return None if found == before else found

    def differing(
        self,
        application: Application,
        target: Rendered,
        live: Mapping[ObjectId, Object],
        revision: str,
    ) -> Fields:
        """
        What is there and not as `target` says, of the kinds in scope; {} where the stage has none.

        By the gate's own comparison; what was equal in the same version and policy is not compared
        again.
        """
        name, rule = application.name, application.stage.release
        if rule is None:
            return {}
        known = self._equal.get(name, {})
        equal: dict[ObjectId, _Version] = {}
        found: dict[ObjectId, tuple[str, ...]] = {}
        for document in target.objects:
            about = ObjectId.of(document)
            if about not in live or (about.group, about.kind) not in rule.kinds:
                continue
            version = target.version.commit, _version(live[about]), revision
            is_known = known.get(about) == version
            if paths := () if is_known else _paths(document, live[about], rule):
                found[about] = paths
            else:
                equal[about] = version
        self._equal[name] = equal
        return found

    def is_unlike(
        self,
        application: Application,
        target: Rendered,
        live: Mapping[ObjectId, Object],
        planned: Plan,
        state: State,
        revision: str,
    ) -> bool:
        """
        Whether what ran until now was not the release: an object in scope differs, or is gone.

        It may be set right within this very step, so that no look ever sees it.
        """
        rule = application.stage.release
        if rule is None or state.release is None:
            return False
        gone = map(ObjectId.of, planned.create)
        is_gone = any((about.group, about.kind) in rule.kinds for about in gone)
        return is_gone or bool(self.differing(application, target, live, revision))


def forced(
    application: Application, state: State, planned: Plan, live: Mapping[ObjectId, Object]
) -> tuple[Plan, frozenset[ObjectId]]:
    """
    The plan, and what of it is set right although another field manager changed it.

    That is what differs in scope of a required release, as the gate compares. What others may change by
    policy stays as they say; so do replicas alone, or a controller would fight over them.
    """
    rule = application.stage.release
    if rule is None or state.release is None or not is_required(application.stage):
        return planned, NOTHING
    by_force: dict[ObjectId, Object] = {}
    for document in planned.update:
        about = ObjectId.of(document)
        if (about.group, about.kind) not in rule.kinds:
            continue
        paths = _paths(document, live[about], rule)
        written = yielding(document, live[about], rule)
        if paths not in ((), (_REPLICAS,)) and written is not None:
            by_force[about] = written
    update = tuple(by_force.get(ObjectId.of(each), each) for each in planned.update)
    return replace(planned, update=update), frozenset(by_force)


def _paths(document: Object, live: Object, rule: ReleaseRule) -> tuple[str, ...]:
    """By the gate's own comparison."""
    released = canonical_object(unlabelled([document])[0])
    return tuple(each.path for each in differences(released, live, rule, created=False))


def _version(live: Object) -> str:
    return str(members(live.get("metadata")).get("resourceVersion"))
