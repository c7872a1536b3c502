"""`Application` objects as data: which counts, what it asks for, and the status it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from applier.failure import Failure, Kind, Reason
from applier.health import Status, health
from applier.records_status import events, is_news, refusal_of, status_of
from applier.records_wishes import HealthCheck, Record, sort
from applier.state import State, Trouble, Version

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
GOOD, NEW = Version("a" * 40, "b" * 40), Version("c" * 40, "d" * 40)
WELL = State(applied=GOOD, applied_at=NOON, healthy_since=NOON, passed=GOOD, passed_at=NOON)


def item(name: str = "one", created: str = "2026-11-01T00:00:00Z", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "stagepass.dev/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "uid": name, "creationTimestamp": created, "generation": 3},
        "spec": {"pipeline": "shop", "stage": "test", **spec},
    }


def troubled(reason: Reason, version: Version = NEW, **changes: Any) -> State:
    trouble = Trouble.of(Failure(reason, "why", objects=["core/Pod/shop/x"]), version, NOON, None)
    return replace(WELL, trouble=replace(trouble, **changes))


def told(state: State, **spec: Any) -> dict[str, str]:
    """Condition → status."""
    status = status_of(Record.of(item(**spec)), state, NOON)
    return {each["type"]: each["status"] for each in status["conditions"]}


def test_the_oldest_counts_and_a_tie_goes_by_name() -> None:
    records = [
        Record.of(item("z", "2026-10-01T00:00:00Z")),
        Record.of(item("b")),
        Record.of(item("a")),
    ]
    found = sort(records, {"shop.test"})
    assert found.chosen["shop.test"].name == "z"
    assert {(r.name, why) for r, why, _ in found.refused} == {
        ("a", Reason.DUPLICATE_APPLICATION),
        ("b", Reason.DUPLICATE_APPLICATION),
    }
    assert sort(records[1:], {"shop.test"}).chosen["shop.test"].name == "a"


def test_a_stage_without_a_source_here_is_refused() -> None:
    found = sort([Record.of(item())], {"shop.production"})
    assert not found.chosen
    assert [why for _, why, _ in found.refused] == [Reason.SOURCE_MISSING]


def test_wishes_are_read_and_bounded() -> None:
    check = {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "x"}
    wishes = Record.of(item(suspend=True, interval="2m", healthChecks=[check])).wishes
    assert wishes.suspended
    assert wishes.interval == timedelta(minutes=2)
    assert wishes.checks == (HealthCheck("v1", "Pod", "shop", "x"),)
    assert Record.of(item(interval="1s")).wishes.interval == timedelta(seconds=5)
    assert Record.of(item(interval="9h")).wishes.interval == timedelta(hours=1)
    assert Record.of(item(interval="soon")).wishes.interval is None
    assert Record.of(item(suspend="what")).wishes.suspended  # in doubt, nothing is done


@pytest.mark.parametrize(
    ("state", "ready", "reconciling", "stalled", "passed"),
    [
        (WELL, True, False, False, True),
        (State(), False, True, False, False),
        (troubled(Reason.NOT_ADMITTED), True, False, False, True),
        (troubled(Reason.SOAKING, GOOD), True, False, False, True),
        (troubled(Reason.PROGRESSING), False, True, False, True),
        (troubled(Reason.HEARTBEAT_MISSING), False, True, False, True),
        (troubled(Reason.CONFLICT), False, True, False, True),
        (troubled(Reason.CONFLICT, dead=True), False, False, True, True),
        (replace(WELL, passed=None), True, False, False, False),
    ],
)
def test_conditions(
    state: State,
    ready: bool,
    reconciling: bool,
    stalled: bool,
    passed: bool,
) -> None:
    assert told(state) == {
        "Ready": str(ready),
        "Reconciling": str(reconciling),
        "Stalled": str(stalled),
        "Passed": str(passed),
    }


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (WELL, Status.CURRENT),
        (troubled(Reason.PROGRESSING), Status.IN_PROGRESS),
        (troubled(Reason.CONFLICT, dead=True), Status.FAILED),
    ],
)
def test_kstatus_understands_them(state: State, status: Status) -> None:
    found = item()
    assert health({**found, "status": status_of(Record.of(found), state, NOON)}).status is status


def test_suspended_is_neither_ready_nor_stalled() -> None:
    found = told(WELL, suspend=True)
    assert (found["Ready"], found["Reconciling"], found["Stalled"]) == ("False", "False", "False")


def test_the_same_state_is_no_news_and_a_transition_keeps_its_time() -> None:
    first = status_of(Record.of(item()), WELL, NOON)
    record = replace(Record.of(item()), status=first)
    second = status_of(record, WELL, LATER)
    assert second == first
    assert not is_news(first, second)
    worse = status_of(record, troubled(Reason.CONFLICT), LATER)
    times = {c["type"]: c["lastTransitionTime"] for c in worse["conditions"]}
    assert times["Ready"] == "2026-11-02T12:05:00Z"
    assert times["Stalled"] == "2026-11-02T12:00:00Z"
    assert is_news(first, worse)


def test_counting_replicas_is_no_news() -> None:
    def progress(message: str) -> dict[str, Any]:
        state = troubled(Reason.PROGRESSING, message=message)
        return status_of(Record.of(item()), state, NOON)

    assert not is_news(progress("1 of 3"), progress("2 of 3"))


def test_a_try_again_is_no_news() -> None:
    def tried(attempts: int) -> dict[str, Any]:
        retry = NOON + timedelta(seconds=attempts)
        state = troubled(Reason.API_UNAVAILABLE, attempts=attempts, last=retry, retry=retry)
        return status_of(Record.of(item()), state, NOON)

    assert not is_news(tried(1), tried(2))


def test_a_changed_spec_is_news() -> None:
    first = status_of(Record.of(item()), WELL, NOON)
    newer = replace(Record.of(item()), generation=4, status=first)
    assert is_news(first, status_of(newer, WELL, LATER))


def test_events_tell_changes_once() -> None:
    record = Record.of(item())
    waiting = status_of(record, troubled(Reason.NOT_ADMITTED), NOON)
    given_up = status_of(record, troubled(Reason.CONFLICT, dead=True), NOON)

    first = events({}, status_of(record, WELL, NOON))
    assert [(e.reason, e.message) for e in first] == [
        ("Applied", GOOD.commit),
        ("Passed", GOOD.commit),
    ]
    assert [(e.reason, e.warning) for e in events(waiting, given_up)] == [("CONFLICT", True)]
    silent = status_of(record, troubled(Reason.HEARTBEAT_MISSING), NOON)
    assert [(e.reason, e.warning) for e in events(waiting, silent)] == [("HEARTBEAT_MISSING", True)]
    assert events(given_up, given_up) == []
    assert events(waiting, status_of(record, troubled(Reason.PROGRESSING), NOON)) == []


def test_a_refusal_stalls() -> None:
    status = refusal_of(Record.of(item()), Reason.DUPLICATE_APPLICATION, "two is older", NOON)
    assert health({**item(), "status": status}).status is Status.FAILED
    assert Reason.DUPLICATE_APPLICATION.kind is Kind.BLOCKED
