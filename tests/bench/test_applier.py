"""The applier's section, run quickly: a real control plane, a real applier, small numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.applier_audit import Audit

ROOT = Path(__file__).parents[2]
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--output", "json", "applier"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    (section,) = json.loads(done.stdout)["sections"]
    assert section["name"] == "applier"
    return {row["measure"]: row for row in section["rows"]}


def _row(rows: Rows, start: str) -> dict[str, Any]:
    (found,) = (row for measure, row in rows.items() if measure.startswith(start))
    return found


@pytest.mark.cluster
def test_each_object_is_applied_once(rows: Rows) -> None:
    asked = _row(rows, "100 ConfigMaps cold: requests")

    assert 100 < asked["ours"] <= 150
    assert asked["met"] is True


@pytest.mark.cluster
def test_all_or_nothing_rehearses_each_object_once(rows: Rows) -> None:
    assert 200 < _row(rows, "100 cold, all-or-nothing: requests")["ours"] <= 250


@pytest.mark.cluster
def test_what_is_unchanged_costs_a_list_and_no_write(rows: Rows) -> None:
    assert _row(rows, "100 unchanged: requests")["met"] is True
    assert _row(rows, "100 unchanged: writes")["ours"] == 0
    assert 1 <= _row(rows, "8 applications, unchanged: requests")["ours"] <= 10


@pytest.mark.cluster
def test_seconds_stand_beside_those_of_raw_applies_and_of_kubectl(rows: Rows) -> None:
    for reference in ("raw", "kubectl"):
        row = _row(rows, f"100 ConfigMaps cold: beside {reference}")
        assert row["ratio"] == pytest.approx(row["ours"] / row["reference"])


def test_requests_are_told_apart_by_who_asked(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(_event("kubectl/v1", "list", 200))
    audit = Audit(log)
    mark = audit.mark()
    events = [
        _event("stagepass-applier", "patch", 201, after=2),
        _event("stagepass-applier", "patch", 409, after=1),
        _event("raw", "patch", 201),
    ]
    with log.open("a") as file:
        file.writelines([*events, '{"cut'])

    found = audit.since(mark, "stagepass")

    assert [(r.code, r.wrote_in("fleet")) for r in found] == [(409, False), (201, True)]
    assert found[1].answered - found[1].received == pytest.approx(0.25)


def _event(agent: str, verb: str, code: int, after: int = 0) -> str:
    event = {
        "userAgent": agent,
        "verb": verb,
        "objectRef": {"resource": "configmaps", "namespace": "fleet", "name": "cm"},
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": f"2026-11-24T10:00:0{after}.500000Z",
        "stageTimestamp": f"2026-11-24T10:00:0{after}.750000Z",
    }
    return json.dumps(event) + "\n"
