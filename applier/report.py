"""Who is told of what happens: the log."""

from __future__ import annotations

from datetime import datetime

from applier.application import Application
from applier.state import State, Trouble
from stagepass import log


class LogReporter:
    """One line for each change; nothing while nothing changes."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[object, ...]] = {}

    def stepped(self, application: Application, state: State, now: datetime) -> None:  # noqa: ARG002
        """See `Reporter`."""
        trouble = state.trouble
        said = (
            state.applied,
            state.passed,
            trouble and (trouble.reason, trouble.message, trouble.version),
        )
        if self._told.get(application.name) == said:
            return
        self._told[application.name] = said
        log.info(
            "application",
            name=application.name,
            applied=state.applied.commit if state.applied else None,
            passed=state.passed.commit if state.passed else None,
            reason=trouble.reason.name if trouble else None,
            message=trouble.message if trouble else "",
            objects=list(trouble.objects) if trouble else [],
        )

    def dead(self, application: Application, trouble: Trouble) -> None:
        """See `Reporter`."""
        log.error("dead_letter", name=application.name, reason=trouble.reason.name)

    def mended(self, application: Application, because: str) -> None:
        """See `Reporter`."""
        log.info("dead_letter.resolved", name=application.name, because=because)
