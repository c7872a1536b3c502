"""The one source that asks registries, kept for as long as the policy names the same hosts."""

from __future__ import annotations

import threading

from stagepass.breaker import Breaker
from stagepass.registry.client import RegistryClient
from stagepass.registry.source import RegistrySource
from stagepass.release.pushed import RegistryBlobs
from stagepass.release.store import ReleaseSource
from webhook import metrics
from webhook.settings import Settings

_LONGEST_REVIEW_SECONDS = 60.0


class Registries:
    """
    Makes the source for the hosts of a policy set: no other is ever asked.

    A new set with the same hosts keeps it, and with it open connections and what is known of dead
    hosts; a source for each set was 475 threads after 200 sets in half a minute. Not thread-safe.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts: frozenset[str] = frozenset()
        self._made: tuple[RegistrySource, ReleaseSource] | None = None

    def source(self, hosts: frozenset[str]) -> ReleaseSource:
        """The one of the set before, where that named `hosts` too."""
        if self._made is not None and hosts == self._hosts:
            return self._made[1]
        if self._made is not None:
            _close_later(self._made[0])
        registries, credentials = self._settings.registries, self._settings.credentials
        client = RegistryClient(registries, credentials, hosts, observe=_counted)
        source = RegistrySource(client)
        guarded = Breaker(source, blobs=RegistryBlobs(client))
        made = ReleaseSource(guarded, guarded, is_remote=True)
        self._hosts, self._made = hosts, (source, made)
        return self._made[1]


def _counted(host: str, result: str) -> None:
    metrics.REGISTRY_REQUESTS.labels(host, result).inc()


def _close_later(source: RegistrySource) -> None:
    """Reviews that the old set is still judging have their own deadline; after it nobody asks."""
    timer = threading.Timer(_LONGEST_REVIEW_SECONDS, source.close)
    timer.daemon = True
    timer.start()
