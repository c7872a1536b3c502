"""
One step of one application, from what is in Git, in policy and in the cluster to the next wait.

A step never waits: it does what can be done now and says when to come back. Everything it knows lies in
the state, which is written before the first write of an attempt and after its last, so that a process
killed anywhere in between starts the same step again.

Whatever is wrong with the newest version or with Git, what was applied is kept, watched and passed on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from applier.application import Application
from applier.applying import Applying, gravest
from applier.choosing import Choices
from applier.deciding import decide
from applier.drift import NOTHING, Drift, forced
from applier.failure import Failure, Kind, Phase, Reason
from applier.goal import Goal, Rendered
from applier.noting import Notes
from applier.noting import gravest as most_telling
from applier.plan import Plan
from applier.services import Services
from applier.soak import Soak
from applier.state import State, Version
from applier.staying import Staying
from stagepass import log
from stagepass.manifest import ObjectId
from stagepass.verifier import Verifier


class Reconciler:
    """Steps of all applications; one at a time for each, which is the caller's to keep."""

    def __init__(self, services: Services, interval: timedelta, retry: timedelta) -> None:
        self._services, self._interval = services, interval
        self._notes = Notes(services.store, services.reporter, interval, retry)
        self._drift = Drift()
        self._staying = Staying(services, self._drift)
        self._choices = Choices(
            services.repositories, services.heartbeats, services.chooser, interval
        )

    def step(self, application: Application, verifier: Verifier, now: datetime) -> datetime:
        """Do what can be done now; when to come back. Raises `Failure` only where the state is lost."""
        here = self._services.state(application).applied or Version("", "")
        try:
            self._begin_again(application, now)
            found = self._attempt(application, verifier, here, now)
        except Failure as failure:
            found = [(here, failure)]
        except Exception as error:  # a poison application must not take others along
            log.exception("applier.step_failed", application=application.name)
            name = type(error).__name__
            found = [(here, Failure(Reason.INTERNAL, f"{name}: the log has the trace"))]
        worst = most_telling(found)
        if worst is None:
            wake = self._notes.settled(application, now)
        else:
            wake = min(self._notes.failed(application, *worst, now), now + self._interval)
        # What is told of may wait for long; what runs must be looked at all the same.
        blocked = [f for _, f in found if f.reason.kind is Kind.BLOCKED]
        looks = [self._notes.blocked_until(failure, now) for failure in blocked]
        self._services.reporter.stepped(application, self._services.state(application), now)
        return min([wake, *looks])

    def _begin_again(self, application: Application, now: datetime) -> None:
        """Where a person asked for it: attempts start at zero, and nothing is remembered."""
        if self._services.reporter.wishes(application.name).redriven:
            self._choices.forget(application.name)
            self._notes.begin_again(application, now)

    def _attempt(
        self, application: Application, verifier: Verifier, here: Version, now: datetime
    ) -> list[tuple[Version, Failure]]:
        """Everything that stands in the way, of the newest version first. Raises `Failure`, too."""
        goal = self._choices.choose(application, verifier, self._services.state(application), now)
        found = [goal.problem, *goal.waiting] if goal.problem else []
        target = goal.target
        if target is None:
            nothing = Failure(Reason.PATH_MISSING, "no commit has the directory")
            return found or [(here, nothing)]
        try:
            self._apply(application, goal, target, verifier, now)
        except Failure as failure:
            return [*found, (target.version, failure)]
        for do in (self._staying.watch, self._staying.renew):
            try:
                do(application, verifier, target, now)
            except Failure as failure:
                found.append((target.version, failure))
        return found

    def _apply(
        self,
        application: Application,
        goal: Goal,
        target: Rendered,
        verifier: Verifier,
        now: datetime,
    ) -> None:
        """Make the cluster equal the target; nothing is written where it is."""
        state, chooser = self._services.state(application), self._services.chooser
        found = self._services.observe(application, target, state.inventory)
        mirror = self._services.repositories.mirror(application.source.git)
        planned = chooser.plan(application, verifier.policy, mirror, target, found, state, now)
        uids = {each: str(found[each]["metadata"]["uid"]) for each in planned.unchanged}
        owned = state.inventory.with_planned(target.objects).with_uids(uids)
        is_new = state.applied != target.version
        idle = not (planned.writes or planned.going or planned.forgotten)
        if not is_new:
            revision = verifier.policy.revision
            drift = self._drift.news(application, target, found, planned, state, revision)
            self._services.reporter.drifted(application, drift, now)
            if self._drift.is_unlike(application, target, found, planned, state, revision):
                state = self._staying.begin_again(application, state, now)
        owning = replace(state, inventory=owned, apply=application.source.apply_rule)
        if not is_new and idle and owning == state:
            return
        native = state.native if goal.decided is None else goal.decided.native
        writes = [*planned.create, *planned.update]
        if goal.decided is None and writes:  # drift: what may be mended is judged by today's policy
            chooser.check(application, target)
            commit = target.version.commit
            decide(application, verifier, target.objects, now, commit=commit, only=writes)
        state = self._begin(application, owning, goal, target, now)
        if goal.decided is not None and native and application.stage.signed_by:
            images, release = goal.decided.images, goal.decided.release
            self._services.signer.enter(application, verifier.policy, images, now, release)
        self._services.mirroring.keep(application, verifier, target, state, now)
        mended = (planned, NOTHING) if is_new else forced(application, state, planned, found)
        state = self._carry_out(application, state, *mended)
        if is_new:
            self._services.soaks.forget(application.name)
            state = replace(state, applied=target.version, applied_at=now, native=native)
            state = replace(state, soak=Soak(), healthy_since=None, admitted_until=None)
            state = goal.decided.noted(state) if goal.decided else state
        self._services.put(application, state)
        self._services.reporter.applied(application, planned, is_new=is_new)

    def _carry_out(
        self, application: Application, state: State, planned: Plan, force: frozenset[ObjectId]
    ) -> State:
        """The state after all was applied and pruned. Raises `Failure` where something was not."""
        cluster, live = self._services.cluster, self._services.live
        takeover = self._services.chooser.rules(application).takeover | force
        applying = Applying(cluster, live, application.source.account, takeover)
        if application.source.all_or_nothing:
            applying.rehearse([*planned.create, *planned.update])
        applied = applying.carry_out(planned, state.inventory)
        state = replace(state, inventory=applied.inventory)
        if applied.failures:
            self._services.put(application, state)
            raise gravest(applied.failures)
        return state

    def _begin(
        self, application: Application, state: State, goal: Goal, target: Rendered, now: datetime
    ) -> State:
        """Written before anything else is: what may exist from now on, and what this overtakes."""
        attempted = state.attempted
        if attempted is not None and attempted not in (target.version, state.passed):
            phase = state.trouble.reason.phase if state.trouble else Phase.WATCH
            state = state.overtaken(attempted, target.version, now, phase)
        for version in goal.passed_over:
            state = state.overtaken(version, target.version, now, Phase.DECIDE)
        state = replace(state, attempted=target.version)
        self._services.put(application, state)
        return state
