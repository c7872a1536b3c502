"""`status`: where the version of each application is, what it waits for, and until when."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from applier.cluster import Cluster
from applier.commands_show import print_json, print_table
from applier.failure import Kind, Reason
from applier.records import Applications
from applier.records_fetch import FetchRecord
from applier.records_letters import letters_of
from applier.records_status import is_ready, release_of
from applier.state import State, Version
from applier.store import StateStore
from stagepass.clock import format_time

_SHORT = 12
_HEADINGS = (
    "APPLICATION",
    "READY",
    "APPLY",
    "APPLIED",
    "RELEASE",
    "HEALTHY SINCE",
    "ADMITTED UNTIL",
    "PASSED",
    "WAITS FOR",
    "SINCE",
    "UNTIL",
)


def status(chosen: argparse.Namespace) -> int:
    """0: all are ready; 1: one is not; 2: of one it could not be found out."""
    cluster = Cluster.connect(chosen.kubeconfig)
    store = StateStore(cluster, chosen.namespace)
    store.load()
    records = Applications(cluster, chosen.namespace)
    records.load()
    letters = Counter(
        e.application for e in letters_of(cluster, chosen.namespace).all() if e.is_open
    )
    rows = []
    for name in store.names():
        record = records.of(name)
        suspended = record is not None and record.wishes.suspended
        rows.append(_row(name, store.get(name), suspended=suspended, letters=letters[name]))
    fetches = list(FetchRecord(cluster, chosen.namespace).load().values())
    if chosen.output == "json":
        for row in rows:
            print_json(row)
        for fetch in fetches:
            print_json({"fetch": fetch})
    else:
        _print(rows, fetches)
    return _exit_code(rows)


def _row(name: str, state: State, *, suspended: bool, letters: int) -> dict[str, Any]:
    return {
        "application": name,
        "ready": is_ready(state) and not suspended,
        "suspended": suspended,
        "applied": _version(state.applied, state.applied_at),
        "release": release_of(state),
        "unreleased": state.unreleased or None,
        "healthySince": _time(state.healthy_since),
        "admittedUntil": _time(state.admitted_until),
        "ran": sorted(str(digest) for digest in state.soak.seen),
        "passed": _version(state.passed, state.passed_at),
        "waiting": _waiting(state),
        "deadLetters": letters,
        "apply": state.apply or None,
        "superseded": [entry.to_document() for entry in state.superseded],
    }


def _version(version: Version | None, at: datetime | None) -> dict[str, Any] | None:
    if version is None:
        return None
    found = {"commit": version.commit, "tree": version.tree, "subject": version.subject}
    return {**found, "at": _time(at)}


def _waiting(state: State) -> dict[str, Any] | None:
    trouble = state.trouble
    if trouble is None:
        return None
    return {
        "reason": trouble.reason.name,
        "phase": str(trouble.reason.phase),
        "class": str(trouble.reason.kind),
        "message": trouble.message,
        "objects": list(trouble.objects),
        "missing": [each.to_document() for each in trouble.missing],
        "commit": trouble.version.commit,
        "attempts": trouble.attempts,
        "since": _time(trouble.first),
        "until": _time(trouble.retry),
        "dead": trouble.dead,
    }


def _print(rows: list[dict[str, Any]], fetches: list[Mapping[str, Any]]) -> None:
    print_table(_HEADINGS, [_cells(row) for row in rows])
    if fetches:
        print_table(
            ("REPOSITORY", "REF", "CANNOT BE FETCHED", "SINCE"),
            [(f["url"], f["ref"], f"{f['reason']}: {f['message']}", f["since"]) for f in fetches],
        )


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    waiting = row["waiting"] or {}
    why = f"{waiting['reason']}: {waiting['message']}" if waiting else ""
    if waiting.get("dead"):
        why = f"given up after {waiting['attempts']}: {why}"
    if row["suspended"]:
        why = f"{Reason.SUSPENDED.name}; {why}" if why else Reason.SUSPENDED.name
    return (
        row["application"],
        "yes" if row["ready"] else "no",
        row["apply"] or "",
        _commit(row["applied"]),
        _release(row),
        row["healthySince"] or "",
        row["admittedUntil"] or "",
        _commit(row["passed"]),
        why,
        waiting.get("since") or "",
        waiting.get("until") or "",
    )


def _commit(version: Mapping[str, str] | None) -> str:
    return version["commit"][:_SHORT] if version else ""


def _release(row: Mapping[str, Any]) -> str:
    """The digest's first digits; "none" where the stage looks for one and there is none."""
    if row["release"] is not None:
        return str(row["release"]["digest"].partition(":")[2][:_SHORT])
    return "none" if row["unreleased"] else ""


def _exit_code(rows: list[dict[str, Any]]) -> int:
    """The worst: 1, then 2, then 0."""
    worst = 0
    for row in rows:
        if not row["ready"]:
            waiting = row["waiting"] or {}
            unknown = waiting.get("class") == Kind.TRANSIENT and not row["suspended"]
            worst = 1 if worst == 1 or not unknown else 2
    return worst


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
