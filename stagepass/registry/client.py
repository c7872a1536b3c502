"""
The distribution protocol (distribution-spec 1.1), as much of it as evidence needs.

Everything fetched by digest is hashed here: no header that names a digest is believed (V22).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from stagepass.bundle import MAX_BYTES
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.content import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    MAX_LISTING,
    MAX_MANIFEST,
    Descriptor,
    Listing,
    manifest_media_type,
    parse_index,
    referrers_tag,
)
from stagepass.registry.replies import Throttled, expect, hashed, unavailable
from stagepass.registry.session import Resource, Session
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.transport import Observer, Reply, origin

MAX_PAGES = 5
MAX_REDIRECTS = 3

_ACCEPT = ", ".join(
    [
        MANIFEST_TYPE,
        INDEX_TYPE,
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
)
_REDIRECTS = (301, 302, 303, 307, 308)
_NEXT = re.compile(r'<([^>]*)>[^,<]*;\s*rel="?next"?', re.ASCII)


class RegistryClient:
    """
    Asks the registries in `allowed_hosts`, and no others: they are checked before any socket (B61).

    Thread-safe; a context manager. Methods raise `Unavailable` for whatever keeps us from knowing.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        credentials: Credentials,
        allowed_hosts: frozenset[str],
        *,
        ca_file: Path | None = None,
        observe: Observer | None = None,
    ) -> None:
        self.session = Session(settings, credentials, allowed_hosts, ca_file, observe)

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
        """Close every kept connection; whoever asks again opens new ones."""
        self.session.close()

    def head_manifest(self, image: ImageRef, digest: Digest, deadline: Deadline) -> Descriptor:
        """
        What a `subject` says about an image manifest or index, of bytes we hashed: a GET, no HEAD.

        Raises `NotFound`, or `InputError` for what is no manifest.
        """
        reply = self._manifest(image, digest, deadline)
        media_type = manifest_media_type(reply.body, reply.media_type)
        return Descriptor(media_type, digest, len(reply.body))

    def manifest(self, image: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
        """The manifest whose sha256 is `digest`, never another; at most 1 MiB. Raises `NotFound`."""
        return self._manifest(image, digest, deadline).body

    def resolve(self, image: ImageRef, deadline: Deadline) -> Digest:
        """
        The digest of what the image's tag names now, of bytes we hashed (V22). Raises `NotFound`.

        Never asked by a gate: a tag can be moved between the question and the pull.
        """
        tag = image.tag or "latest"
        reply = self._get(image, f"manifests/{tag}", deadline, MAX_MANIFEST, _ACCEPT)
        return Digest.of(expect(reply, 200, f"the tag {tag}").body)

    def blob(
        self, image: ImageRef, digest: Digest, deadline: Deadline, *, max_bytes: int = MAX_BYTES
    ) -> bytes:
        """The blob whose sha256 is `digest`, never another; at most 1 MiB. Raises `NotFound`."""
        resource = self.session.resource(image, f"blobs/{digest}")
        url = resource.url
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._fetch(resource, url, deadline, max_bytes)
            if reply.status not in _REDIRECTS:
                return hashed(expect(reply, 200, f"the blob {digest}"), digest).body
            url = self._redirected(reply, resource)
        raise unavailable(f"{reply.host} redirects more than {MAX_REDIRECTS} times")

    def referrers(self, image: ImageRef, digest: Digest, deadline: Deadline) -> Listing | None:
        """
        What the referrers API lists, at most 5 pages; None when the registry has no such API.

        Not filtered by the server: `+` in a media type comes back as a space from some, and others
        ignore the filter (cosign-proof section 1).
        """
        what = f"the referrers of {digest}"
        first = self.session.resource(image, f"referrers/{digest}")
        page = self._page(first, what, deadline)
        if page is None:
            return None
        entries, following = page
        for _ in range(MAX_PAGES - 1):
            if not following:
                return Listing(tuple(entries))
            try:
                page = self._page(first.following(following), what, deadline)
            except Throttled:
                raise
            except Unavailable as error:
                return Listing(tuple(entries), error)
            if page is None:
                return Listing(tuple(entries), unavailable(f"{image.host} broke off {what}"))
            entries, following = entries + page[0], page[1]
        over = f"{image.host} lists {what} on over {MAX_PAGES} pages"
        gap = Unavailable(Code.EVIDENCE_LIMIT, over) if following else None
        return Listing(tuple(entries), gap)

    def tag_index(self, image: ImageRef, digest: Digest, deadline: Deadline) -> Listing:
        """What the tag `sha256-HEX` lists (distribution-spec 1.1, "Referrers Tag Schema")."""
        reply = self.tagged(image, referrers_tag(digest), INDEX_TYPE, deadline)
        if reply is None:
            return Listing(())
        return Listing(tuple(_index(reply, f"the tag {referrers_tag(digest)}")))

    def tagged(
        self, image: ImageRef, tag: str, media_type: str, deadline: Deadline
    ) -> Reply | None:
        """The document under a tag, at most 4 MiB; None where there is no such tag."""
        reply = self._get(image, f"manifests/{tag}", deadline, MAX_LISTING, media_type)
        return None if reply.status == 404 else expect(reply, 200, f"the tag {tag}")

    def _page(
        self, resource: Resource, what: str, deadline: Deadline
    ) -> tuple[list[Descriptor], str] | None:
        """A page's entries and the URL of the next, "" at the end; None: the API does not exist."""
        reply = self.session.get(resource, deadline, MAX_LISTING, INDEX_TYPE)
        # distribution-spec 1.1 has 404 for "no such API"; cosign reads 400 so as well.
        if reply.status in (400, 404) or expect(reply, 200, what).media_type != INDEX_TYPE:
            return None
        link = _NEXT.search(reply.header("Link"))
        return _index(reply, what), reply.joined(link[1]) if link else ""

    def _manifest(self, image: ImageRef, digest: Digest, deadline: Deadline) -> Reply:
        reply = self._get(image, f"manifests/{digest}", deadline, MAX_MANIFEST, _ACCEPT)
        return hashed(expect(reply, 200, f"the manifest {digest}"), digest)

    def _get(
        self, image: ImageRef, tail: str, deadline: Deadline, max_bytes: int, accept: str
    ) -> Reply:
        return self.session.get(self.session.resource(image, tail), deadline, max_bytes, accept)

    def _fetch(self, resource: Resource, url: str, deadline: Deadline, max_bytes: int) -> Reply:
        if origin(url) != origin(resource.url):
            return self.session.fetch_elsewhere(url, deadline, max_bytes)
        return self.session.send("GET", replace(resource, url=url), deadline, max_bytes=max_bytes)

    def _redirected(self, reply: Reply, base: Resource) -> str:
        """Where a blob is, if that is the registry itself or a host that settings name."""
        url = reply.joined(reply.header("Location"))
        scheme, host = target = origin(url)
        may_redirect = self.session.settings.may_redirect_to(scheme, host)
        if target != origin(base.url) and not may_redirect:
            raise unavailable(
                f"{reply.host} keeps its blobs on {scheme}://{host}, which is not asked unless"
                " STAGEPASS_REGISTRIES names it so"
            )
        return url


def _index(reply: Reply, what: str) -> list[Descriptor]:
    try:
        return parse_index(reply.body)
    except InputError as error:
        raise unavailable(f"{reply.host} sent no list for {what}: {error}") from error
