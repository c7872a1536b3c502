"""What a registry holds: blobs, manifests, tags, upload sessions and the referrers of a subject."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

Json = dict[str, Any]

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return f"sha256:{sha256(data).hexdigest()}"


def dump(value: Json) -> bytes:
    """Compact JSON, members in the order given."""
    return json.dumps(value, separators=(",", ":")).encode()


def parse(body: bytes) -> Json | None:
    """The JSON object in `body`, or None."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def digest_in(descriptor: object) -> str | None:
    """The well-formed digest of a descriptor, or None."""
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    return digest if isinstance(digest, str) and DIGEST.fullmatch(digest) else None


def describe(data: bytes, media_type: str) -> Json:
    """A content descriptor: mediaType, size in bytes, digest."""
    return {"mediaType": media_type, "size": len(data), "digest": digest_of(data)}


def _listed(body: bytes, media_type: str, manifest: Json) -> Json:
    """How the referrers API lists a manifest (distribution-spec 1.1, "Listing Referrers")."""
    config = manifest.get("config") or {}
    entry = describe(body, media_type)
    if artifact_type := manifest.get("artifactType") or config.get("mediaType"):
        entry["artifactType"] = artifact_type
    if annotations := manifest.get("annotations"):
        entry["annotations"] = annotations
    return entry


@dataclass(slots=True)
class Repository:
    """
    One repository; each method is one step for every other thread.

    `referrers` is subject digest → manifest digest → descriptor.
    """

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    referrers: dict[str, dict[str, Json]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)

    def manifest(self, reference: str) -> tuple[str, str, bytes] | None:
        """Digest, media type and bytes of what a tag or a digest names."""
        digest = self.tags.get(reference, reference)
        found = self.manifests.get(digest)
        return (digest, *found) if found else None

    def put_blob(self, data: bytes) -> str:
        """Store a blob; its digest."""
        digest = digest_of(data)
        self.blobs[digest] = data
        return digest

    def put_manifest(
        self, body: bytes, media_type: str, *, tag: str | None = None, index: bool = True
    ) -> str:
        """Store anything as a manifest, unchecked; with `index`, list it under its subject."""
        digest, manifest = digest_of(body), parse(body) or {}
        self.manifests[digest] = media_type, body
        if tag is not None:
            self.tags[tag] = digest
        if index and (subject := digest_in(manifest.get("subject"))):
            entry = _listed(body, media_type, manifest)
            self.referrers.setdefault(subject, {})[digest] = entry
        return digest

    def lacks(self, manifest: Json) -> list[str]:
        """Digests that `manifest` needs and nobody pushed; inline `data` needs no blob."""
        blobs = [manifest.get("config"), *(manifest.get("layers") or [])]
        wanted = [digest_in(blob) for blob in blobs if "data" not in (blob or {})]
        children = [digest_in(child) for child in manifest.get("manifests") or []]
        return [digest for digest in wanted if digest and digest not in self.blobs] + [
            digest for digest in children if digest and digest not in self.manifests
        ]

    def put_image(self, content: bytes, tag: str | None) -> str:
        """A one-layer image whose layer is `content`; the digest of its manifest."""
        layer = describe(content, LAYER_TYPE)
        rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
        config = dump({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
        self.put_blob(content)
        self.put_blob(config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": describe(config, CONFIG_TYPE),
            "layers": [layer],
        }
        return self.put_manifest(dump(manifest), MANIFEST_TYPE, tag=tag)

    def put_bundle(
        self, subject: str, bundle: bytes, predicate_type: str | None, *, as_tag: bool
    ) -> str:
        """Store a bundle as cosign 3.1.3 does, byte for byte but for the time; its digest."""
        annotations = {"dev.sigstore.bundle.content": "dsse-envelope"}
        if predicate_type is not None:
            annotations["dev.sigstore.bundle.predicateType"] = predicate_type
        _, media_type, body = self.manifest(subject) or (subject, MANIFEST_TYPE, b"")
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {**describe(b"{}", EMPTY_TYPE), "artifactType": BUNDLE_TYPE},
            "layers": [describe(bundle, BUNDLE_TYPE)],
            "annotations": {
                **annotations,
                "org.opencontainers.image.created": "2026-11-23T01:29:27Z",
            },
            "subject": {"mediaType": media_type, "size": len(body), "digest": subject},
            "artifactType": BUNDLE_TYPE,
        }
        self.put_blob(b"{}")
        self.put_blob(bundle)
        digest = self.put_manifest(dump(manifest), MANIFEST_TYPE, index=not as_tag)
        if as_tag:
            self._list_in_tag(subject, dump(manifest))
        return digest

    def _list_in_tag(self, subject: str, body: bytes) -> None:
        tag = subject.replace(":", "-")
        _, _, old = self.manifest(tag) or ("", "", b"{}")
        entry = {**describe(body, MANIFEST_TYPE), "artifactType": BUNDLE_TYPE}
        entries = {each["digest"]: each for each in (parse(old) or {}).get("manifests", [])}
        entries[entry["digest"]] = entry
        listed = [entries[digest] for digest in sorted(entries)]
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": listed}
        self.put_manifest(dump(index), INDEX_TYPE, tag=tag)
