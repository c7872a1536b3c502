"""
Who is told of what happens: the log, metrics, dead letters and `Application` objects.

Nothing is written while nothing changes; what could not be written is tried again at the next step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from applier import metrics
from applier.application import Application
from applier.cluster import Cluster
from applier.failure import Failure, Kind
from applier.plan import Fields, Plan
from applier.records import Applications
from applier.records_box import LetterBox
from applier.records_fetch import FetchRecord
from applier.records_letters import VERSION, letters_of
from applier.records_status import Event, refusal_of, status_of
from applier.records_wishes import Wishes
from applier.rules import identity
from applier.state import State, Trouble
from stagepass import log
from stagepass.manifest import ObjectId
from stagepass.policy.source import Source

_MAX_NAMED = 20
# A CRD that was made a moment ago is served, and answers 429 until its storage is there.
_PATIENCE, _AGAIN = 30.0, 0.5


class LogReporter:
    """One line for each change; nothing while nothing changes."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[object, ...]] = {}

    def stepped(self, application: Application, state: State) -> None:
        """One line, unless it would say what the last one said."""
        trouble = state.trouble
        said = (
            state.applied,
            state.passed,
            state.release,
            trouble and (trouble.reason, trouble.message, trouble.version, trouble.dead),
        )
        if self._told.get(application.name) == said:
            return
        self._told[application.name] = said
        log.info(
            "application",
            name=application.name,
            applied=state.applied.commit if state.applied else None,
            passed=state.passed.commit if state.passed else None,
            release=str(state.release.digest) if state.release else None,
            reason=trouble.reason.name if trouble else None,
            message=trouble.message if trouble else "",
            objects=list(trouble.objects) if trouble else [],
            dead=trouble is not None and trouble.dead,
        )


@dataclass(frozen=True, slots=True)
class Troubles:
    """What is wrong with a source by itself, None where nothing is. Neither raises."""

    fetch: Callable[[Source], Failure | None]
    heartbeat: Callable[[Source, datetime], Failure | None]


class Recorder:
    """The applier's `Reporter`, and what people want of it (`wishes`). Thread-safe."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        state_of: Callable[[str], State],
        troubles: Troubles,
    ) -> None:
        self._applications = Applications(cluster, namespace)
        self._box = LetterBox(letters_of(cluster, namespace))
        self._fetches = FetchRecord(cluster, namespace)
        self._state_of, self._troubles = state_of, troubles
        self._silent: set[str] = set()
        self._log, self._failed = LogReporter(), ""

    def load(self) -> None:
        """Read everything there is, before the first step. Raises `Failure`."""
        if not self._applications.are_served:
            log.info("applier.no_crds", group=VERSION)
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self._applications.load()
                self._box.load(datetime.now(UTC))
                self._fetches.load()
            except Failure as failure:
                if failure.reason.kind is not Kind.TRANSIENT or time.monotonic() > end:
                    raise
                time.sleep(_AGAIN)
            else:
                return

    def wishes(self, name: str) -> Wishes:
        """What is wanted of an application now."""
        record = self._applications.of(name)
        wishes = record.wishes if record else Wishes()
        return replace(wishes, redriven=self._box.is_redriven(name))

    def is_suspended(self, name: str) -> bool:
        """Whether it is not to be stepped."""
        return self.wishes(name).suspended

    def poll(self, applications: Mapping[str, Application]) -> set[str]:
        """Read the records again; the applications that have to be looked at for it. Never raises."""
        before = {name: self.wishes(name) for name in applications}
        try:
            self._applications.load()
            now = datetime.now(UTC)
            self._box.load(now)
            self._tell_all(applications, now)
            sources = (each.source for each in applications.values())
            self._fetches.note(sources, self._troubles.fetch, now)
        except Failure as failure:
            self._note(failure)
        else:
            self._failed = ""
        for name, application in applications.items():
            is_broken = self._troubles.fetch(application.source) is not None
            metrics.fetching(name, is_broken=is_broken)
        metrics.dead_letters(self._box.open(), applications)
        changed = {name for name, wishes in before.items() if self.wishes(name) != wishes}
        return changed | self._listen(applications, datetime.now(UTC))

    def stepped(self, application: Application, state: State, now: datetime) -> None:
        """See `Reporter`."""
        self._log.stepped(application, state)
        metrics.stepped(application.name, state, now)
        try:
            self._box.look(application.name, state, now)
            record = self._applications.of(application.name)
            if record is not None:
                self._applications.tell(record, status_of(record, state, now), now)
        except Failure as failure:
            self._note(failure)

    def applied(self, application: Application, planned: Plan, *, is_new: bool) -> None:
        """See `Reporter`."""
        if is_new:
            metrics.APPLIES.labels(application.name).inc()
            return
        changed = [ObjectId.of(each) for each in (*planned.create, *planned.update)]
        if changed:
            metrics.CORRECTIONS.labels(application.name).inc(len(changed))
            objects = [identity(each) for each in changed[:_MAX_NAMED]]
            fields = _named(planned.fields or {})
            log.info("application.corrected", name=application.name, objects=objects, fields=fields)

    def drifted(self, application: Application, fields: Fields | None, now: datetime) -> None:
        """See `Reporter`."""
        if not fields:
            return
        metrics.DRIFT.labels(application.name).inc(len(fields))
        named = _named(fields)
        log.info("application.drifted", name=application.name, fields=named)
        said = "; ".join(f"{name}: {', '.join(found) or 'gone'}" for name, found in named.items())
        record = self._applications.of(application.name)
        if record is not None:
            self._applications.announce(record, Event(True, "Drifted", said), now)

    def dead(self, application: Application, trouble: Trouble) -> None:
        """See `Reporter`."""
        letter = self._box.dead(application.name, trouble)
        log.error("dead_letter", name=letter.name, reason=trouble.reason.name, state=letter.state)

    def redriven(self, application: Application, now: datetime) -> None:
        """See `Reporter`."""
        self._box.redriven(application.name, now)
        log.info("dead_letter.redriven", application=application.name)

    def _listen(self, applications: Mapping[str, Application], now: datetime) -> set[str]:
        """Those whose heartbeat stopped, or came back: they need not wait for their next look."""
        missing = {
            name: self._troubles.heartbeat(application.source, now) is not None
            for name, application in applications.items()
            if application.source.heartbeat is not None
        }
        metrics.heartbeats(missing)
        silent = {name for name, is_missing in missing.items() if is_missing}
        changed, self._silent = silent ^ self._silent, silent
        return changed & applications.keys()

    def _tell_all(self, applications: Mapping[str, Application], now: datetime) -> None:
        """Those whose records changed, not their applications."""
        found = self._applications.sorted(applications)
        for record, reason, message in found.refused:
            self._applications.tell(record, refusal_of(record, reason, message, now), now)
        for name, record in found.chosen.items():
            self._applications.tell(record, status_of(record, self._state_of(name), now), now)

    def _note(self, failure: Failure) -> None:
        metrics.RECORDS_FAILED.inc()
        if str(failure) != self._failed:
            self._failed = str(failure)
            log.error("applier.records_failed", error=str(failure))


def _named(fields: Fields) -> dict[str, list[str]]:
    return {
        identity(about): list(paths[:_MAX_NAMED])
        for about, paths in sorted(fields.items())[:_MAX_NAMED]
    }
