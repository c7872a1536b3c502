"""Objects of releases kept by what was signed, whatever the policy, so that a new set reads nothing again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.flights import Flights
from stagepass.manifest import ObjectId, image_fields
from stagepass.objects import Object
from stagepass.release.listed import Listed
from stagepass.release.model import Release

# Of JSON; as Python objects it takes six times as much.
_MAX_BYTES = 16 << 20
PATIENCE_SECONDS = 1.0
"""How long one reader waits for another: a registry that hangs must not hold all threads by that."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A release with its objects, and apart those that run images: images, canonical digest, object."""

    release: Release
    owners: tuple[tuple[frozenset[str], Digest, Object], ...]

    @classmethod
    def of(cls, release: Release) -> Opened:
        """Of a release that was checked whole."""
        digests = (resource.digest for resource in release.statement.resources)
        found = [
            (_images(about, each), digest, each)
            for (about, each), digest in zip(release.objects.items(), digests, strict=True)
        ]
        return cls(release, tuple(each for each in found if each[0]))

    def nearest_first(self, images: Collection[str]) -> list[tuple[Digest, Object]]:
        """The objects that run images, by digest; those first that run nothing but `images`."""
        wanted = frozenset(images)
        ordered = sorted(self.owners, key=lambda owner: not owner[0] <= wanted)
        return [(digest, each) for _, digest, each in ordered]


class Shelf:
    """Opened releases, least recently used out first. Thread-safe; each is read once at a time."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes, self._size = max_bytes, 0
        self._kept: OrderedDict[Digest, Opened] = OrderedDict()
        self._lock = threading.Lock()
        self._flights = Flights()

    def opened(self, listed: Listed, read: Callable[[], bytes], deadline: Deadline) -> Opened:
        """
        Its objects, by `read` the first time.

        Raises what that raises, and `AttestationError` where they are not what is signed.
        """
        if (kept := self._get(listed.payload_digest)) is not None:
            return kept
        with self._flights.one(listed.payload_digest, deadline, PATIENCE_SECONDS):
            if (kept := self._get(listed.payload_digest)) is not None:
                return kept
            opened = Opened.of(Release.of(listed.statement, read()))
            self._put(listed.payload_digest, opened)
            return opened

    def holds(self, listed: Listed) -> bool:
        """Whether it can be opened without reading."""
        with self._lock:
            return listed.payload_digest in self._kept

    def _get(self, key: Digest) -> Opened | None:
        with self._lock:
            if (kept := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
            return kept

    def _put(self, key: Digest, opened: Opened) -> None:
        with self._lock:
            if key not in self._kept:
                self._size += len(opened.release.data)
            self._kept[key] = opened
            while self._size > self._max_bytes and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._size -= len(oldest.release.data)


def _images(about: ObjectId, document: Any) -> frozenset[str]:
    try:
        return frozenset(f.image for f in image_fields(about.group, about.kind, document))
    except InputError:  # nothing of a checked release
        return frozenset()
