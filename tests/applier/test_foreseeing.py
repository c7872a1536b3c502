"""When the clock alone changes what the applier decided, and how that is kept and looked up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from applier.application import Application, applications
from applier.deciding import allowed_until, decide
from applier.failure import Failure, Missing, Reason
from applier.foreseeing import Standings
from applier.goal import Goal
from applier.state import State, Trouble, Version
from stagepass.cache import DecisionCache
from stagepass.evidence import DirectorySource
from stagepass.verifier import Verifier
from tests.policy.signed import approval, full_evidence, receipt, shop
from tests.world import (
    DAY,
    DROP,
    HOUR,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    OTHER_IMAGE,
    VULNERABILITIES,
    signed_claim,
    signed_pass,
    stored,
)

FRIDAY = datetime(2026, 11, 27, 15, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, 7, tzinfo=UTC)
VERSION = Version("a" * 40, "b" * 40)
SOURCE = {
    "git": "https://git.example.com/shop.git",
    "ref": "main",
    "path": "production",
    "serviceAccount": {"namespace": "shop", "name": "deployer"},
}


class World:
    """Production's application in prod-eu, over a directory of evidence."""

    def __init__(self, root: Path, changes: dict[str, Any] | None = None) -> None:
        policy = shop({"pipeline.stages.2.source": SOURCE, **(changes or {})})
        self.root, sources = root, [DirectorySource(root)]
        self.verifier = Verifier(policy, sources, DecisionCache())
        self.application: Application = applications(policy, "prod-eu")["shop.production"]

    def refused(self, objects: list[dict[str, Any]], now: datetime) -> Failure:
        with pytest.raises(Failure) as caught:
            decide(self.application, self.verifier, objects, now)
        return caught.value

    def until(self, objects: list[dict[str, Any]], now: datetime) -> datetime | None:
        return allowed_until(self.application, self.verifier, objects, now)


def pod(image: object = IMAGE, name: str = "web") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [{"name": "main", "image": str(image)}]},
    }


def lasting() -> list[bytes]:
    """All that production needs, with approvals that outlive a weekend."""
    return [*full_evidence(), *(approval(who, valid_for=9 * DAY) for who in ("alice", "bob"))]


def test_a_refusal_says_when_the_window_opens_and_what_is_missing(tmp_path: Path) -> None:
    world = World(stored(tmp_path, lasting()))

    failure = world.refused([pod(), pod(name="other")], FRIDAY)

    assert (failure.reason, failure.wakes) == (Reason.NOT_ADMITTED, MONDAY)
    assert failure.missing == (
        Missing(str(IMAGE), "shop", "production", "window", "WINDOW_CLOSED"),
    )


@pytest.mark.parametrize("other", ["no image at all", f"{IMAGE.name}:latest", OTHER_IMAGE])
def test_beside_what_no_clock_mends_nothing_is_foreseen(tmp_path: Path, other: object) -> None:
    world = World(stored(tmp_path, lasting()))

    assert world.refused([pod(), pod(other, "other")], FRIDAY).wakes is None


def test_what_a_cache_admitted_must_be_admitted_at_the_same_moment(tmp_path: Path) -> None:
    """The one ends before the other begins: never both, whatever the second waits for."""
    world = World(tmp_path, {"pipeline.stages.2.windows": DROP, "pipeline.stages.2.requires": DROP})
    needs = [signed_claim(VULNERABILITIES, "scanner")]
    short = [signed_pass("test", valid_for=3 * HOUR), signed_pass("staging"), *needs]
    stored(tmp_path, short)
    ahead = [signed_pass("staging", digest=OTHER_DIGEST, at=NOW + 4 * HOUR)]
    more = signed_claim(VULNERABILITIES, "scanner", digest=OTHER_DIGEST)
    stored(tmp_path, [signed_pass("test", digest=OTHER_DIGEST), more, *ahead], OTHER_DIGEST)
    late = NOW + 4 * HOUR - timedelta(minutes=5)

    assert world.refused([pod(OTHER_IMAGE)], NOW).wakes == late
    assert decide(world.application, world.verifier, [pod()], NOW).native
    assert world.refused([pod(), pod(OTHER_IMAGE, "other")], NOW).wakes is None


def test_a_running_version_is_admitted_until_its_receipt_ends(tmp_path: Path) -> None:
    world = World(stored(tmp_path, full_evidence()))

    assert world.until([pod()], NOW) == FRIDAY
    stored(tmp_path, [receipt(entered=NOW, expires=NOW + 30 * DAY)])
    assert world.until([pod()], NOW) == NOW + 30 * DAY
    assert world.until([pod(OTHER_IMAGE)], NOW) == NOW
    assert world.until([], NOW) is None


def test_evidence_of_what_runs_is_looked_up_soon_and_then_hourly(tmp_path: Path) -> None:
    """A receipt that was just stored may be too new for a registry's listing."""
    world, standings = World(stored(tmp_path, full_evidence())), Standings()
    state = State(applied=VERSION)

    def look(now: datetime) -> datetime | None:
        nonlocal state
        found = standings.until(world.application, world.verifier, state, [pod()], now)
        state = State(applied=VERSION, admitted_until=found)
        return found

    assert look(NOW) == FRIDAY
    stored(tmp_path, [receipt(entered=NOW, expires=NOW + 20 * DAY)])
    assert look(NOW + timedelta(seconds=9)) == FRIDAY
    assert look(NOW + timedelta(seconds=10)) == NOW + 20 * DAY
    stored(tmp_path, [receipt(entered=NOW, expires=NOW + 30 * DAY)])
    assert look(NOW + HOUR) == NOW + 20 * DAY
    assert look(NOW + HOUR + timedelta(seconds=10)) == NOW + 30 * DAY
    ended = NOW + 31 * DAY
    assert look(ended) == look(ended + DAY) == NOW + 30 * DAY, "refused since then"


def test_the_first_of_all_versions_that_wait_is_woken_for() -> None:
    def waits(wakes: datetime | None) -> tuple[Version, Failure]:
        return VERSION, Failure(Reason.NOT_ADMITTED, "", wakes=wakes)

    later = (waits(NOW + DAY), waits(NOW + HOUR))
    assert Goal(None, problem=waits(None), waiting=later).wakes == NOW + HOUR
    assert Goal(None, problem=waits(NOW), waiting=later).wakes == NOW
    assert Goal(None, problem=waits(None)).wakes is None
    assert Goal(None).wakes is None


def test_a_state_keeps_what_is_missing_and_until_when_it_is_admitted() -> None:
    lacking = Missing(str(IMAGE), "shop", "production", "window", "WINDOW_CLOSED")
    failure = Failure(Reason.NOT_ADMITTED, "closed", wakes=NOW, missing=[lacking])
    state = State(
        admitted_until=NOW, trouble=Trouble.of(failure, VERSION, NOW, None), applied=VERSION
    )

    assert State.from_json(state.to_json()) == state
    older = state.to_json().replace('"missing":', '"lacking":').replace("admittedUntil", "ended")
    read = State.from_json(older)
    assert (read.admitted_until, read.trouble and read.trouble.missing) == (None, ())
