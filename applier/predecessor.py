"""When a version entered, by the receipt of another key of the stage: how this cluster's key is rotated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from applier.application import Application
from applier.failure import Failure, Reason
from stagepass.digest import ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline, EvidenceSource
from stagepass.policy.model import PolicySet
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.environment import Environment
from stagepass.receipts import renew

_SECONDS = 30.0


def entered_before(
    application: Application,
    policy: PolicySet,
    image: ImageRef,
    place: Environment,
    sources: Sequence[EvidenceSource],
    now: datetime,
) -> datetime | None:
    """
    None where no valid receipt says so.

    Without it a new key would date the entry of what runs to today, and a window, an age or an expiry
    would then keep it from restarting. Raises `Failure`.
    """
    try:
        found = renew(
            policy,
            application.pipeline.name,
            application.stage,
            image,
            place,
            sources,
            now=now,
            valid_for=timedelta(days=1),
            deadline=Deadline.after(_SECONDS),
        )
    except Unavailable as error:
        raise Failure(Reason.SIGNING_FAILED, f"cannot look for a receipt: {error}") from error
    return found.entered if isinstance(found, StageEntered) else None
