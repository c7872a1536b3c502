"""Evidence that lies beside an image in its registry, read lazily and in parallel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from stagepass.bundle import MAX_BYTES
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import MAX_CANDIDATES, Candidate, Deadline
from stagepass.registry.client import CONNECTIONS, RegistryClient, Throttled
from stagepass.registry.content import Descriptor, Listing, parse_bundle_manifest

P = ParamSpec("P")
T = TypeVar("T")


class RegistrySource:
    """
    An `EvidenceSource` over a client, which is closed with it. Thread-safe.

    Requests run on `workers` threads for each host, so that a slow registry keeps no other waiting
    (V53), and whoever waits for one gives up at the deadline, though a name may resolve for longer.
    """

    def __init__(self, client: RegistryClient, *, workers: int = CONNECTIONS) -> None:
        self._client, self._workers = client, workers
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
        The referrers API first, wanted and unnamed predicate types before others, then the tag.

        N candidates of the first batch cost 1 + 2N requests, three deep; the tag, which an upgraded
        registry does not list (cosign-proof section 4), one more when a caller asks for more.
        Raises `Unavailable` at the end, so that what cannot be read hides nothing that can.
        """
        search = _Search(self._client, image, digest, deadline)
        for look in (search.list_referrers, search.list_tag):
            entries = search.unseen(self._wait_for(image.host, deadline, look))
            for part in _likeliest_first(entries, wanted):
                if batch := self._read(search, search.within_limit(part)):
                    yield batch
                search.raise_if_over()
        search.raise_if_incomplete()

    def _read(self, search: _Search, entries: Sequence[Descriptor]) -> list[Candidate]:
        pool = self._pool(search.image.host)
        futures = [pool.submit(search.read, entry) for entry in entries]
        wait(futures, timeout=max(0.0, search.deadline.at - time.monotonic()))
        found = (search.result(future) for future in futures)
        return [candidate for candidate in found if candidate]

    def _wait_for(self, host: str, deadline: Deadline, work: Callable[[], T]) -> T:
        future = self._pool(host).submit(work)
        if not wait([future], timeout=deadline.remaining()).done:
            future.cancel()
            raise _late()
        return future.result()

    def _pool(self, host: str) -> ThreadPoolExecutor:
        with self._lock:
            if host not in self._pools:
                self._pools[host] = ThreadPoolExecutor(self._workers, f"registry {host}")
            return self._pools[host]


@dataclass(slots=True)
class _Search:
    """One walk over one image's evidence: how much is left to examine, and what went wrong."""

    client: RegistryClient
    image: ImageRef
    digest: Digest
    deadline: Deadline
    left: int = MAX_CANDIDATES
    is_over_limit: bool = False
    throttled: Throttled | None = None
    failures: list[Unavailable] = field(default_factory=list)
    seen: set[Digest] = field(default_factory=set)

    def list_referrers(self) -> Listing:
        return self.client.referrers(self.image, self.digest, self.deadline) or Listing(())

    def list_tag(self) -> Listing:
        return self.client.tag_index(self.image, self.digest, self.deadline)

    def unseen(self, listing: Listing) -> list[Descriptor]:
        """What may be a bundle and was not listed before."""
        if listing.gap:
            self.failures.append(listing.gap)
        new = {
            e.digest: e for e in listing.entries if e.may_be_bundle and e.digest not in self.seen
        }
        self.seen |= new.keys()
        return list(new.values())

    def within_limit(self, entries: Sequence[Descriptor]) -> Sequence[Descriptor]:
        few = entries[: self.left]
        self.left -= len(few)
        self.is_over_limit = len(few) < len(entries)
        return few

    def read(self, entry: Descriptor) -> Candidate | None:
        """The bundle behind an entry; None for junk. Runs on any thread. Raises `Unavailable`."""
        if self.throttled:
            raise self.throttled
        try:
            data = self._bundle(entry.digest)
        except InputError:
            return None
        except Throttled as error:
            self.throttled = error
            raise
        return Candidate(data, f"{self.image.name}@{entry.digest}")

    def _bundle(self, manifest: Digest) -> bytes:
        body = self.client.manifest(self.image, manifest, self.deadline)
        layer = parse_bundle_manifest(body, self.digest)
        if layer.size > MAX_BYTES:
            raise Unavailable(
                Code.EVIDENCE_LIMIT, f"{layer.digest} has {layer.size} bytes, over {MAX_BYTES}"
            )
        data = layer.data
        if data is None:
            data = self.client.blob(self.image, layer.digest, self.deadline)
        if len(data) != layer.size:
            raise InputError(
                f"{layer.digest} has {len(data)} bytes, its manifest says {layer.size}"
            )
        return data

    def result(self, future: Future[Candidate | None]) -> Candidate | None:
        """What `read` found; a failure is kept for the end."""
        if not future.done():
            future.cancel()
            self.failures.append(_late())
            return None
        try:
            return future.result()
        except Unavailable as error:
            self.failures.append(error)
            return None

    def raise_if_over(self) -> None:
        """Go no further when the limit is reached or the registry said 429."""
        if self.throttled:
            raise self.throttled
        if self.is_over_limit:
            raise Unavailable(
                Code.EVIDENCE_LIMIT,
                f"{self.image.name}@{self.digest} has over {MAX_CANDIDATES} pieces of evidence, the"
                " most we read; give the good ones as files (--evidence dir:PATH)",
            )

    def raise_if_incomplete(self) -> None:
        """Raise for all that could not be read, by the first of it."""
        if self.failures:
            first, more = self.failures[0], len(self.failures) - 1
            rest = f" (and {more} more could not be read)" if more else ""
            raise Unavailable(first.code, first.message + rest)


def _likeliest_first(
    entries: Sequence[Descriptor], wanted: frozenset[str]
) -> Iterator[list[Descriptor]]:
    """Annotations are hints anybody can write: they give an order and leave nothing out (T6, T9)."""
    named = [e for e in entries if e.predicate_type in wanted]
    unnamed = [e for e in entries if not e.predicate_type]
    yield named + unnamed
    yield [e for e in entries if e.predicate_type and e.predicate_type not in wanted]


def _late() -> Unavailable:
    return Unavailable(Code.DEADLINE, "the deadline passed before all evidence was read")
