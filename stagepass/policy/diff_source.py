"""What changed about `stages[].source`: what the applier may apply, and as whom."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stagepass.clock import format_duration
from stagepass.policy.diff_rules import (
    Both,
    Change,
    Demand,
    Effect,
    Items,
    Other,
    Scale,
    Table,
    walk,
)
from stagepass.policy.source import Heartbeat, ServiceAccount, Source


def _account(value: ServiceAccount) -> str:
    return f"{value.namespace}/{value.name}"


def _signers(value: bytes) -> str:
    return f"{len(value.splitlines())} lines"


def _kind(value: tuple[str, str]) -> str:
    group, kind = value
    return f"{kind}.{group}" if group else kind


def _kinds(values: Collection[tuple[str, str]]) -> str:
    return ", ".join(sorted(map(_kind, values)))


def _rule(value: bool) -> str:
    return "all-or-nothing" if value else "what-can-be"


def _sandbox(value: bool) -> str:
    return "required" if value else "none"


HEARTBEAT: Table = {
    "ref": Other("heartbeat.ref"),
    "max_age": Scale("heartbeat.maxAge", Effect.LOOSER, format_duration),
    "ssh_signers": Other("heartbeat.signers.ssh", _signers),
    "gpg_signers": Other("heartbeat.signers.gpg", _signers),
}


def _heartbeat(
    both: Both, where: str, old: Heartbeat | None, new: Heartbeat | None
) -> Iterator[Change]:
    """A server that withholds commits is noticed with one alone."""
    if old and new:
        yield from walk(HEARTBEAT, both, where, old, new)
    else:
        yield from Demand("heartbeat", lambda value: value.ref)(both, where, old, new)


SOURCE: Table = {
    "git": Other("git"),
    "ref": Other("ref"),
    "path": Other("path"),
    "root": Other("root"),
    "account": Other("serviceAccount", _account),
    "ssh_signers": Other("commitSigners.ssh", _signers),
    "gpg_signers": Other("commitSigners.gpg", _signers),
    "all_or_nothing": Scale("apply", Effect.STRICTER, _rule),
    "cluster_kinds": Items("clusterScoped", Effect.LOOSER, _kind),
    "takeover": Items("takeover", Effect.LOOSER),
    "needs_sandbox": Scale("sandbox", Effect.STRICTER, _sandbox),
    "heartbeat": _heartbeat,
}


def sources(both: Both, where: str, old: Source | None, new: Source | None) -> Iterator[Change]:
    """Of one stage. A source admits nothing by itself, so gaining one is neither stricter nor looser."""
    if old and new:
        yield from walk(SOURCE, both, f"{where}, source", old, new)
    elif new:
        yield Change(where, Effect.CHANGED, f"the applier applies {new.path or '.'} of {new.git}")
    elif old:
        yield Change(
            where, Effect.CHANGED, f"the applier no longer applies {old.path or '.'} of {old.git}"
        )
