"""A plan whose deletions somebody has to approve: exactly the approved ones, or none."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from applier.application import Application
from applier.failure import Failure, Reason
from applier.git import Mirror
from applier.plan import Plan, plan
from applier.prune_approval import FOLDER, NAME, Prune, objection
from applier.rules import Object, Rules
from applier.state import State, Version
from stagepass.manifest import ObjectId
from stagepass.policy.model import PolicySet
from stagepass.policy.signers import signing_option

_APPROVABLE = {Reason.EMPTY_RENDER, Reason.MASS_PRUNE, Reason.PROTECTED_PRUNE}


class Unapproved(Failure):
    """A refused prune; `planned` is what an approval would let happen."""

    def __init__(self, refused: Failure, why: str, planned: Plan) -> None:
        self.planned = planned
        super().__init__(refused.reason, f"{refused.message}; {why}", objects=refused.objects)


def plan_approved(
    application: Application,
    policy: PolicySet,
    mirror: Mirror,
    version: Version,
    desired: Sequence[Object],
    live: Mapping[ObjectId, Object],
    state: State,
    rules: Rules,
    now: datetime,
) -> Plan:
    """As `plan`; a prune that it refuses is planned where `version` itself brings its approval."""
    try:
        return plan(desired, live, state.inventory, rules)
    except Failure as failure:
        if failure.reason not in _APPROVABLE:
            raise
        refused = failure
    planned = plan(desired, live, state.inventory, replace(rules, prune_approved=True))
    if not planned.prune and state.applied == version:
        return planned  # applied whole before: what it deleted waits for its finalizers
    prune = Prune(application, planned.unwanted)
    missing = objection(policy, prune, _file(application, mirror, version), now)
    if missing is None:
        return planned
    raise Unapproved(refused, _told(prune, missing, _option(policy, prune, now)), planned)


def _file(application: Application, mirror: Mirror, version: Version) -> bytes | None:
    try:
        tree = mirror.tree_of(version.commit, _below(application, FOLDER))
    except Failure as failure:
        if failure.reason is not Reason.PATH_MISSING:
            raise
        return None
    return mirror.read(tree).get(NAME)


def _below(application: Application, name: str) -> str:
    root = application.source.root
    return f"{root}/{name}" if root else name


def _option(policy: PolicySet, prune: Prune, now: datetime) -> str:
    needs = prune.application.stage.approvals
    found = ((need, key) for need in needs for key in policy.entries(need.signers))
    could = (key for need, key in found if key.owner not in policy.owners(need.not_by))
    return signing_option(could, now)


def _told(prune: Prune, missing: str, option: str) -> str:
    """What is to be signed, and how: for those who have read what `plan` lists."""
    application = prune.application
    what = f"the prune of {len(prune.objects)} objects is {prune.digest}: {missing}"
    if not application.stage.approvals:
        return what
    words = (
        *("stagepass", "approve", "--prune", str(prune.digest), *option.split()),
        *("--pipeline", application.pipeline.name, "--stage", application.stage.name),
        *("--out", _below(application, f"{FOLDER}/{NAME}")),
    )
    return f"{what}; to approve it: {shlex.join(words)}"
