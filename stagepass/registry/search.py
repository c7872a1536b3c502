"""One walk over what lies beside one image, in every layout it may have there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stagepass.bundle import MAX_BYTES
from stagepass.clock import parse_time
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import MAX_CANDIDATES, Candidate, Deadline
from stagepass.predicates.release import RELEASE
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import Descriptor, Listing, parse_bundle_manifest
from stagepass.registry.legacy import as_bundles, attachments, attachments_tag
from stagepass.registry.replies import Throttled

_NEWEST = 8  # read at once by as many threads
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Layout:
    """
    One of the places where evidence is listed; `read` gives what is behind an entry.

    `kind` is of the content that its digests name: one digest may be claimed to be two things.
    """

    name: str
    kind: str
    list: Callable[[], Listing]
    read: Callable[[Descriptor], Sequence[Candidate]]


@dataclass(slots=True)
class Search:
    """One walk over one image's evidence: how much is left to examine, and what went wrong."""

    client: RegistryClient
    image: ImageRef
    digest: Digest
    deadline: Deadline
    left: int = MAX_CANDIDATES
    is_over_limit: bool = False
    throttled: Throttled | None = None
    failures: list[Unavailable] = field(default_factory=list)
    seen: set[tuple[str, Digest]] = field(default_factory=set)

    def layouts(self) -> Iterator[Layout]:
        """The likeliest first, each a request more; together they hold all the evidence there is."""
        yield Layout("referrers", "bundle", self._list_referrers, self._read_bundle)
        # An upgraded registry does not list what is only in its tag (cosign-proof section 4).
        yield Layout("tag", "bundle", self._list_tag, self._read_bundle)
        yield Layout("attachments", "envelope", self._list_attachments, self._read_attachment)

    def unseen(self, layout: Layout, listing: Listing) -> list[Descriptor]:
        """What may be a bundle and was not listed before."""
        if listing.gap:
            self.failures.append(listing.gap)
        listed = {(layout.kind, e.digest): e for e in listing.entries if e.may_be_bundle}
        new = {key: entry for key, entry in listed.items() if key not in self.seen}
        self.seen |= new.keys()
        return list(new.values())

    def within_limit(self, entries: Sequence[Descriptor]) -> Sequence[Descriptor]:
        """As many as may still be read."""
        few = entries[: self.left]
        self.left -= len(few)
        self.is_over_limit = len(few) < len(entries)
        return few

    def read(self, layout: Layout, entry: Descriptor) -> Sequence[Candidate]:
        """What is behind an entry; nothing for junk. Runs on any thread. Raises `Unavailable`."""
        if self.throttled:
            raise self.throttled
        try:
            return layout.read(entry)
        except InputError:
            return ()
        except Throttled as error:
            self.throttled = error
            raise

    def _list_referrers(self) -> Listing:
        return self.client.referrers(self.image, self.digest, self.deadline) or Listing(())

    def _list_tag(self) -> Listing:
        return self.client.tag_index(self.image, self.digest, self.deadline)

    def _list_attachments(self) -> Listing:
        return attachments(self.client, self.image, self.digest, self.deadline)

    def _read_bundle(self, entry: Descriptor) -> Sequence[Candidate]:
        body = self.client.manifest(self.image, entry.digest, self.deadline)
        data = self._content(parse_bundle_manifest(body, self.digest))
        return (Candidate(data, f"{self.image.name}@{entry.digest}"),)

    def _read_attachment(self, entry: Descriptor) -> Sequence[Candidate]:
        origin = f"{self.image.name}:{attachments_tag(self.digest)} {entry.digest}"
        return [Candidate(data, origin) for data in as_bundles(self._content(entry))]

    def _content(self, blob: Descriptor) -> bytes:
        if blob.size > MAX_BYTES:
            raise Unavailable(
                Code.EVIDENCE_LIMIT, f"{blob.digest} has {blob.size} bytes, over {MAX_BYTES}"
            )
        data = blob.data
        if data is None:
            data = self.client.blob(self.image, blob.digest, self.deadline)
        if len(data) != blob.size:
            raise InputError(f"{blob.digest} has {len(data)} bytes, its manifest says {blob.size}")
        return data

    def result(self, future: Future[Sequence[Candidate]]) -> Sequence[Candidate]:
        """What `read` found; a failure is kept for the end."""
        if not future.done():
            future.cancel()
            self.failures.append(late())
            return ()
        try:
            return future.result()
        except Unavailable as error:
            self.failures.append(error)
            return ()

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


def likeliest_first(
    entries: Sequence[Descriptor], wanted: frozenset[str]
) -> Iterator[list[Descriptor]]:
    """
    Annotations are hints anybody can write: they give an order and leave nothing out (T6, T9).

    Of releases a stage has ever more, so the newest come first, a few alone: mostly one of them is it,
    and past the cap it is the oldest that are not read.
    """
    named = [e for e in entries if e.predicate_type in wanted]
    unnamed = [e for e in entries if not e.predicate_type]
    if RELEASE in wanted:
        named.sort(key=_created, reverse=True)
        yield named[:_NEWEST]
        named = named[_NEWEST:]
    yield named + unnamed
    yield [e for e in entries if e.predicate_type and e.predicate_type not in wanted]


def _created(entry: Descriptor) -> datetime:
    """When it was stored, by its own word; for ever ago where that is no time."""
    try:
        return parse_time(entry.created)
    except InputError:
        return _LONG_AGO


def late() -> Unavailable:
    """The deadline passed."""
    return Unavailable(Code.DEADLINE, "the deadline passed before all evidence was read")
