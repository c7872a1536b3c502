"""
The distribution protocol (distribution-spec 1.1), as much of it as evidence needs.

Everything fetched by digest is hashed here: no header that names a digest is believed (V22).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

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
)
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.transport import Reply, Transport, origin

CONNECTIONS = 8
"""Kept for each host; more are opened when needed."""
MAX_PAGES = 5
MAX_REDIRECTS = 3

_MAX_RECEIPT = 1 << 16
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


class NotFound(Unavailable):
    """The registry answered 404 for what should be there."""


class Throttled(Unavailable):
    """The registry answered 429: whoever asks again makes it worse."""


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
    ) -> None:
        self._settings, self._credentials, self._allowed = settings, credentials, allowed_hosts
        hosts = len(allowed_hosts) + len(settings.redirects) + len(settings.plain_http)
        self._transport = Transport(per_host=CONNECTIONS, hosts=max(hosts, 10), ca_file=ca_file)
        # (scheme, host) → its Authorization, filled when the host itself asked for one.
        self._logins: dict[tuple[str, str], str] = {}

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
        self._transport.close()

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
        url = self._url(image, f"manifests/{image.tag or 'latest'}")
        reply = self._get(url, deadline, MAX_MANIFEST, _ACCEPT)
        return Digest.of(_expect(reply, 200, f"the tag {image.tag or 'latest'}").body)

    def blob(self, image: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
        """The blob whose sha256 is `digest`, never another; at most 1 MiB. Raises `NotFound`."""
        base = url = self._url(image, f"blobs/{digest}")
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._send("GET", url, deadline, max_bytes=MAX_BYTES, base=base)
            if reply.status not in _REDIRECTS:
                return _hashed(_expect(reply, 200, f"the blob {digest}"), digest).body
            url = self._redirected(reply, base)
        raise _unavailable(f"{reply.host} redirects more than {MAX_REDIRECTS} times")

    def referrers(self, image: ImageRef, digest: Digest, deadline: Deadline) -> Listing | None:
        """
        What the referrers API lists, at most 5 pages; None when the registry has no such API.

        Not filtered by the server: `+` in a media type comes back as a space from some, and others
        ignore the filter (cosign-proof section 1).
        """
        url, what = self._url(image, f"referrers/{digest}"), f"the referrers of {digest}"
        page = self._page(url, what, deadline)
        if page is None:
            return None
        entries, following = page
        for _ in range(MAX_PAGES - 1):
            if not following:
                return Listing(tuple(entries))
            try:
                page = self._page(_same_host(following, url), what, deadline)
            except Throttled:
                raise
            except Unavailable as error:
                return Listing(tuple(entries), error)
            if page is None:
                return Listing(tuple(entries), _unavailable(f"{image.host} broke off {what}"))
            entries, following = entries + page[0], page[1]
        over = f"{image.host} lists {what} on over {MAX_PAGES} pages"
        gap = Unavailable(Code.EVIDENCE_LIMIT, over) if following else None
        return Listing(tuple(entries), gap)

    def tag_index(self, image: ImageRef, digest: Digest, deadline: Deadline) -> Listing:
        """What the tag `sha256-HEX` lists (distribution-spec 1.1, "Referrers Tag Schema")."""
        tag = f"sha256-{digest.hex}"
        reply = self._get(self._url(image, f"manifests/{tag}"), deadline, MAX_LISTING, INDEX_TYPE)
        if reply.status == 404:
            return Listing(())
        what = f"the tag {tag}"
        return Listing(tuple(_index(_expect(reply, 200, what), what)))

    def push_blob(self, image: ImageRef, data: bytes, deadline: Deadline) -> Digest:
        """Store `data` unless it is there."""
        digest = Digest.of(data)
        url, what = self._url(image, f"blobs/{digest}"), f"the blob {digest}"
        there = self._send("HEAD", url, deadline)
        if there.status == 200:
            return digest
        if there.status >= 400 and there.status != 404:
            _expect(there, 200, what)
        start = _expect(self._send("POST", self._url(image, "blobs/uploads/"), deadline), 202, what)
        target = _same_host(start.joined(start.headers.get("Location", "")), start.url)
        joint = "&" if urlsplit(target).query else "?"
        target += f"{joint}digest={quote(str(digest), safe='')}"
        headers = {"Content-Type": "application/octet-stream"}
        _expect(self._send("PUT", target, deadline, headers=headers, body=data), 201, what)
        return digest

    def push_manifest(
        self, image: ImageRef, body: bytes, media_type: str, deadline: Deadline
    ) -> Digest:
        """Store a manifest under its digest. What it names has to be there already."""
        digest = Digest.of(body)
        url, headers = self._url(image, f"manifests/{digest}"), {"Content-Type": media_type}
        reply = self._send("PUT", url, deadline, headers=headers, body=body)
        _expect(reply, 201, f"the manifest {digest}")
        return digest

    def _page(self, url: str, what: str, deadline: Deadline) -> tuple[list[Descriptor], str] | None:
        """A page's entries and the URL of the next, "" at the end; None: the API does not exist."""
        reply = self._get(url, deadline, MAX_LISTING, INDEX_TYPE)
        # distribution-spec 1.1 has 404 for "no such API"; cosign reads 400 so as well.
        if reply.status in (400, 404) or _expect(reply, 200, what).media_type != INDEX_TYPE:
            return None
        link = _NEXT.search(reply.headers.get("Link", ""))
        return _index(reply, what), reply.joined(link[1]) if link else ""

    def _manifest(self, image: ImageRef, digest: Digest, deadline: Deadline) -> Reply:
        reply = self._get(self._url(image, f"manifests/{digest}"), deadline, MAX_MANIFEST, _ACCEPT)
        return _hashed(_expect(reply, 200, f"the manifest {digest}"), digest)

    def _url(self, image: ImageRef, tail: str) -> str:
        if image.host not in self._allowed:
            raise _unavailable(
                f"{image.host} is not asked: only the registries that the policy's images name are"
            )
        base = self._settings.base_url(image.host)
        return f"{base}/v2/{quote(image.repository)}/{quote(tail, safe='/:')}"

    def _get(self, url: str, deadline: Deadline, max_bytes: int, accept: str) -> Reply:
        return self._send("GET", url, deadline, max_bytes=max_bytes, headers={"Accept": accept})

    def _send(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        *,
        max_bytes: int = _MAX_RECEIPT,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        base: str = "",
    ) -> Reply:
        """A 401 is answered once, by the host of `base` (default: of `url`) alone (V63, V64)."""

        def send(login: str) -> Reply:
            auth = {"Authorization": login} if login else {}
            return self._transport.send(
                method,
                url,
                deadline=deadline,
                max_bytes=max_bytes,
                headers={**(headers or {}), **auth},
                body=body,
            )

        asked = origin(url)
        if base and asked != origin(base):
            return send("")
        login = self._logins.get(asked, "")
        reply = send(login)
        if reply.status != 401 or login:
            return reply
        host, challenge = urlsplit(url).netloc, reply.headers.get("WWW-Authenticate", "")
        login = self._logins[asked] = self._credentials.answer(host, challenge)
        return send(login)

    def _redirected(self, reply: Reply, base: str) -> str:
        """Where a blob is, if that is the registry itself or a host that settings name."""
        url = reply.joined(reply.headers.get("Location", ""))
        scheme, host = target = origin(url)
        if target != origin(base) and not self._settings.may_redirect_to(scheme, host):
            raise _unavailable(
                f"{reply.host} keeps its blobs on {scheme}://{host}, which is not asked unless"
                " STAGEPASS_REGISTRIES names it so"
            )
        return url


def _same_host(url: str, as_url: str) -> str:
    if origin(url) != origin(as_url):
        raise _unavailable(f"{urlsplit(as_url).netloc} refers us to {urlsplit(url).netloc!r}")
    return url


def _expect(reply: Reply, status: int, what: str) -> Reply:
    if reply.status == status:
        return reply
    kind = {404: NotFound, 429: Throttled}.get(reply.status, Unavailable)
    meaning = {401: ": no login of ours is accepted", 403: ": not permitted"}
    raise kind(
        Code.REGISTRY_UNAVAILABLE,
        f"{reply.host} answered {reply.status} for {what}{meaning.get(reply.status, '')}",
    )


def _hashed(reply: Reply, digest: Digest) -> Reply:
    if Digest.of(reply.body) != digest:
        raise _unavailable(f"{reply.host} sent other bytes than {digest}")
    return reply


def _index(reply: Reply, what: str) -> list[Descriptor]:
    try:
        return parse_index(reply.body)
    except InputError as error:
        raise _unavailable(f"{reply.host} sent no list for {what}: {error}") from error


def _unavailable(message: str) -> Unavailable:
    return Unavailable(Code.REGISTRY_UNAVAILABLE, message)
