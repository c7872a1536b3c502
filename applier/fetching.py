"""
Which repositories are fetched when: the longest waiting first, and of one host only a few at a time.

A server that hangs holds a thread until the fetch times out, and so do all repositories on it. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from urllib.parse import urlsplit

THREADS = 16
PER_HOST = 2
"""Of the threads: seven hosts that hang leave two for everybody else."""
_NEVER = float("-inf")


class Turns:
    """
    What is being fetched, and when each repository was fetched last. Not thread-safe.

    Times and `every`, how often a repository is asked, are seconds of one clock.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._fetching: set[str] = set()
        self._fetched: dict[str, float] = {}

    def take(self, urls: Collection[str], now: float) -> list[str]:
        """Those to fetch now, which count as being fetched until they are `done`."""
        hosts, taken = self._hosts(), []
        for url in sorted(urls, key=lambda each: self._fetched.get(each, _NEVER)):
            is_due = url not in self._fetching and self._due(url) <= now
            if is_due and hosts[_host(url)] < PER_HOST:
                hosts[_host(url)] += 1
                taken.append(url)
        self._fetching.update(taken)
        return taken

    def done(self, url: str, now: float) -> None:
        """Its fetch is over, however it ended."""
        self._fetching.discard(url)
        self._fetched[url] = now

    def was_fetched(self, url: str) -> bool:
        """Whether a fetch of it ever ended."""
        return url in self._fetched

    def next(self, urls: Collection[str], now: float) -> float:
        """
        Seconds until `take` may give more by the clock alone, infinite where it needs a `done`.

        A repository whose host has no room is left out: counted, it would wake the caller at once,
        again and again.
        """
        hosts = self._hosts()
        waiting = (u for u in urls if u not in self._fetching and hosts[_host(u)] < PER_HOST)
        return max(0.0, min((self._due(url) for url in waiting), default=float("inf")) - now)

    def _due(self, url: str) -> float:
        return self._fetched.get(url, _NEVER) + self._every

    def _hosts(self) -> Counter[str]:
        return Counter(map(_host, self._fetching))


def _host(url: str) -> str:
    """With its port, and without who asks."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()
