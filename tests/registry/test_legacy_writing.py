"""Writing the layout of cosign 2, byte for byte as cosign does."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from stagepass import strictjson
from stagepass.attestor import KeyRing
from stagepass.bundle import Bundle
from stagepass.digest import Digest, ImageRef
from stagepass.envelope import Envelope
from stagepass.errors import AttestationError, Unavailable
from stagepass.evidence import Attestation, Candidate, Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.legacy import push_attachment
from stagepass.registry.source import RegistrySource
from stagepass.statement import PAYLOAD_TYPE, compose
from tests.registry import REPOSITORY, digest_in, reference
from tests.registry.conftest import Connect
from tests.registry.shop import OTHER, search
from tests.registry.test_legacy import CASE, ENVELOPES, FOLDER, SUBJECT
from tests.simulators.registry import Registry
from tests.world import signer


def bundle_of(image: ImageRef, number: int = 0, kind: str = OTHER) -> bytes:
    predicate = b'{"number":%d}' % number
    payload = compose(
        name=image.name, digest=digest_in(image), predicate_type=kind, predicate=predicate
    )
    return signer("ci").private.sign(payload).to_bytes()


def test_it_is_stored_byte_for_byte_as_cosign_does(
    registry: Registry, client: RegistryClient
) -> None:
    """The two attestations of the fixture, one after the other: manifest and config are equal."""
    image = reference(registry.host, SUBJECT)
    for data in ENVELOPES:
        bundle = Bundle(Envelope.parse(json.loads(data)), "").to_bytes()
        kind = json.loads(Envelope.parse(json.loads(data)).payload)["predicateType"]
        until = Deadline.after(10)
        stored = push_attachment(client, image, SUBJECT, bundle, kind, until)
        assert stored == Digest.of(data)
    repository = registry._api.repository(REPOSITORY)
    found = repository.manifest(CASE["tag"])
    assert found
    assert found[2] == (FOLDER / "manifest.json").read_bytes()
    assert str(found[0]) == CASE["manifestDigest"]
    config = (FOLDER / "config.json").read_bytes()
    assert repository.blobs[str(Digest.of(config))] == config


def test_what_was_written_counts(
    client: RegistryClient, source: RegistrySource, image: ImageRef
) -> None:
    bundle = bundle_of(image)
    push_attachment(client, image, digest_in(image), bundle, OTHER, Deadline.after(10))
    ((data,),), error = search(source, image)
    assert error is None
    ring = KeyRing.of([(signer("ci").private.public, "ci")])
    assert isinstance(ring.verify(Candidate(data, "here"), digest_in(image)), Attestation)
    assert Bundle.parse(data).envelope == Bundle.parse(bundle).envelope


def test_many_writers_lose_nothing(
    registry: Registry, connect: Connect, image: ImageRef, source: RegistrySource
) -> None:
    registry.faults.latency = 0.01

    def one(number: int) -> Digest:
        client, bundle = connect(registry.host), bundle_of(image, number)
        until = Deadline.after(60)
        return push_attachment(client, image, digest_in(image), bundle, OTHER, until)

    with ThreadPoolExecutor(8) as writers:
        stored = set(writers.map(one, range(8)))
    registry.faults.latency = 0
    (batch,), error = search(source, image)
    assert error is None
    assert len(stored) == len(batch) == 8


def test_what_lies_there_and_is_no_manifest_is_not_written_over(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    tag = f"sha256-{digest_in(image).hex}.att"
    registry.put_manifest(REPOSITORY, b'{"manifests":[]}', tag=tag, index=False)
    with pytest.raises(Unavailable, match="is no list of attestations"):
        push_attachment(client, image, digest_in(image), bundle_of(image), OTHER, Deadline.after(5))


def test_a_certificate_is_not_left_behind(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    """The layer is the bare envelope, which without its certificate would never count."""
    keyed = Bundle.parse(bundle_of(image))
    data = Bundle(keyed.envelope, "", certificate=b"0").to_bytes()
    with pytest.raises(AttestationError, match="no room for a certificate"):
        push_attachment(client, image, digest_in(image), data, OTHER, Deadline.after(5))
    assert registry.requests == []


def test_what_is_no_bundle_is_not_written(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    data = strictjson.dumps({"payloadType": PAYLOAD_TYPE})
    with pytest.raises(AttestationError):
        push_attachment(client, image, digest_in(image), data, OTHER, Deadline.after(5))
    assert registry.requests == []
