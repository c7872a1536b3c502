"""`plan`: what a step would do now. Writes nothing, neither to the cluster nor to the applier's disk."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from applier.app import Evidence, make_repositories
from applier.application import Application, applications, name_of
from applier.cluster import Cluster
from applier.commands_show import print_facts, print_json, print_table
from applier.delivery import Delivery
from applier.failure import Failure, Kind, Reason
from applier.git import Mirror
from applier.goal import Chooser, Rendered
from applier.heartbeat import Heartbeats
from applier.live import Live
from applier.observing import observe
from applier.plan import Plan
from applier.pruning import Unapproved
from applier.releases import Released, look_up
from applier.rules import identity
from applier.settings import Settings
from applier.state import State, Version
from applier.store import SeenStore, StateStore
from applier.trees import TreeRenderer
from stagepass.errors import InputError, did_you_mean
from stagepass.evidence import Deadline
from stagepass.manifest import ObjectId
from stagepass.policy.model import PolicySet
from stagepass.policy.packed import unpack
from stagepass.policy.store import load_files, read_directory
from stagepass.verifier import Verifier

_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Preview:
    """
    What would be done for `version`; `blocked` is what stands in the way, of which version.

    Of a prune that waits for an approval, `plan` is what the approval would let happen. `release` is
    that of `version`, where its stage looks at releases.
    """

    version: Version | None
    plan: Plan
    blocked: tuple[tuple[Version | None, Failure], ...]
    release: Released = field(default_factory=Released)


def plan(chosen: argparse.Namespace) -> int:
    """0: nothing stands in the way; 1: something does; 2: it could not be found out."""
    settings = Settings.from_environ(os.environ)
    cluster = Cluster.connect(chosen.kubeconfig)
    with tempfile.TemporaryDirectory(prefix="stagepass-plan-", dir=_scratch(settings)) as scratch:
        settings = replace(settings, state_directory=Path(scratch))
        verifier = _verifier(settings, cluster)
        known = applications(verifier.policy, settings.cluster)
        name = name_of(chosen.pipeline, chosen.stage)
        if name not in known:
            hint = did_you_mean(name, known)
            raise InputError(f"{settings.cluster} has no source for {name}", hint=hint)
        preview = _preview(settings, cluster, known[name], verifier, datetime.now(UTC))
    document = _document(name, preview)
    if chosen.output == "json":
        print_json(document)
    else:
        _print(document)
    kinds = {failure.reason.kind for _, failure in preview.blocked}
    return 2 if kinds == {Kind.TRANSIENT} else int(bool(kinds))


def _scratch(settings: Settings) -> Path | None:
    """Where there is room for a repository; a Pod's own file system cannot be written."""
    return settings.state_directory if os.access(settings.state_directory, os.W_OK) else None


def _verifier(settings: Settings, cluster: Cluster) -> Verifier:
    """Of the set in the directory; with a policy repository, of the one the gate was brought last."""
    if settings.policy_git is None:
        packed = settings.policy_root_key is not None
        files = read_directory(settings.policy, packed=packed)
    else:
        delivered = Delivery(cluster, settings.gate_namespace).read()
        if delivered is None:
            raise Failure(Reason.POLICY_INVALID, "no policy set was delivered yet")
        files = unpack(delivered)
    return Evidence(settings).verifier(load_files(files, settings.policy_root_key))


def _preview(
    settings: Settings,
    cluster: Cluster,
    application: Application,
    verifier: Verifier,
    now: datetime,
) -> Preview:
    store = StateStore(cluster, settings.namespace)
    store.load()
    state, source = store.get(application.name), application.source
    seen = SeenStore(cluster, settings.namespace).load()
    repositories = make_repositories(settings, seen, lambda _: None)
    renderer = TreeRenderer(settings.kubectl)
    chooser = Chooser(cluster, renderer, settings.forbidden_namespaces)
    blocked: list[tuple[Version | None, Failure]] = []
    version, release = None, Released()
    try:
        beats = frozenset({source.heartbeat.ref} if source.heartbeat else ())
        repositories.fetch(source.git, frozenset({source.ref}), beats)
        commit = repositories.head(source)
        version = Version(commit, repositories.tree(source, commit))
        Heartbeats(repositories).check(source, now)
        mirror = repositories.mirror(source.git)
        goal = chooser.choose(application, verifier, mirror, version, state, now)
        if goal.problem is not None:
            blocked.append(goal.problem)
        if goal.target is None:
            return Preview(None, Plan(), tuple(blocked))
        version = goal.target.version
        book, objects, deadline = verifier.releases, goal.target.objects, Deadline.after(_SECONDS)
        release = look_up(application, book, objects, version.commit, now, deadline)
        policy, target = verifier.policy, goal.target
        planned = _plan(cluster, chooser, application, policy, mirror, target, state, now)
    except Unapproved as failure:
        return Preview(version, failure.planned, (*blocked, (version, failure)), release)
    except Failure as failure:
        return Preview(version, Plan(), (*blocked, (version, failure)), release)
    return Preview(version, planned, tuple(blocked), release)


def _plan(
    cluster: Cluster,
    chooser: Chooser,
    application: Application,
    policy: PolicySet,
    mirror: Mirror,
    target: Rendered,
    state: State,
    now: datetime,
) -> Plan:
    live, account = Live(cluster), application.source.account
    found = observe(cluster, live, target.objects, state.inventory, account)
    return chooser.plan(application, policy, mirror, target, found, state, now)


def _document(name: str, preview: Preview) -> dict[str, Any]:
    planned, version = preview.plan, preview.version
    fields = planned.fields or {}
    return {
        "application": name,
        "commit": version.commit if version else None,
        "tree": version.tree if version else None,
        "release": _released(preview.release),
        "create": _names(map(ObjectId.of, planned.create)),
        "update": [
            {"object": identity(found), "fields": list(fields.get(found, ()))}
            for found in map(ObjectId.of, planned.update)
        ],
        "prune": _names(entry.id for entry in (*planned.prune, *planned.going)),
        "unchanged": _names(planned.unchanged),
        "blocked": [
            {
                "reason": failure.reason.name,
                "class": str(failure.reason.kind),
                "commit": about.commit if about else None,
                "message": failure.message,
                "objects": list(failure.objects),
            }
            for about, failure in preview.blocked
        ],
    }


def _released(found: Released) -> dict[str, Any] | None:
    """The release that the version is, signed or not; None where it is of no matter, or can be none."""
    if found.wanted is None:
        return None
    return {"digest": str(found.wanted), "signed": found.signed is not None}


def _names(found: Iterable[ObjectId]) -> list[str]:
    return [identity(each) for each in found]


def _print(document: dict[str, Any]) -> None:
    rows = [("create", name, "") for name in document["create"]]
    rows += [("update", e["object"], ", ".join(e["fields"])) for e in document["update"]]
    rows += [("prune", name, "") for name in document["prune"]]
    if rows:
        print_table(("DO", "OBJECT", "FIELDS"), rows)
    release = document["release"]
    signed = "" if release is None else "signed" if release["signed"] else "not signed"
    facts = {
        "application": document["application"],
        "version": document["commit"],
        "release": f"{release['digest']} ({signed})" if release else "",
        "unchanged": str(len(document["unchanged"])),
        "blocked": [f"{e['reason']}: {e['message']}" for e in document["blocked"]],
    }
    print_facts(facts)
