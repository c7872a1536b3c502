"""Storing a bundle beside an image, byte for byte as cosign 3.1.3 does (cosign-proof section 3)."""

from __future__ import annotations

import time
from datetime import datetime

from stagepass import strictjson
from stagepass.bundle import MAX_BYTES, MEDIA_TYPE
from stagepass.clock import format_time
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.client import NotFound, RegistryClient
from stagepass.registry.content import (
    EMPTY_TYPE,
    MANIFEST_TYPE,
    PREDICATE_ANNOTATION,
    Descriptor,
)

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
) -> Digest:
    """
    Store `bundle` as a referrer of `digest` and return its manifest's digest, once it is listed.

    `now` is the creation time it shows. Raises `InputError` where there is no such image, the
    bundle is over 1 MiB or the registry has no referrers API (W6); `Unavailable` for the rest.
    """
    if len(bundle) > MAX_BYTES:
        raise InputError(f"a bundle of {len(bundle)} bytes; at most {MAX_BYTES} are read back")
    _refuse_without_api(client, image, digest, deadline)
    subject = _subject(client, image, digest, deadline)
    # docker-registry refuses a manifest whose blobs it lacks, so they come first (W5).
    config = client.push_blob(image, _EMPTY, deadline)
    layer = client.push_blob(image, bundle, deadline)
    body = _manifest(
        subject,
        Descriptor(EMPTY_TYPE, config, len(_EMPTY)),
        Descriptor(MEDIA_TYPE, layer, len(bundle)),
        {
            "dev.sigstore.bundle.content": "dsse-envelope",
            PREDICATE_ANNOTATION: predicate_type,
            "org.opencontainers.image.created": format_time(now),
        },
    )
    stored = client.push_manifest(image, body, MANIFEST_TYPE, deadline)
    _wait_until_listed(client, image, digest, stored, deadline)
    return stored


def _refuse_without_api(
    client: RegistryClient, image: ImageRef, digest: Digest, deadline: Deadline
) -> None:
    if client.referrers(image, digest, deadline) is None:
        raise InputError(
            f"{image.host} has no referrers API, and this version cannot write the tag that takes"
            " its place",
            hint="write the evidence to a directory: --evidence dir:PATH",
        )


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
    subject: Descriptor, config: Descriptor, layer: Descriptor, annotations: dict[str, str]
) -> bytes:
    return strictjson.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {**_json(config), "artifactType": MEDIA_TYPE},
            "layers": [_json(layer)],
            "annotations": {**annotations},
            "subject": _json(subject),
            "artifactType": MEDIA_TYPE,
        }
    )


def _json(descriptor: Descriptor) -> dict[str, strictjson.Json]:
    return {
        "mediaType": descriptor.media_type,
        "size": descriptor.size,
        "digest": str(descriptor.digest),
    }


def _wait_until_listed(
    client: RegistryClient, image: ImageRef, digest: Digest, stored: Digest, deadline: Deadline
) -> None:
    """A 201 does not say that readers find it, least of all behind a cache (W6)."""
    pause = _FIRST_PAUSE
    while not _is_listed(client, image, digest, stored, deadline):
        if pause >= deadline.remaining():
            raise Unavailable(
                Code.REGISTRY_UNAVAILABLE,
                f"{image.name}@{stored} is stored, but {image.host} does not list it",
            )
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _is_listed(
    client: RegistryClient, image: ImageRef, digest: Digest, stored: Digest, deadline: Deadline
) -> bool:
    listing = client.referrers(image, digest, deadline)
    return listing is not None and any(e.digest == stored for e in listing.entries)
