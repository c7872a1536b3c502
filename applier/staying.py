"""
What happens to a version once it is applied: it is watched, signed for, and kept admitted.

Nothing here writes an object of the application.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from applier import watching
from applier.application import Application
from applier.deciding import decide, images_of
from applier.drift import Drift
from applier.failure import Failure, Reason
from applier.foreseeing import Latecomers, Standings
from applier.goal import Rendered
from applier.health import Status
from applier.inventory import Inventory
from applier.plan import Fields
from applier.records_checks import with_checks
from applier.services import Services
from applier.soak import Soak
from applier.state import State
from stagepass.verifier import Verifier


class Staying:
    """Of all applications; one call at a time for each, which is the caller's to keep."""

    def __init__(self, services: Services, drift: Drift) -> None:
        self._services, self._drift = services, drift
        self._standings, self._late = Standings(), Latecomers()

    def begin_again(self, application: Application, state: State, now: datetime) -> State:
        """
        What ran was not the release: its soak starts anew, whatever the next look sees.

        The state is kept at once, or a process that dies before that look would soak on.
        """
        soaks = self._services.soaks
        soak = watching.lost(soaks.get(application.name), now)
        soaks.put(application.name, soak, counts=False)
        anew = replace(state, healthy_since=None, soak=soak.kept())
        if anew != state:
            self._services.put(application, anew)
        return anew

    def watch(
        self, application: Application, verifier: Verifier, target: Rendered, now: datetime
    ) -> None:
        """Raises `Failure` while there is something to wait for; returns once everything passed."""
        state, soaks = self._services.state(application), self._services.soaks
        found = self._services.observe(application, target, Inventory())
        seen = watching.look(target.objects, found, self._services.live, application.source.account)
        checks = self._services.reporter.wishes(application.name).checks
        seen = with_checks(seen, checks, application, self._services.cluster)
        wanted, passed = watching.required_soak(application), state.passed == target.version
        differing = self._drift.differing(application, target, found, verifier.policy.revision)
        judged = differing if state.release else {}
        soak = watching.looked(soaks.get(application.name), seen, now, judged)
        since = soak.since.replace(microsecond=0) if soak.since else None
        kept = replace(state, healthy_since=since, soak=soak.kept())
        if passed or wanted:
            # Before the time of the look is: a look counts for what was written of it.
            self._services.put(application, kept)
        soaks.put(application.name, soak, counts=bool(wanted) and not passed)
        if passed:
            if seen.health.status is not Status.CURRENT:
                watching.judge(seen, soak, timedelta(), now)
            return
        try:
            watching.judge(seen, soak, wanted, now, judged)
            kept = self._pass(application, verifier, target, soak, differing, kept, now)
        finally:  # one write for the health and the pass, where both come at once
            self._services.put(application, kept)

    def _pass(
        self,
        application: Application,
        verifier: Verifier,
        target: Rendered,
        soak: Soak,
        differing: Fields,
        state: State,
        now: datetime,
    ) -> State:
        """
        Sign for what ran, if the decision of *now* still admits it by its evidence alone.

        Not while the server may withhold what overtakes it: a commit that takes it back, say.
        """
        self._services.heartbeats.check(application.source, now)
        commit = target.version.commit
        decided = decide(application, verifier, target.objects, now, commit=commit)
        if not decided.native:
            raise Failure(Reason.NOT_NATIVE, "admitted by an exception, which is never signed for")
        watching.as_released(differing if decided.release else {})
        if application.stage.signed_by:
            signer, policy, release = self._services.signer, verifier.policy, decided.release
            signer.enter(application, policy, decided.images, now, release)
            ran, others = watching.passing(decided.images, soak, now)
            # What was released together passes together.
            if release is None or not others:
                signer.sign_passes(application, policy, target.version, ran, now, release)
            if others:
                message = f"no Pod of ours ran {', '.join(others[:5])}"
                raise Failure(Reason.NOTHING_RAN, message)
        waited = state.trouble is not None and state.trouble.reason is Reason.PROGRESSING
        trouble = None if waited else state.trouble  # one write for both
        state = decided.noted(state)
        return replace(state, native=True, passed=target.version, passed_at=now, trouble=trouble)

    def renew(
        self, application: Application, verifier: Verifier, target: Rendered, now: datetime
    ) -> None:
        """Keep the receipts of what runs alive, and note until when it is admitted; seldom asks anybody."""
        state = self._services.state(application)
        if state.applied != target.version:
            return
        if state.release is None and application.stage.release is not None:
            late = self._late.recognised(application, verifier, state, target.objects, now)
            if late != state:
                self._services.put(application, late)
                state = late
        if state.native and application.stage.signed_by:
            images = images_of(application, target.objects)
            self._services.signer.enter(application, verifier.policy, images, now, state.release)
        self._services.mirroring.keep(application, verifier, target, state, now)
        until = self._standings.until(application, verifier, state, target.objects, now)
        if until != state.admitted_until:
            self._services.put(application, replace(state, admitted_until=until))
