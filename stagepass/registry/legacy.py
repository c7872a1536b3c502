"""
Attestations as cosign 2 stores them: layers of the manifest tagged `sha256-HEX.att`.

cosign-proof section 7. Each layer is a bare DSSE envelope; the policy-controller reads no other
layout for keys, and cosign 3 no longer this one once there is a bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stagepass import strictjson
from stagepass.bundle import MAX_BYTES, MEDIA_TYPE, Bundle
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError
from stagepass.evidence import Deadline
from stagepass.registry.append import Document, Entry, append
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import (
    MANIFEST_TYPE,
    MAX_MANIFEST,
    Descriptor,
    Listing,
    descriptors,
    manifest_document,
    rewritten,
)
from stagepass.registry.replies import unavailable
from stagepass.registry.uploads import push_blob, push_manifest

ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"

MAX_SIGNATURES = 4
"""So many are tried each by itself: anybody may add some to an envelope, and each costs a check."""

_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
# Empty, and without it cosign reads no layer.
_SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
_PREDICATE_ANNOTATION = "predicateType"
_NEVER = "0001-01-01T00:00:00Z"
_MAX_DEPTH = 32


def attachments_tag(subject: Digest) -> str:
    """The tag of what is attached to `subject`."""
    return f"sha256-{subject.hex}.att"


def attachments(
    client: RegistryClient, image: ImageRef, subject: Digest, deadline: Deadline
) -> Listing:
    """The envelopes under the tag. Raises `Unavailable`, also for what is no manifest."""
    layers = AttachmentsTag(client, image, subject).read(deadline)[1]
    return Listing(
        tuple(
            descriptor
            for descriptor in descriptors(layers, _PREDICATE_ANNOTATION)
            if descriptor.media_type == ENVELOPE_TYPE
        )
    )


def as_bundles(envelope: bytes) -> list[bytes]:
    """
    An envelope as bundles without a hint, one for each of its signatures.

    As lenient as cosign is here: a foreign `keyid`, another signature and members that nobody signed
    are left out, which whoever stored it could have done. Nothing else is, so that what remains is
    judged as any bundle is. Raises `InputError` for what is no object in JSON.
    """
    document = strictjson.loads_object(envelope, max_bytes=MAX_BYTES, max_depth=_MAX_DEPTH)
    signatures = document.get("signatures")
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= MAX_SIGNATURES:
        return [_bundle(document)]
    signed = {name: document.get(name) for name in ("payload", "payloadType")}
    return [_bundle({**signed, "signatures": [_bare(each)]}) for each in signatures]


def push_attachment(
    client: RegistryClient,
    image: ImageRef,
    subject: Digest,
    bundle: bytes,
    predicate_type: str,
    deadline: Deadline,
) -> Digest:
    """
    Store the envelope of `bundle` as cosign 2 does and return its digest, once it is read back.

    Raises `AttestationError` for what is no bundle of a key, `Unavailable` for the rest.
    """
    parsed = Bundle.parse(bundle)
    if parsed.certificate is not None:
        # The layer is the bare envelope: stored without its certificate it would never count.
        raise AttestationError(
            Code.STATEMENT_INVALID, "the legacy layout has no room for a certificate; leave it out"
        )
    envelope = strictjson.dumps(parsed.envelope.to_json())
    digest = push_blob(client.session, image, envelope, deadline)
    entry = {
        **Descriptor(ENVELOPE_TYPE, digest, len(envelope)).to_json(),
        "annotations": {_SIGNATURE_ANNOTATION: "", _PREDICATE_ANNOTATION: predicate_type},
    }
    append(AttachmentsTag(client, image, subject), entry, deadline)
    client.blob(image, digest, deadline)
    return digest


@dataclass(frozen=True, slots=True)
class AttachmentsTag:
    """The manifest under the tag `sha256-HEX.att`, as a `TaggedList`."""

    client: RegistryClient
    image: ImageRef
    subject: Digest

    def __str__(self) -> str:
        return f"{self.image.name}:{attachments_tag(self.subject)}"

    def read(self, deadline: Deadline) -> tuple[Document, list[Entry]]:
        """The manifest and its layers. Raises `Unavailable` for what is no manifest."""
        tag = attachments_tag(self.subject)
        reply = self.client.tagged(self.image, tag, MANIFEST_TYPE, deadline)
        if reply is None:
            return {}, []
        try:
            manifest = manifest_document(reply.body)
        except InputError as error:
            raise unavailable(f"{self} is no list of attestations: {error}") from error
        return manifest, [layer for layer in manifest["layers"] if isinstance(layer, dict)]

    def prepare(self, document: Document, entries: list[Entry], deadline: Deadline) -> bytes:
        """The manifest of these; its config, which names them as well, is stored afterwards."""
        config = _config(entries)
        push_blob(self.client.session, self.image, config, deadline)
        described = Descriptor(_CONFIG_TYPE, Digest.of(config), len(config)).to_json()
        head = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE}
        body = rewritten({**head, **document, "config": described, "layers": entries})
        if len(body) > MAX_MANIFEST:
            raise InputError(f"over {MAX_MANIFEST} bytes of attestations", where=str(self))
        return body

    def write(self, body: bytes, deadline: Deadline) -> None:
        """Put the tag. Raises `Unavailable`."""
        session, tag = self.client.session, attachments_tag(self.subject)
        push_manifest(session, self.image, body, MANIFEST_TYPE, deadline, tag=tag)


def _config(layers: list[Entry]) -> bytes:
    """As cosign writes it."""
    return strictjson.dumps(
        {
            "architecture": "",
            "created": _NEVER,
            "history": [{"created": _NEVER} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [layer.get("digest") for layer in layers]},
            "config": {},
        }
    )


def _bundle(envelope: dict[str, Any]) -> bytes:
    return rewritten(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {}},
            "dsseEnvelope": envelope,
        }
    )


def _bare(signature: object) -> object:
    return {"sig": signature.get("sig")} if isinstance(signature, dict) else signature
