"""
What is in the cluster: one LIST for each kind, shared by every application that looks meanwhile.

One LIST of 2,000 objects costs the API server 0.03 CPU seconds; 2,000 no-op applies cost 5
(applier-baseline section 4). Secrets are read as the application's own account, and never shared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from applier.cluster import Cluster, Resource
from applier.rules import LABEL
from stagepass.manifest import ObjectId
from stagepass.policy.source import ServiceAccount

_Kind = tuple[str, str]
_Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class _List:
    """`version` is its resource version, -1 where that is no number; `at` when it was asked for."""

    objects: dict[ObjectId, dict[str, Any]]
    version: int
    at: float


@dataclass(frozen=True, slots=True)
class _Written:
    """What our own apply was answered with."""

    document: dict[str, Any]
    version: int
    at: float


class Live:
    """
    Lists of live objects, each at most `max_age` seconds old. Thread-safe.

    What `wrote` was told of stands in every list, also in one that was read before; `changed`, after
    anything else, makes the next reader ask again, past the server's own cache.
    """

    def __init__(self, cluster: Cluster, max_age: float = 1.0) -> None:
        self._cluster, self._max_age = cluster, max_age
        self._lists: dict[_Key, _List] = {}
        self._locks: dict[_Key, threading.Lock] = {}
        self._changed: dict[str, float] = {}
        self._written: dict[_Kind, dict[ObjectId, _Written]] = {}
        self._newest: dict[_Kind, _Written] = {}
        self._lock = threading.Lock()

    def owned(
        self, resource: Resource, namespaces: Iterable[str], account: ServiceAccount
    ) -> dict[ObjectId, Any]:
        """Everything of a kind that some application applied; of Secrets, in those namespaces."""
        if not resource.is_secret:
            return self._list(resource, "", LABEL, None)
        found: dict[ObjectId, Any] = {}
        for namespace in namespaces:
            found |= self._list(resource, namespace, LABEL, account)
        return found

    def all(
        self, resource: Resource, namespace: str, account: ServiceAccount
    ) -> dict[ObjectId, Any]:
        """Everything of a kind in a namespace, whoever made it."""
        return self._list(resource, namespace, "", account if resource.is_secret else None)

    def changed(self, resource: Resource) -> None:
        """Something of the kind was written: what was read before says nothing any more."""
        with self._lock:
            self._changed[resource.plural] = time.monotonic()

    def wrote(self, resource: Resource, answer: dict[str, Any]) -> None:
        """An apply was answered with the object: nobody needs to ask for it again."""
        kind, version = (resource.api_version, resource.plural), _number(answer["metadata"])
        if version < 0 or resource.is_secret or self._is_served_otherwise(kind):
            self.changed(resource)
            return
        written = _Written(answer, version, time.monotonic())
        with self._lock:
            self._written.setdefault(kind, {})[ObjectId.of(answer)] = written
            newest = self._newest.get(kind)
            if newest is None or newest.version < version:
                self._newest[kind] = written

    def _is_served_otherwise(self, kind: _Kind) -> bool:
        """Whether the same objects are in lists of another version of their group."""
        with self._lock:
            return any(key[1] == kind[1] and key[0] != kind[0] for key in self._lists)

    def _list(
        self, resource: Resource, namespace: str, selector: str, account: ServiceAccount | None
    ) -> dict[ObjectId, Any]:
        user = account.user if account else ""
        key = (resource.api_version, resource.plural, namespace, selector, user)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:  # one asks, the others take what it got
            known, now = self._lists.get(key), time.monotonic()
            changed = self._changed.get(resource.plural, float("-inf"))
            if known is None or now - known.at >= self._max_age or known.at <= changed:
                # A list from the watch cache may be older than a write whose answer we do not have,
                # also than one of a process that was killed.
                recent = known is None or now - changed < 10 * self._max_age
                items, version = self._cluster.listed(
                    resource,
                    namespace=namespace,
                    selector=selector,
                    account=account,
                    not_older="" if recent else self._not_older(key[:2], now),
                )
                objects = {ObjectId.of(item): item for item in items}
                known = _List(objects, _number({"resourceVersion": version}), now)
                with self._lock:
                    self._lists[key] = known
                    self._forget(key[:2], now)
            return self._with_written(key, known)

    def _not_older(self, kind: _Kind, now: float) -> str:
        """The version of our newest write; not for ever, as a restored etcd counts from an older one."""
        newest = self._newest.get(kind)
        return str(newest.version) if newest and now - newest.at < 10 * self._max_age else "0"

    def _with_written(self, key: _Key, known: _List) -> dict[ObjectId, Any]:
        """Versions are compared as numbers, which they are of one kind (KEP-5504)."""
        with self._lock:
            newer = {
                found: written.document
                for found, written in self._written.get(key[:2], {}).items()
                if written.version > known.version and key[2] in ("", found.namespace)
            }
        return {**known.objects, **newer} if newer else known.objects

    def _forget(self, kind: _Kind, now: float) -> None:
        """Lists that were asked for since a write hold it: their versions are no older."""
        written = self._written.get(kind, {})
        for found in [f for f, each in written.items() if now - each.at > 2 * self._max_age]:
            del written[found]


def _number(metadata: Mapping[str, Any]) -> int:
    text = metadata.get("resourceVersion")
    return int(text) if isinstance(text, str) and text.isdecimal() else -1
