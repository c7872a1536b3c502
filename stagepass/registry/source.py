"""Evidence that lies beside an image in its registry, read lazily and in parallel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self, TypeVar

from stagepass.digest import Digest, ImageRef
from stagepass.evidence import Candidate, Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import Descriptor, Listing
from stagepass.registry.listings import LISTING_SECONDS, Listings
from stagepass.registry.search import Layout, Search, late, likeliest_first
from stagepass.registry.session import CONNECTIONS

T = TypeVar("T")


class RegistrySource:
    """
    An `EvidenceSource` over a client, which is closed with it. Thread-safe.

    Requests run on `workers` threads for each host, so that a slow registry keeps no other waiting
    (V53), and whoever waits for one gives up at the deadline, though a name may resolve for longer.
    A listing serves for `listing_seconds`, at most 2, so new evidence may be found that much later.
    """

    def __init__(
        self,
        client: RegistryClient,
        *,
        workers: int = CONNECTIONS,
        listing_seconds: float = LISTING_SECONDS,
    ) -> None:
        self._client, self._workers = client, workers
        self._listings = Listings(listing_seconds)
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
        pays one for the tag and one for the attachments, of which each costs one. Raises
        `Unavailable` at the end, so that what cannot be read hides nothing that can.
        """
        search = Search(self._client, image, digest, deadline)
        for layout in search.layouts():
            entries = search.unseen(layout, self._list(search, layout))
            for part in likeliest_first(entries, wanted):
                if batch := self._read(search, layout, search.within_limit(part)):
                    yield batch
                search.raise_if_over()
        search.raise_if_incomplete()

    def _list(self, search: Search, layout: Layout) -> Listing:
        key = search.image.name, search.digest, layout.name
        if (kept := self._listings.get(key)) is not None:
            return kept
        asked_at = time.monotonic()
        listing = self._wait_for(search.image.host, search.deadline, layout.list)
        self._listings.put(key, listing, asked_at)
        return listing

    def _read(
        self, search: Search, layout: Layout, entries: Sequence[Descriptor]
    ) -> list[Candidate]:
        pool = self._pool(search.image.host)
        futures = [pool.submit(search.read, layout, entry) for entry in entries]
        wait(futures, timeout=max(0.0, search.deadline.at - time.monotonic()))
        return [candidate for future in futures for candidate in search.result(future)]

    def _wait_for(self, host: str, deadline: Deadline, work: Callable[[], T]) -> T:
        future = self._pool(host).submit(work)
        if not wait([future], timeout=deadline.remaining()).done:
            future.cancel()
            raise late()
        return future.result()

    def _pool(self, host: str) -> ThreadPoolExecutor:
        with self._lock:
            if host not in self._pools:
                self._pools[host] = ThreadPoolExecutor(self._workers, f"registry {host}")
            return self._pools[host]
