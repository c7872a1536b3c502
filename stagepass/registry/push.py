"""Storing a bundle beside an image, byte for byte as cosign 3.1.3 does (cosign-proof section 3)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stagepass import strictjson
from stagepass.bundle import MAX_BYTES, MEDIA_TYPE
from stagepass.clock import format_time
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.registry.append import Document, Entry, append
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import (
    CREATED_ANNOTATION,
    EMPTY_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    MAX_LISTING,
    MAX_MANIFEST,
    PREDICATE_ANNOTATION,
    Descriptor,
    index_document,
    parse_bundle_manifest,
    referrers_tag,
    rewritten,
)
from stagepass.registry.replies import NotFound, unavailable
from stagepass.registry.uploads import push_blob, push_manifest

_EMPTY = b"{}"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


def push_bundle(
    client: RegistryClient,
    image: ImageRef,
    digest: Digest,
    bundle: bytes,
    predicate_type: str,
    now: datetime,
    deadline: Deadline,
    *,
    inline: bool = False,
) -> Digest:
    """
    Store `bundle` as a referrer of `digest` and return its manifest's digest, once it is read back.

    `now` is the creation time it shows; `inline` puts it into the manifest as well, which saves
    readers a request (W7). A registry without the referrers API gets the tag in its place, which
    takes a second more. Raises `InputError` where there is no such image or the bundle is too big;
    `Unavailable` for the rest.
    """
    if len(bundle) > MAX_BYTES:
        raise InputError(f"a bundle of {len(bundle)} bytes; at most {MAX_BYTES} are read back")
    subject = _subject(client, image, digest, deadline)
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        PREDICATE_ANNOTATION: predicate_type,
        CREATED_ANNOTATION: format_time(now),
    }
    body = _manifest(subject, bundle, annotations, inline=inline)
    # docker-registry refuses a manifest whose blobs it lacks, so they come first (W5).
    push_blob(client.session, image, _EMPTY, deadline)
    push_blob(client.session, image, bundle, deadline)
    stored = push_manifest(client.session, image, body, MANIFEST_TYPE, deadline)
    entry = {
        **Descriptor(MANIFEST_TYPE, stored, len(body)).to_json(),
        "artifactType": MEDIA_TYPE,
        "annotations": annotations,
    }
    _list(client, image, digest, entry, stored, deadline)
    _read_back(client, image, digest, stored, deadline)
    return stored


@dataclass(frozen=True, slots=True)
class ReferrersTag:
    """The index under the tag `sha256-HEX`, as a `TaggedList`."""

    client: RegistryClient
    image: ImageRef
    subject: Digest

    def __str__(self) -> str:
        return f"{self.image.name}:{referrers_tag(self.subject)}"

    def read(self, deadline: Deadline) -> tuple[Document, list[Entry]]:
        """The index. Raises `Unavailable` for what is none: it is not written over."""
        reply = self.client.tagged(self.image, referrers_tag(self.subject), INDEX_TYPE, deadline)
        if reply is None:
            return {}, []
        try:
            index = index_document(reply.body)
        except InputError as error:
            raise unavailable(f"{self} is no list of referrers: {error}") from error
        return index, [entry for entry in index["manifests"] if isinstance(entry, dict)]

    def prepare(
        self,
        document: Document,
        entries: list[Entry],
        deadline: Deadline,  # noqa: ARG002
    ) -> bytes:
        """The index of these, by digest as cosign has them. Raises `InputError` past 4 MiB."""
        listed = sorted(entries, key=lambda entry: str(entry.get("digest")))
        head = {"schemaVersion": 2, "mediaType": INDEX_TYPE}
        body = rewritten({**head, **document, "manifests": listed})
        if len(body) > MAX_LISTING:
            raise InputError(f"over {MAX_LISTING} bytes of referrers", where=str(self))
        return body

    def write(self, body: bytes, deadline: Deadline) -> None:
        """Put the tag. Raises `Unavailable`."""
        session, tag = self.client.session, referrers_tag(self.subject)
        push_manifest(session, self.image, body, INDEX_TYPE, deadline, tag=tag)


def _subject(
    client: RegistryClient, image: ImageRef, digest: Digest, deadline: Deadline
) -> Descriptor:
    try:
        return client.head_manifest(image, digest, deadline)
    except NotFound as error:
        raise InputError("no such image", where=f"{image.name}@{digest}") from error
    except InputError as error:
        raise InputError(error.message, where=f"{image.name}@{digest}") from error


def _manifest(
    subject: Descriptor, bundle: bytes, annotations: dict[str, str], *, inline: bool
) -> bytes:
    config = Descriptor(EMPTY_TYPE, Digest.of(_EMPTY), len(_EMPTY))
    layer: dict[str, Any] = Descriptor(MEDIA_TYPE, Digest.of(bundle), len(bundle)).to_json()
    if inline:
        layer["data"] = base64.b64encode(bundle).decode()
    body = strictjson.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {**config.to_json(), "artifactType": MEDIA_TYPE},
            "layers": [layer],
            "annotations": {**annotations},
            "subject": subject.to_json(),
            "artifactType": MEDIA_TYPE,
        }
    )
    if len(body) > MAX_MANIFEST:
        raise InputError(
            f"a manifest of {len(body)} bytes; at most {MAX_MANIFEST} are read back",
            hint="leave out --inline",
        )
    return body


def _list(
    client: RegistryClient,
    image: ImageRef,
    digest: Digest,
    entry: Entry,
    stored: Digest,
    deadline: Deadline,
) -> None:
    """
    See to it that readers find it: a 201 does not say so, least of all behind a cache (W6).

    The API is asked only now: one that is there answers 404 for no image any more.
    """
    unlisted = f"{image.name}@{stored} is stored, but {image.host} does not list it"
    for _ in _attempts(deadline, unlisted):
        listing = client.referrers(image, digest, deadline)
        if listing is None:
            return append(ReferrersTag(client, image, digest), entry, deadline)
        if any(e.digest == stored for e in listing.entries):
            return None
    return None


def _read_back(
    client: RegistryClient, image: ImageRef, digest: Digest, stored: Digest, deadline: Deadline
) -> None:
    lost = f"{image.name}@{stored} was stored, but {image.host} does not give it back"
    for _ in _attempts(deadline, lost):
        try:
            layer = parse_bundle_manifest(client.manifest(image, stored, deadline), digest)
            if layer.data is None:
                client.blob(image, layer.digest, deadline)
        except NotFound:
            continue
        return


def _attempts(deadline: Deadline, message: str) -> Iterator[None]:
    """Now, and again after pauses that double. Raises `Unavailable` when the next is too late."""
    pause = _FIRST_PAUSE
    while True:
        yield
        if pause >= deadline.remaining():
            raise unavailable(message)
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
