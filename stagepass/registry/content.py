"""What a registry holds, parsed: descriptors, listings, and the manifest around a bundle."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from stagepass import strictjson
from stagepass.digest import Digest
from stagepass.errors import InputError, Unavailable

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"
PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"
CREATED_ANNOTATION = "org.opencontainers.image.created"

MAX_LISTING, MAX_MANIFEST = 4 << 20, 1 << 20
_MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Descriptor:
    """
    Content named by its digest; `size` in bytes.

    `artifact_type`, `predicate_type` and `created` ("" where absent) are anybody's claims: good for an
    order, never for a decision. `data` is the content itself where the descriptor embeds it.
    """

    media_type: str
    digest: Digest
    size: int
    artifact_type: str = ""
    predicate_type: str = ""
    data: bytes | None = None
    created: str = ""

    def to_json(self) -> dict[str, Any]:
        """The three members that name content, without claims."""
        return {"mediaType": self.media_type, "size": self.size, "digest": str(self.digest)}

    @classmethod
    def parse(cls, value: object, annotation: str = PREDICATE_ANNOTATION) -> Descriptor:
        """Raises `InputError`, also where embedded data is not what the digest names."""
        if not isinstance(value, dict):
            raise InputError(f"a descriptor is an object, this is {strictjson.type_name(value)}")
        annotations = value.get("annotations")
        claims = annotations if isinstance(annotations, dict) else {}
        digest = Digest.parse(_text(value, "digest"))
        return cls(
            media_type=_text(value, "mediaType"),
            digest=digest,
            size=_size(value.get("size")),
            artifact_type=_claim(value.get("artifactType")),
            predicate_type=_claim(claims.get(annotation)),
            data=_data(value.get("data"), digest),
            created=_claim(claims.get(CREATED_ANNOTATION)),
        )

    @property
    def may_be_bundle(self) -> bool:
        """False for what claims to be something else, such as an SBOM: not worth a request.

        Registries list the *config's* type, or none, for what cosign wrote (cosign-proof section 3).
        """
        return self.artifact_type in ("", EMPTY_TYPE) or self.artifact_type.startswith(
            BUNDLE_PREFIX
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """What refers to a subject. `gap` is why it is not all of it, None where it is."""

    entries: tuple[Descriptor, ...]
    gap: Unavailable | None = None


def rewritten(document: dict[str, Any]) -> bytes:
    """A stranger's document as JSON again. Raises `InputError` for numbers that cannot be kept."""
    try:
        return strictjson.dumps(document)
    except TypeError as error:
        raise InputError("numbers beyond 64 bits") from error


def referrers_tag(digest: Digest) -> str:
    """The tag that stands in for the referrers API (distribution-spec 1.1)."""
    return f"sha256-{digest.hex}"


def index_document(body: bytes) -> dict[str, Any]:
    """
    An image index as JSON; `manifests` is a list.

    Raises `InputError`, also for what could be read as a manifest too (GHSA-qq97-vm5h-rrhg).
    """
    document = strictjson.loads_object(body, max_bytes=MAX_LISTING, max_depth=_MAX_DEPTH)
    if not isinstance(document.get("manifests"), list) or document.keys() & {"layers", "config"}:
        raise InputError("not an image index")
    if document.get("mediaType", INDEX_TYPE) != INDEX_TYPE:
        raise InputError(f"mediaType {document['mediaType']!r} is not an image index's")
    return document


def parse_index(body: bytes) -> list[Descriptor]:
    """The entries of an image index that we can name; others are left out. Raises `InputError`."""
    return descriptors(index_document(body)["manifests"], PREDICATE_ANNOTATION)


def descriptors(entries: list[Any], annotation: str) -> list[Descriptor]:
    """Those that we can name, the others left out; `annotation` claims the predicate type."""
    return [named for entry in entries if (named := _entry(entry, annotation))]


def manifest_document(body: bytes) -> dict[str, Any]:
    """An image manifest as JSON; `layers` is a list. Raises `InputError`."""
    document = strictjson.loads_object(body, max_bytes=MAX_MANIFEST, max_depth=_MAX_DEPTH)
    if not isinstance(document.get("layers"), list) or "manifests" in document:
        raise InputError("not an image manifest")
    if document.get("mediaType", MANIFEST_TYPE) != MANIFEST_TYPE:
        raise InputError(f"mediaType {document['mediaType']!r} is not a manifest's")
    return document


def parse_bundle_manifest(body: bytes, subject: Digest) -> Descriptor:
    """
    The one layer of a manifest that holds a bundle for `subject`. Raises `InputError` for any other.

    A manifest without subject counts (it is listed, and the signed subject decides); one that names
    another subject does not (CVE-2023-33959).
    """
    document = manifest_document(body)
    layers = document["layers"]
    if len(layers) != 1:
        raise InputError("not a manifest of one layer")
    named = document.get("subject")
    if named is not None and Descriptor.parse(named).digest != subject:
        raise InputError("the manifest names another subject")
    layer = Descriptor.parse(layers[0])
    if not layer.media_type.startswith(BUNDLE_PREFIX):
        raise InputError(f"the layer is {layer.media_type!r}, not a bundle")
    return layer


def manifest_media_type(body: bytes, header: str) -> str:
    """
    The media type of an image manifest or index: what it says itself, else the Content-Type.

    Raises `InputError` for what is neither, or both (GHSA-qq97-vm5h-rrhg).
    """
    document = strictjson.loads_object(body, max_bytes=MAX_MANIFEST, max_depth=_MAX_DEPTH)
    if ("manifests" in document) == ("layers" in document):
        raise InputError("not an image manifest and not an index")
    return _text({"mediaType": header, **document}, "mediaType")


def _entry(value: object, annotation: str) -> Descriptor | None:
    try:
        return Descriptor.parse(value, annotation)
    except InputError:
        return None


def _text(value: dict[str, Any], key: str) -> str:
    text = value.get(key)
    if not isinstance(text, str) or not text:
        raise InputError(f"{key} is not a text of at least one character")
    return text


def _claim(value: object) -> str:
    return value if isinstance(value, str) else ""


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError("size is not a number of bytes")
    return value


def _data(value: object, digest: Digest) -> bytes | None:
    if value is None:
        return None
    try:
        data = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("data is not base64") from error
    if Digest.of(data) != digest:
        raise InputError("data is not what the digest names")
    return data
