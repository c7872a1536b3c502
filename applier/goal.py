"""
Which version an application should have: the newest that is eligible for its stage.

Level-based: what lies between the applied version and the newest eligible one is never applied, and
listed as superseded. What is not eligible says why, and holds nobody up.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from applier.application import Application
from applier.cluster import Cluster
from applier.deciding import Decided, decide
from applier.failure import Failure, Kind, Reason
from applier.git import CommitSigners, Mirror
from applier.objects import check, label_value, prepare, unlabelled
from applier.plan import Plan, Rules
from applier.pruning import plan_approved
from applier.rules import Object
from applier.state import State, Version
from applier.trees import TreeRenderer
from stagepass.manifest import ObjectId
from stagepass.policy.model import PolicySet
from stagepass.verifier import Verifier

_MAX_HISTORY = 50
# What is wrong with a version itself stays wrong: it is not rendered again at every poll.
_LASTING = {
    Reason.TREE_REFUSED,
    Reason.COMMIT_UNSIGNED,
    Reason.RENDER_REFUSED,
    Reason.RENDER_FAILED,
    Reason.RENDER_LIMIT,
    Reason.RENDER_DIFFERS,
    Reason.OBJECT_REFUSED,
}
_MAX_REFUSED = 1000


@dataclass(frozen=True, slots=True)
class Rendered:
    """A version's objects, ready to apply, and what was decided about them."""

    version: Version
    objects: tuple[Object, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """
    `target` is what should run, None while nothing is eligible and nothing was applied.

    `decided` is set where `target` is new. `problem` is why the newest version is not the target;
    `waiting` are older ones that may enter first, each at a known time.
    `passed_over` are versions between that were never applied.
    """

    target: Rendered | None
    decided: Decided | None = None
    problem: tuple[Version, Failure] | None = None
    passed_over: tuple[Version, ...] = ()
    waiting: tuple[tuple[Version, Failure], ...] = ()

    @property
    def wakes(self) -> datetime | None:
        """The first moment at which the clock alone lets one of them in."""
        known = [self.problem, *self.waiting]
        return min((f.wakes for _, f in filter(None, known) if f.wakes), default=None)


class Chooser:
    """Renders versions, decides about them, and picks one. Thread-safe."""

    def __init__(
        self,
        cluster: Cluster,
        renderer: TreeRenderer,
        forbidden_namespaces: frozenset[str],
    ) -> None:
        self._cluster, self._renderer = cluster, renderer
        self._forbidden = forbidden_namespaces
        self._applied: dict[str, tuple[tuple[str, str, Version], Rendered]] = {}
        self._refused: dict[tuple[str, str, str], Failure] = {}
        self._limited: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()

    def rules(self, application: Application) -> Rules:
        """What the application may bring and take away."""
        source = application.source
        return Rules(
            application=label_value(application.pipeline.name, application.stage.name),
            namespaces=application.stage.namespaces,
            forbidden_namespaces=self._forbidden,
            cluster_kinds=source.cluster_kinds,
            takeover=frozenset(map(_object_id, source.takeover)),
        )

    def plan(
        self,
        application: Application,
        policy: PolicySet,
        mirror: Mirror,
        target: Rendered,
        live: Mapping[ObjectId, Object],
        state: State,
        now: datetime,
    ) -> Plan:
        """What makes `live` the target. Raises `Failure`; `Unapproved` where a prune waits for people."""
        rules, version = self.rules(application), target.version
        return plan_approved(
            application, policy, mirror, version, target.objects, live, state, rules, now
        )

    def choose(
        self,
        application: Application,
        verifier: Verifier,
        mirror: Mirror,
        head: Version,
        state: State,
        now: datetime,
    ) -> Goal:
        """`head` needs no subject. Raises `Failure` where that cannot be known now."""
        root, applied = application.source.root or ".", state.applied
        if applied is not None and head.tree == applied.tree:
            return Goal(self.rendered(application, mirror, applied))
        since = applied.commit if applied else None
        problem: tuple[Version, Failure] | None = None
        waiting: list[tuple[Version, Failure]] = []
        revisions = mirror.history(head.commit, root, since=since, limit=_MAX_HISTORY)
        for index, revision in enumerate(revisions):
            version = Version(revision.commit, revision.tree, revision.subject)
            if applied is not None and version.tree == applied.tree:
                break  # what is between was taken back
            try:
                target, decided = self._eligible(application, verifier, mirror, version, now)
            except Failure as failure:
                if problem is not None and failure.wakes is not None:
                    waiting.append((version, failure))
                problem = problem or (version, failure)
                if failure.reason.kind is Kind.TRANSIENT:
                    break  # not known, so nothing older may take its place
                continue
            # Before the first one that is applied nothing is passed over.
            older = revisions[index + 1 :] if since else []
            rest = tuple(Version(r.commit, r.tree, r.subject) for r in older)
            return Goal(target, decided, problem, rest, tuple(waiting))
        held = None if applied is None else self.rendered(application, mirror, applied)
        return Goal(held, problem=problem, waiting=tuple(waiting))

    def forget(self, name: str) -> None:
        """What was wrong with versions of the application is found out anew."""
        with self._lock:
            self._refused = {k: f for k, f in self._refused.items() if k[0] != name}
            self._limited = {k for k in self._limited if k[0] != name}

    def check(self, application: Application, target: Rendered) -> None:
        """Whether today's policy still lets the source bring all of it. Raises OBJECT_REFUSED."""
        objects = unlabelled(target.objects)
        check(objects, self.rules(application), self._scopes(objects))

    def rendered(self, application: Application, mirror: Mirror, version: Version) -> Rendered:
        """The objects of a version that was applied before. Raises `Failure`."""
        known = self._applied.get(application.name)
        given = application.source.path, application.source.root, version
        if known is None or known[0] != given:
            objects = self._render(application, mirror, version)
            known = given, Rendered(version, _prepared(application, objects))
            with self._lock:
                self._applied[application.name] = known
        return known[1]

    def _eligible(
        self,
        application: Application,
        verifier: Verifier,
        mirror: Mirror,
        version: Version,
        now: datetime,
    ) -> tuple[Rendered, Decided]:
        key = (application.name, version.commit, verifier.policy.revision)
        known = self._refused.get(key)
        if known is not None:
            raise known
        try:
            self._check_signature(application, mirror, version)
            objects = self._render(application, mirror, version)
            check(objects, self.rules(application), self._scopes(objects))
        except Failure as failure:
            if failure.reason in _LASTING and self._is_sure(key, failure):
                self._remember(key, failure)
            raise
        target = Rendered(version, _prepared(application, objects))
        decided = decide(application, verifier, target.objects, now, commit=version.commit)
        return target, decided

    def _check_signature(self, application: Application, mirror: Mirror, version: Version) -> None:
        source = application.source
        if source.ssh_signers is not None or source.gpg_signers is not None:
            mirror.signer(version.commit, CommitSigners(source.ssh_signers, source.gpg_signers))

    def _render(
        self, application: Application, mirror: Mirror, version: Version
    ) -> tuple[Object, ...]:
        source = application.source
        path = source.path[len(source.root) :].strip("/") or "."
        return self._renderer.render(mirror, version.tree, path, isolated=source.needs_sandbox)

    def _scopes(self, objects: Sequence[Object]) -> dict[tuple[str, str], bool]:
        """Which of the kinds have namespaces, as far as the API server knows them."""
        scopes: dict[tuple[str, str], bool] = {}
        for version, kind in {(str(o.get("apiVersion")), str(o.get("kind"))) for o in objects}:
            try:
                resource = self._cluster.resource(version, kind)
            except Failure as failure:
                if failure.reason is not Reason.KIND_UNKNOWN:
                    raise
                continue
            scopes[resource.group, kind] = resource.namespaced
        return scopes

    def _is_sure(self, key: tuple[str, str, str], failure: Failure) -> bool:
        """A limit is run into twice before it counts: a machine in distress kills children, too (G28)."""
        with self._lock:
            if failure.reason is not Reason.RENDER_LIMIT or key in self._limited:
                return True
            if len(self._limited) >= _MAX_REFUSED:
                self._limited.clear()
            self._limited.add(key)
            return False

    def _remember(self, key: tuple[str, str, str], failure: Failure) -> None:
        with self._lock:
            while len(self._refused) >= _MAX_REFUSED:
                del self._refused[next(iter(self._refused))]
            self._refused[key] = failure


def _prepared(application: Application, objects: Sequence[Object]) -> tuple[Object, ...]:
    label = label_value(application.pipeline.name, application.stage.name)
    return tuple(prepare(objects, label))


def _object_id(text: str) -> ObjectId:
    """`group/Kind/namespace/name`, as `rules.identity` writes it."""
    group, kind, namespace, name = (text.split("/") + [""] * 4)[:4]
    return ObjectId(
        "" if group == "core" else group, kind, "" if namespace == "-" else namespace, name
    )
