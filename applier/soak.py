"""Soak: health without a gap. A loss starts it again, for the release or for one digest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from applier.ran import Ran
from stagepass.digest import Digest
from stagepass.manifest import ObjectId

_MAX_KEPT = 100
# So many Pods of a digest are written down: which they were matters to nobody, how often they fell does.


@dataclass(frozen=True, slots=True)
class Seen:
    """
    One digest over all looks since `since`, without a gap.

    `ready` is the least number of ready Pods in any look; `pods` the most restarts of each Pod
    that was ever seen; `finished` the Pods that ran it to a good end, which no later look undoes.
    """

    digest: Digest
    since: datetime
    objects: frozenset[ObjectId]
    ready: int
    pods: Mapping[str, int]
    finished: frozenset[str]

    @property
    def restarts(self) -> int:
        """Over all Pods, those replaced included."""
        return sum(self.pods.values())


@dataclass(frozen=True, slots=True)
class Soak:
    """`since` is when health began, None while there is none; `seen` holds what ran since then."""

    since: datetime | None = None
    last: datetime | None = None
    seen: Mapping[Digest, Seen] = field(default_factory=dict)

    def looked(
        self, now: datetime, healthy: bool, found: Mapping[Digest, Ran], *, gap: timedelta
    ) -> Soak:
        """
        After one more look. Health that nobody looked at for longer than `gap` is not known to have lasted.

        A clock that went backwards starts again, too.
        """
        if not healthy:
            return Soak(last=now, seen=_ended(self.seen, found, now))
        lasted = self.since is not None and self.last is not None and timedelta() <= now - self.last
        if not lasted or self.since is None or self.last is None or now - self.last > gap:
            kept = _ended(self.seen, {}, now)
            return Soak(
                now, now, {**kept, **{d: _merged(kept.get(d), found[d], now) for d in found}}
            )
        missing = {d: replace(old, ready=0) for d, old in self.seen.items() if d not in found}
        seen = {d: _merged(self.seen.get(d), each, now) for d, each in found.items()}
        return Soak(self.since, now, {**missing, **seen})

    def kept(self) -> Soak:
        """Without the time of the last look, and of each digest the Pods with the most restarts."""
        return Soak(self.since, None, {d: _cut(each) for d, each in self.seen.items()})

    def to_json(self) -> dict[str, Any]:
        """Everything but the time of the last look."""
        rows = [_row(each) for each in sorted(self.seen.values(), key=lambda each: each.digest.hex)]
        return {"since": self.since.isoformat() if self.since else None, "seen": rows}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Soak:
        """Raises `KeyError`, `TypeError` or `ValueError`."""
        since = datetime.fromisoformat(value["since"]) if value["since"] is not None else None
        seen = [_seen(row) for row in value["seen"]]
        return cls(since, None, {each.digest: each for each in seen})

    def ends(self, soak: timedelta) -> datetime | None:
        """When it will have lasted, if nothing is lost; None while there is no health."""
        return None if self.since is None else self.since + soak

    def is_over(self, now: datetime, soak: timedelta) -> bool:
        """Whether health has lasted for `soak`, up to the last look and no later than `now`."""
        if self.since is None or self.last is None:
            return False
        return min(self.last, now) - self.since >= soak

    def passing(self) -> dict[Digest, Seen]:
        """
        What may be signed for: what was ready in every look since health began.

        What only ran to its end (Jobs) did so once and for all, also before health began.
        """
        return {
            digest: each
            for digest, each in self.seen.items()
            if (each.ready > 0 and each.since == self.since if each.pods else each.finished)
        }


def _cut(seen: Seen) -> Seen:
    most = sorted(seen.pods.items(), key=lambda pod: (-pod[1], pod[0]))[:_MAX_KEPT]
    return replace(seen, pods=dict(most), finished=frozenset(sorted(seen.finished)[:_MAX_KEPT]))


def _row(seen: Seen) -> dict[str, Any]:
    return {
        "digest": str(seen.digest),
        "since": seen.since.isoformat(),
        "objects": [[o.group, o.kind, o.namespace, o.name] for o in sorted(seen.objects)],
        "ready": seen.ready,
        "pods": dict(seen.pods),
        "finished": sorted(seen.finished),
    }


def _seen(row: Mapping[str, Any]) -> Seen:
    return Seen(
        digest=Digest.parse(row["digest"]),
        since=datetime.fromisoformat(row["since"]),
        objects=frozenset(ObjectId(*each) for each in row["objects"]),
        ready=int(row["ready"]),
        pods={str(uid): int(count) for uid, count in row["pods"].items()},
        finished=frozenset(map(str, row["finished"])),
    )


def _ended(
    seen: Mapping[Digest, Seen], found: Mapping[Digest, Ran], now: datetime
) -> dict[Digest, Seen]:
    """What outlives a loss of health: what ran to a good end, without any Pod that served."""
    both = {**seen, **{d: _merged(seen.get(d), each, now) for d, each in found.items()}}
    return {d: replace(each, ready=0, pods={}) for d, each in both.items() if each.finished}


def _merged(old: Seen | None, new: Ran, now: datetime) -> Seen:
    """`old` and one more look. A digest whose first Pod comes later was not there from the start."""
    if old is None:
        return Seen(new.digest, now, new.objects, new.ready, dict(new.pods), new.finished)
    lost = bool(new.pods) and (not old.pods or old.ready == 0)
    pods = {**old.pods, **{u: max(n, old.pods.get(u, 0)) for u, n in new.pods.items()}}
    return Seen(
        digest=new.digest,
        since=now if lost else old.since,
        objects=old.objects | new.objects,
        ready=new.ready if lost else min(old.ready, new.ready),
        pods=pods,
        finished=old.finished | new.finished,
    )
