"""
The repositories that policy names: fetched apart from everything else, and only ever forward.

A Git server that hangs holds a fetching thread and nothing more; what was fetched before stays usable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from applier.failure import Failure, Reason
from applier.git import GitCredentials, Mirror, Ref
from stagepass.clock import format_time, parse_time
from stagepass.policy.source import Source

_FETCH_SECONDS = 120.0
Seen = Mapping[tuple[str, str], str]
"""
(URL, full ref) -> the newest commit that was ever taken from it; and (URL, full ref + " heartbeat"),
which is the name of no ref, -> the time of the newest heartbeat.
"""


@dataclass(frozen=True, slots=True)
class _Head:
    commit: str | None
    failure: Failure | None


class Repositories:
    """
    Mirrors by URL and heads by (URL, ref). Thread-safe.

    `seen` are the heads of an earlier run, `remember` keeps new ones across the next: a ref that was
    moved back while nobody looked must not be taken for new.
    """

    def __init__(
        self,
        directory: Path,
        credentials: Callable[[str], GitCredentials],
        seen: Seen,
        remember: Callable[[Seen], None],
        *,
        allow_file: bool = False,
    ) -> None:
        self._directory, self._credentials = directory, credentials
        self._seen, self._remember, self._allow_file = dict(seen), remember, allow_file
        self._mirrors: dict[str, Mirror] = {}
        self._heads: dict[tuple[str, str], _Head] = {}
        self._beats: dict[tuple[str, str], str | None] = {}
        self._trees: dict[tuple[str, str, str], str] = {}
        self._lock = threading.Lock()
        self._remembering = threading.Lock()

    def mirror(self, url: str) -> Mirror:
        """The mirror of `url`, fetched or not. Raises `Failure` for a URL that may not be asked."""
        with self._lock:
            found = self._mirrors.get(url)
            if found is None:
                found = Mirror(
                    url, self._directory, self._credentials(url), allow_file=self._allow_file
                )
                self._mirrors[url] = found
            return found

    def fetch(self, url: str, refs: frozenset[str], beats: frozenset[str] = frozenset()) -> bool:
        """
        Bring `refs` and the refs of heartbeats up to date; whether one of `refs` moved, or failed
        otherwise than before. Never raises.
        """
        before = {ref: self._heads.get((url, ref)) for ref in refs}
        found: dict[str, str | None] = {}
        try:
            mirror = self.mirror(url)
            mirror.fetch([_ref(name) for name in sorted(refs | beats)], timeout=_FETCH_SECONDS)
        except Failure as failure:
            after = {ref: _Head(self._usable(url, ref), failure) for ref in refs}
        else:
            after = {ref: self._look(mirror, url, ref) for ref in refs}
            found = {ref: _present(mirror, ref) for ref in beats}
        with self._lock:
            self._heads.update({(url, ref): head for ref, head in after.items()})
            self._beats.update({(url, ref): commit for ref, commit in found.items()})
        return any(_told(before[ref]) != _told(after[ref]) for ref in refs)

    def head(self, source: Source) -> str:
        """The commit to go by. Raises `Failure`: why there is none that may be used."""
        head = self._heads.get((source.git, source.ref))
        if head is None:
            raise Failure(Reason.GIT_UNAVAILABLE, f"{source.git} was not fetched yet")
        if head.failure is not None and (
            head.commit is None or head.failure.reason is not Reason.GIT_UNAVAILABLE
        ):
            raise head.failure
        if head.commit is None:
            raise Failure(Reason.REF_MISSING, f"{source.git}: there is no commit at {source.ref}")
        return head.commit

    def known_head(self, source: Source) -> str | None:
        """The newest commit that was taken, also where `head` says that it may not be used."""
        head = self._heads.get((source.git, source.ref))
        return head.commit if head else None

    def beat(self, url: str, ref: str) -> str | None:
        """The commit at a heartbeat's ref, None where there is none. Raises GIT_UNAVAILABLE."""
        try:
            return self._beats[url, ref]
        except KeyError:
            text = f"{url}: {ref} was not fetched yet"
            raise Failure(Reason.GIT_UNAVAILABLE, text) from None

    def newest_beat(self, url: str, ref: str, time: datetime) -> datetime:
        """The time of the newest heartbeat ever, with this one. Raises `Failure`: it cannot be kept."""
        key = (url, f"{ref} heartbeat")
        with self._remembering:
            last = self._seen.get(key)
            newest = max(time, parse_time(last)) if last else time
            self._write(key, format_time(newest))
        return newest

    def tree(self, source: Source, commit: str) -> str:
        """The tree of the source's root there; asked of Git once. Raises PATH_MISSING."""
        key = (source.git, commit, source.root or ".")
        found = self._trees.get(key)
        if found is None:
            found = self.mirror(source.git).tree_of(commit, key[2])
            with self._lock:
                self._trees[key] = found
        return found

    def known_tree(self, source: Source) -> str | None:
        """The tree at the head, where that is known without asking Git."""
        head = self._heads.get((source.git, source.ref))
        if head is None or head.commit is None:
            return None
        return self._trees.get((source.git, head.commit, source.root or "."))

    def look_at(self, url: str, ref: str, roots: Collection[str]) -> None:
        """Find the trees of many roots at the head with one call to Git: 5 ms each, one by one."""
        head = self._heads.get((url, ref))
        if head is None or head.commit is None:
            return
        found = self.mirror(url).trees_of(head.commit, [root or "." for root in roots])
        with self._lock:
            self._trees = {k: t for k, t in self._trees.items() if k[1] in self._current()}
            self._trees |= {(url, head.commit, root): tree for root, tree in found.items()}

    def _current(self) -> set[str | None]:
        return {head.commit for head in self._heads.values()}

    def trouble(self, source: Source) -> Failure | None:
        """What went wrong at the last fetch, also where an older head is still usable."""
        head = self._heads.get((source.git, source.ref))
        return head.failure if head else None

    def _usable(self, url: str, ref: str) -> str | None:
        known = self._heads.get((url, ref))
        return known.commit if known else None

    def _look(self, mirror: Mirror, url: str, ref: str) -> _Head:
        """The head as fetched, unless it went back: then the failure, and the last good one."""
        key, last = (url, ref), self._seen.get((url, ref))
        try:
            commit = mirror.head(_ref(ref))
        except Failure as failure:
            return _Head(None, failure)
        if commit == last:
            return _Head(commit, None)
        if last is not None and not mirror.descends(commit, last):
            message = f"{url}: {ref} moved from {last[:12]} to {commit[:12]}, which does not descend from it"
            return _Head(last, Failure(Reason.NOT_FAST_FORWARD, message))
        try:
            self._keep(key, commit)
        except Failure as failure:
            return _Head(last, failure)
        return _Head(commit, None)

    def _keep(self, key: tuple[str, str], commit: str) -> None:
        """Kept before it is used, one after the other: an older record must not replace a newer."""
        with self._remembering:
            self._write(key, commit)

    def _write(self, key: tuple[str, str], value: str) -> None:
        if self._seen.get(key) != value:
            seen = {**self._seen, key: value}
            self._remember(seen)
            self._seen = seen


def _ref(name: str) -> Ref:
    return Ref("branch" if name.startswith("refs/heads/") else "tag", name)


def _present(mirror: Mirror, ref: str) -> str | None:
    try:
        return mirror.head(_ref(ref))
    except Failure:
        return None


def _told(head: _Head | None) -> tuple[str | None, str]:
    if head is None:
        return None, ""
    return head.commit, head.failure.reason.name if head.failure else ""
