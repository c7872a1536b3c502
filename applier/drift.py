"""What is no longer as it was applied: found by comparison, told once, and by paths alone."""

from __future__ import annotations

from collections.abc import Mapping

from applier.application import Application
from applier.goal import Rendered
from applier.objects import unlabelled
from applier.plan import Plan
from applier.releases import is_required
from applier.rules import Object, members
from applier.state import State
from stagepass.manifest import ObjectId
from stagepass.manifests.compare import differences
from stagepass.policy.releases import ReleaseRule
from stagepass.release.content import canonical_object

Fields = Mapping[ObjectId, tuple[str, ...]]
"""Paths of fields by object; never a value, which may be a Secret's. () where the object is gone."""

_REPLICAS = ".spec.replicas"


class Drift:
    """Of all applications; one call at a time for each, which is the caller's to keep."""

    def __init__(self) -> None:
        self._told: dict[str, Fields] = {}
        self._equal: dict[str, dict[ObjectId, tuple[str, str]]] = {}

    def news(
        self,
        application: Application,
        target: Rendered,
        live: Mapping[ObjectId, Object],
        planned: Plan,
        state: State,
    ) -> Fields | None:
        """
        What differs from `target`, which is applied; None where that was told before.

        Fields that others added are seen where the version is a release: those an apply leaves alone.
        """
        found: dict[ObjectId, tuple[str, ...]] = {ObjectId.of(each): () for each in planned.create}
        for about, paths in (planned.fields or {}).items():
            found[about] = tuple(path.removeprefix(".") for path in paths)
        rule = application.stage.release
        if rule is not None and state.release is not None:
            found |= self._compared(application.name, rule, target, live)
        before = self._told.get(application.name, {})
        self._told[application.name] = found
        return None if found == before else found

    def _compared(
        self, name: str, rule: ReleaseRule, target: Rendered, live: Mapping[ObjectId, Object]
    ) -> Fields:
        """By the gate's own comparison; what was equal in the same version is not compared again."""
        known = self._equal.get(name, {})
        equal: dict[ObjectId, tuple[str, str]] = {}
        found: dict[ObjectId, tuple[str, ...]] = {}
        for document in target.objects:
            about = ObjectId.of(document)
            if about not in live or (about.group, about.kind) not in rule.kinds:
                continue
            version = target.version.commit, _version(live[about])
            if known.get(about) != version:
                released = canonical_object(unlabelled([document])[0])
                if paths := tuple(d.path for d in differences(released, live[about], rule)):
                    found[about] = paths
                    continue
            equal[about] = version
        self._equal[name] = equal
        return found


def forced(application: Application, state: State, planned: Plan) -> frozenset[ObjectId]:
    """
    What is set right although another field manager changed it: fields in scope of a required release.

    Not what others may change by policy; and not replicas alone, or a controller would fight over them.
    """
    rule = application.stage.release
    if rule is None or state.release is None or not is_required(application.stage):
        return frozenset()
    shared = {kind for field in rule.fields for kind in field.kinds}
    return frozenset(
        about
        for about, paths in (planned.fields or {}).items()
        if (about.group, about.kind) in rule.kinds - shared and paths != (_REPLICAS,)
    )


def _version(live: Object) -> str:
    return str(members(live.get("metadata")).get("resourceVersion"))
