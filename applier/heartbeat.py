"""
Whether a Git server shows all there is: a signed, dated commit says which head its writer saw.

A server that withholds commits looks like a quiet one (the freeze attack of TUF). It cannot sign, so
the heartbeat it serves grows old; and a newer one gives it away, since its parent is not in the head.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from applier.failure import Failure, Reason
from applier.git import CommitSigners, Mirror
from applier.git_signatures import split, verify
from applier.repositories import Repositories
from stagepass.clock import format_time
from stagepass.policy.source import Heartbeat, Source

AHEAD = timedelta(minutes=5)
"""How far the clock of who writes it may be ahead of ours."""
_MAX_KNOWN = 1000
_SHORT = 12
_K = TypeVar("_K")
_V = TypeVar("_V")
# All of its header but the signature: no second parent, and nothing that only some reader would see.
_HEADER = re.compile(
    rb"tree ([0-9a-f]{40}|[0-9a-f]{64})\nparent ([0-9a-f]{40}|[0-9a-f]{64})\n"
    rb"author [^\n]*\ncommitter [^\n]*> ([0-9]{1,11}) [-+][0-9]{4}"
)


@dataclass(frozen=True, slots=True)
class Beat:
    """What a signed heartbeat says: at `time`, `parent` was the head."""

    commit: str
    parent: str
    time: datetime


class Heartbeats:
    """Judges the heartbeats that were fetched with the heads. Thread-safe."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories
        self._beats: dict[tuple[str, str, str, CommitSigners], Beat | Failure] = {}
        self._agreed: dict[tuple[str, str, str], bool] = {}
        self._lock = threading.Lock()

    def check(self, source: Source, now: datetime) -> None:
        """
        Returns where the head is the newest there was not long ago, or where policy does not ask.

        Raises HEARTBEAT_MISSING; another `Failure` where it could not be found out.
        """
        wanted = source.heartbeat
        if wanted is None:
            return
        commit = self._repositories.beat(source.git, wanted.ref)
        if commit is None:
            raise _missing(f"{source.git}: there is no commit at {wanted.ref}")
        beat = self._read(source, wanted, commit)
        name = f"{wanted.ref} {beat.commit[:_SHORT]} of {format_time(beat.time)}"
        if beat.time > now + AHEAD:
            raise _missing(f"{name} is of a time to come", wakes=beat.time - AHEAD)
        newest = self._repositories.newest_beat(source.git, wanted.ref, beat.time)
        if beat.time < newest:
            raise _missing(f"{name} is older than one that was seen, of {format_time(newest)}")
        if beat.time < now - wanted.max_age:
            raise _missing(f"{name} counted until {format_time(beat.time + wanted.max_age)}")
        if not self._agrees(source, beat):
            message = f"{name} was written on {beat.parent[:_SHORT]}"
            raise _missing(f"{message}, which the server does not give as part of {source.ref}")

    def trouble(self, source: Source, now: datetime) -> Failure | None:
        """What `check` would raise of its own; None while it cannot be found out."""
        try:
            self.check(source, now)
        except Failure as failure:
            return failure if failure.reason is Reason.HEARTBEAT_MISSING else None
        return None

    def _read(self, source: Source, wanted: Heartbeat, commit: str) -> Beat:
        """Its signature is verified once: two processes each time."""
        signers = _signers(source, wanted)
        key = (source.git, source.ref, commit, signers)
        known = self._beats.get(key)
        if known is None:
            mirror = self._repositories.mirror(source.git)
            try:
                known = read(mirror, commit, source.ref, signers)
            except Failure as failure:
                if failure.reason is not Reason.HEARTBEAT_MISSING:
                    raise
                known = failure
            with self._lock:
                _keep(self._beats, key, known)
        if isinstance(known, Failure):
            raise known
        return known

    def _agrees(self, source: Source, beat: Beat) -> bool:
        """Whether its parent is the head that was taken, or before it."""
        head = self._repositories.known_head(source)
        if head is None:
            return False
        key = (source.git, beat.commit, head)
        known = self._agreed.get(key)
        if known is None:
            known = self._repositories.mirror(source.git).descends(head, beat.parent)
            with self._lock:
                _keep(self._agreed, key, known)
        return known


def read(mirror: Mirror, commit: str, ref: str, signers: CommitSigners) -> Beat:
    """
    A commit as a heartbeat for `ref`: signed, empty, of one parent, its message `heartbeat REF`.

    Without the message, any signed commit of a branch that forked at a withheld head would do, and so
    would the heartbeat of a branch that lags behind. Raises HEARTBEAT_MISSING, GIT_UNAVAILABLE.
    """
    name = commit[:_SHORT]
    try:
        raw = mirror.raw(commit)
        verify(raw, signers)
        payload, _ = split(raw)
        header, _, message = payload.partition(b"\n\n")
        said = _HEADER.fullmatch(header)
        if said is None or message.strip() != f"heartbeat {ref}".encode():
            raise _missing(f"{name} is no commit with one parent and the message 'heartbeat {ref}'")
        tree, parent = said[1].decode(), said[2].decode()
        if mirror.tree_of(parent, ".") != tree:
            raise _missing(f"{name} is not empty: its tree is not its parent's")
    except Failure as failure:
        if failure.reason in (Reason.HEARTBEAT_MISSING, Reason.GIT_UNAVAILABLE):
            raise
        raise _missing(f"{name} is no heartbeat: {failure.message}") from failure
    return Beat(commit, parent, datetime.fromtimestamp(int(said[3]), UTC))


def _signers(source: Source, wanted: Heartbeat) -> CommitSigners:
    if wanted.ssh_signers is None and wanted.gpg_signers is None:
        return CommitSigners(source.ssh_signers, source.gpg_signers)
    return CommitSigners(wanted.ssh_signers, wanted.gpg_signers)


def _missing(message: str, wakes: datetime | None = None) -> Failure:
    return Failure(Reason.HEARTBEAT_MISSING, message, wakes=wakes)


def _keep(known: dict[_K, _V], key: _K, value: _V) -> None:
    while len(known) >= _MAX_KNOWN:
        del known[next(iter(known))]
    known[key] = value
