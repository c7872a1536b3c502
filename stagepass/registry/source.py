"""Evidence that lies beside an image in its registry, read lazily and in parallel."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline
from stagepass.predicates.release import RELEASE
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import Descriptor, Listing
from stagepass.registry.listings import LISTING_SECONDS, Listings
from stagepass.registry.readings import Readings
from stagepass.registry.search import Layout, Search, likeliest_first

_WORKERS = 8


class RegistrySource:
    """
    An `EvidenceSource` over a client, which is closed with it. Thread-safe.

    What can be read at the same time is read on `workers` threads for each host, so that a slow
    registry keeps no other waiting (V53), the first of it by who asks: handing a request to another
    thread takes 0.08 ms of processor, nearly what the request itself takes.
    A listing serves for `listing_seconds`, at most 2, so new evidence may be found that much later.
    """

    def __init__(
        self,
        client: RegistryClient,
        *,
        workers: int = _WORKERS,
        listing_seconds: float = LISTING_SECONDS,
    ) -> None:
        self._client, self._workers = client, workers
        self._listings, self._readings = Listings(listing_seconds), Readings()
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads, what still runs at its own deadline, and close the client."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)
        self._client.close()

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        """
        The referrers API first, wanted and unnamed predicate types before others, then the tag, then
        what cosign 2 left.

        N candidates of the first batch cost 1 + 2N requests, three deep; a caller who asks for more
        pays one for the tag and one for the attachments, of which each costs one. Of a line of
        releases what was read once is not read again: 1 request, and 2 for each new one. Raises
        `Unavailable` at the end, so that what cannot be read hides nothing that can.
        """
        search = Search(self._client, image, digest, deadline)
        for layout in search.layouts():
            entries = search.unseen(layout, self._list(search, layout))
            for part in likeliest_first(entries, wanted):
                few, is_line = search.within_limit(part), RELEASE in wanted
                if batch := self._read(search, layout, few, keep=is_line):
                    yield batch
                search.raise_if_over()
        search.raise_if_incomplete()

    def _list(self, search: Search, layout: Layout) -> Listing:
        key = search.image.name, search.digest, layout.name
        if (kept := self._listings.get(key)) is not None:
            return kept
        asked_at = time.monotonic()
        listing = layout.list()
        self._listings.put(key, listing, asked_at)
        return listing

    def _read(
        self, search: Search, layout: Layout, entries: Sequence[Descriptor], *, keep: bool
    ) -> list[Candidate]:
        """What is behind each entry; `keep` it, for the next who reads this line."""
        found = {e.digest: self._readings.get(_key(search, layout, e)) for e in entries if keep}
        missing = [entry for entry in entries if found.get(entry.digest) is None]
        futures = {entry.digest: Future[Sequence[Candidate]]() for entry in missing[:1]}
        if missing[1:]:
            pool = self._pool(search.image.host)
            futures |= {e.digest: pool.submit(search.read, layout, e) for e in missing[1:]}
        for entry in missing[:1]:
            _run(futures[entry.digest], search, layout, entry)
        wait(futures.values(), timeout=max(0.0, search.deadline.at - time.monotonic()))
        for entry in missing:
            future = futures[entry.digest]
            found[entry.digest] = search.result(future)
            if keep and _is_known(future, layout):
                self._readings.put(_key(search, layout, entry), future.result())
        return [candidate for e in entries for candidate in found[e.digest] or ()]

    def _pool(self, host: str) -> ThreadPoolExecutor:
        with self._lock:
            if host not in self._pools:
                self._pools[host] = ThreadPoolExecutor(self._workers, f"registry {host}")
            return self._pools[host]


def _key(search: Search, layout: Layout, entry: Descriptor) -> Hashable:
    return search.image.name, search.digest, layout.kind, entry.digest


def _is_known(future: Future[Sequence[Candidate]], layout: Layout) -> bool:
    """Whether the digest alone made it so. That an envelope is junk may be its listing's lie."""
    if not future.done() or future.cancelled() or future.exception() is not None:
        return False
    return bool(future.result()) or layout.kind == "bundle"


def _run(
    future: Future[Sequence[Candidate]], search: Search, layout: Layout, entry: Descriptor
) -> None:
    try:
        future.set_result(search.read(layout, entry))
    except Unavailable as error:
        future.set_exception(error)
