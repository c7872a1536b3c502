"""An image in a registry, and what is put beside it."""

from __future__ import annotations

import json
from typing import Any

from stagepass.bundle import MEDIA_TYPE
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline, EvidenceSource
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.source import RegistrySource
from tests.registry import REPOSITORY, digest_in
from tests.simulators.registry import MANIFEST_TYPE, STAGE_PASSED, Registry

WANTED = frozenset({STAGE_PASSED})
OTHER = "https://example.com/other"
EMPTY = "application/vnd.oci.empty.v1+json"


class Shop:
    """The one image, and what is put beside it."""

    def __init__(self, registry: Registry, image: ImageRef) -> None:
        self.registry, self.image, self.digest = registry, image, str(image.digest)

    def attach(self, data: bytes, predicate_type: str | None = STAGE_PASSED, **how: Any) -> str:
        return self.registry.attach(
            REPOSITORY, self.digest, data, predicate_type=predicate_type, **how
        )

    def manifest(self, data: bytes, **members: Any) -> str:
        """A bundle's manifest, with `members` instead of its own; None leaves one out."""
        blob = self.registry.put_blob(REPOSITORY, data)
        self.registry.put_blob(REPOSITORY, b"{}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": MEDIA_TYPE,
            "config": {"mediaType": EMPTY, "size": 2, "digest": str(Digest.of(b"{}"))},
            "layers": [{"mediaType": MEDIA_TYPE, "size": len(data), "digest": blob}],
            "subject": {"mediaType": MANIFEST_TYPE, "size": 1, "digest": self.digest},
            **members,
        }
        whole = {name: value for name, value in manifest.items() if value is not None}
        return self.registry.put_manifest(REPOSITORY, json.dumps(whole).encode())

    def list_in_tag(self, *manifests: str, **members: str) -> None:
        entries = [
            {"mediaType": MANIFEST_TYPE, "size": 7, "digest": digest, **members}
            for digest in manifests
        ]
        body = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
        tag = self.digest.replace(":", "-")
        self.registry.put_manifest(REPOSITORY, body, tag=tag, index=False)


def search(
    source: EvidenceSource,
    image: ImageRef,
    *,
    wanted: frozenset[str] = WANTED,
    seconds: float = 5.0,
) -> tuple[list[list[bytes]], Unavailable | None]:
    """Every batch to the end, and what was raised there."""
    found: list[list[bytes]] = []
    try:
        for batch in source.batches(image, digest_in(image), wanted, Deadline.after(seconds)):
            found.append([candidate.data for candidate in batch])
    except Unavailable as error:
        return found, error
    return found, None


def beside(image: ImageRef) -> list[bytes]:
    """Every bundle that lies beside an image in a registry that needs no login."""
    client = RegistryClient(RegistrySettings(), Credentials(), frozenset({image.host}))
    with RegistrySource(client, listing_seconds=0) as source:
        found, error = search(source, image)
    assert error is None
    return [data for batch in found for data in batch]
