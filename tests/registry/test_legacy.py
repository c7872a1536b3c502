"""The layout of cosign 2: envelopes in a manifest tagged `sha256-HEX.att`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from stagepass.attestor import KeyRing, PublicKey
from stagepass.bundle import MEDIA_TYPE, Bundle
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.envelope import Envelope
from stagepass.errors import InputError
from stagepass.evidence import Attestation, Candidate, Deadline, Rejection
from stagepass.registry.legacy import MAX_SIGNATURES, as_bundles
from stagepass.registry.source import RegistrySource
from stagepass.statement import compose
from tests.registry import REPOSITORY, digest_in, paths, reference
from tests.registry.shop import OTHER, Shop, search
from tests.simulators.registry import STAGE_PASSED, Registry
from tests.world import signer

GOLDEN = Path(__file__).parent.parent / "fixtures" / "cosign-v3.1.3"
FOLDER = GOLDEN / "legacy-att-p256"
(CASE,) = (
    case
    for case in json.loads((GOLDEN / "cases.json").read_text())
    if case["name"] == "legacy-att-p256"
)
KEYS = KeyRing.of([(PublicKey.parse((GOLDEN / CASE["key"]).read_bytes()), "cosign")])
SUBJECT = Digest.parse(CASE["imageDigest"])
ENVELOPES = [(FOLDER / f"layer{number}.json").read_bytes() for number in range(2)]
JUNK_SIGNATURE = {"sig": base64.b64encode(b"junk").decode()}


def envelope(number: int = 0, **members: Any) -> dict[str, Any]:
    return {**json.loads(ENVELOPES[number]), **members}


def judged(data: bytes) -> list[Attestation | Rejection]:
    """What the ring says of a layer, a candidate each."""
    return [KEYS.verify(Candidate(bundle, "here"), SUBJECT) for bundle in as_bundles(data)]


def counts(data: bytes) -> bool:
    return any(isinstance(one, Attestation) for one in judged(data))


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def store(registry: Registry, subject: Digest, *layers: bytes, **members: Any) -> str:
    """As cosign stores them; `members` of every layer."""
    listed = [
        {
            "mediaType": "application/vnd.dsse.envelope.v1+json",
            "size": len(layer),
            "digest": registry.put_blob(REPOSITORY, layer),
            "annotations": {"dev.cosignproject.cosign/signature": ""},
            **members,
        }
        for layer in layers
    ]
    body = dumps({"schemaVersion": 2, "config": {}, "layers": listed})
    tag = f"sha256-{subject.hex}.att"
    return registry.put_manifest(REPOSITORY, body, tag=tag, index=False)


class TestOneEnvelope:
    @pytest.mark.parametrize("number", [0, 1])
    def test_what_cosign_wrote_counts(self, number: int) -> None:
        (found,) = judged(ENVELOPES[number])
        assert isinstance(found, Attestation)
        assert found.statement.payload == (FOLDER / f"statement{number}.json").read_bytes()
        assert found.owner == "cosign"

    @pytest.mark.parametrize(
        "changed",
        [
            envelope(extra={"a": [1]}),
            envelope(signatures=[{**envelope()["signatures"][0], "keyid": "somebody's"}]),
            envelope(signatures=[JUNK_SIGNATURE, *envelope()["signatures"]]),
            envelope(signatures=[*envelope()["signatures"], JUNK_SIGNATURE]),
            envelope(signatures=[{**envelope()["signatures"][0], "extra": 1}, 7, None]),
        ],
        ids=["member", "keyid", "junk before", "junk after", "no signatures at all"],
    )
    def test_what_nobody_signed_is_left_out_as_cosign_does(self, changed: dict[str, Any]) -> None:
        """Whoever stored it could have left it out as well; in a bundle it is refused."""
        wrapping = {"mediaType": MEDIA_TYPE, "verificationMaterial": {"publicKey": {}}}
        bundle = {**wrapping, "dsseEnvelope": changed}
        assert counts(dumps(changed))
        assert isinstance(KEYS.verify(Candidate(dumps(bundle), "here"), SUBJECT), Rejection)

    @pytest.mark.parametrize(
        "changed",
        [
            envelope(payload=envelope(1)["payload"]),
            envelope(payloadType="application/json"),
            envelope(payloadType=None),
            envelope(payload=None),
            envelope(payload=7),
            envelope(signatures=[]),
            envelope(signatures=None),
            envelope(signatures=[JUNK_SIGNATURE]),
            envelope(signatures=[*[JUNK_SIGNATURE] * MAX_SIGNATURES, *envelope()["signatures"]]),
            json.loads(Bundle(Envelope.parse(envelope()), "").to_bytes()),
            {},
        ],
    )
    def test_nothing_else_is_forgiven(self, changed: dict[str, Any]) -> None:
        found = judged(dumps(changed))
        assert found
        assert all(isinstance(one, Rejection) for one in found)

    def test_a_signature_by_another_is_a_rejection_that_names_its_type(self) -> None:
        payload = compose(name="x", digest=SUBJECT, predicate_type=OTHER, predicate=b"{}")
        (found,) = judged(dumps(signer("ci").private.sign(payload).envelope.to_json()))
        assert isinstance(found, Rejection)
        assert (found.code, found.predicate_type) == (Code.SIGNER_UNKNOWN, OTHER)

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"[]",
            b"\xff",
            ENVELOPES[0][:-1] + b',"payload":"e30="}',
            b"[" * 99 + b"]" * 99,
            b'{"signatures":[],"a":%d}' % 10**30,
            b'{"signatures":[{"sig":%d}]}' % 10**30,
        ],
    )
    def test_what_is_no_object_with_one_meaning_is_junk(self, text: bytes) -> None:
        with pytest.raises(InputError):
            as_bundles(text)


class TestReading:
    @pytest.fixture
    def image(self, registry: Registry) -> ImageRef:
        return reference(registry.host, SUBJECT)

    def test_it_is_read_last_with_a_request_for_each(
        self, registry: Registry, source: RegistrySource, image: ImageRef
    ) -> None:
        store(registry, SUBJECT, *ENVELOPES)
        (batch,), error = search(source, image)
        assert error is None
        found = [KEYS.verify(Candidate(data, "here"), SUBJECT) for data in batch]
        assert all(isinstance(one, Attestation) for one in found)
        asked = paths(registry)
        assert asked == ["GET referrers", *["GET manifests"] * 2, *["GET blobs"] * 2]

    def test_a_caller_with_enough_does_not_look_there(
        self, registry: Registry, source: RegistrySource, shop: Shop
    ) -> None:
        store(registry, digest_in(shop.image), *ENVELOPES)
        shop.attach(b"api")
        shop.attach(b"tag", as_tag=True)
        batches = source.batches(shop.image, digest_in(shop.image), frozenset(), Deadline.after(5))
        assert [c.data for c in next(batches)] == [b"api"]
        assert [c.data for c in next(batches)] == [b"tag"]
        assert not any(request.path.endswith(".att") for request in registry.requests)
        (candidate, _) = next(batches)
        tag = f"sha256-{digest_in(shop.image).hex}.att"
        assert candidate.origin == f"{shop.image.name}:{tag} {Digest.of(ENVELOPES[0])}"

    def test_a_bundle_hides_no_attachment(
        self, registry: Registry, source: RegistrySource, shop: Shop
    ) -> None:
        """It does in cosign 3: a stranger's junk bundle is enough (cosign-proof section 1.6)."""
        store(registry, digest_in(shop.image), *ENVELOPES)
        shop.attach(b"junk")
        found, error = search(source, shop.image)
        assert ([len(batch) for batch in found], error) == ([1, 2], None)

    def test_a_list_that_names_the_envelope_as_a_manifest_hides_it_not(
        self, registry: Registry, source: RegistrySource, shop: Shop
    ) -> None:
        store(registry, digest_in(shop.image), ENVELOPES[0])
        shop.list_in_tag(str(Digest.of(ENVELOPES[0])))
        found, error = search(source, shop.image)
        assert [len(batch) for batch in found] == [1]
        assert error is not None, "the manifest of that digest is not there"

    def test_wanted_types_come_first(
        self, registry: Registry, source: RegistrySource, image: ImageRef
    ) -> None:
        """By the annotation that cosign writes, which is anybody's claim and leaves nothing out."""
        listed = [
            {
                "mediaType": "application/vnd.dsse.envelope.v1+json",
                "size": len(layer),
                "digest": registry.put_blob(REPOSITORY, layer),
                "annotations": {"predicateType": kind},
            }
            for layer, kind in zip(ENVELOPES, (OTHER, STAGE_PASSED), strict=True)
        ]
        body, tag = dumps({"layers": listed}), f"sha256-{SUBJECT.hex}.att"
        registry.put_manifest(REPOSITORY, body, tag=tag, index=False)
        found = search(source, image)
        assert found == ([as_bundles(ENVELOPES[1]), as_bundles(ENVELOPES[0])], None)

    def test_other_layers_and_junk_hide_nothing(
        self, registry: Registry, source: RegistrySource, image: ImageRef
    ) -> None:
        store(registry, SUBJECT, b"junk", b"[]", ENVELOPES[0])
        found, error = search(source, image)
        assert (found, error) == ([as_bundles(ENVELOPES[0])], None)
        store(registry, SUBJECT, ENVELOPES[0], mediaType="application/octet-stream")
        assert search(source, image) == ([], None)

    @pytest.mark.parametrize(
        "body", [b"<html>", b"{}", b'{"manifests":[]}', b'{"layers":[],"manifests":[]}']
    )
    def test_nonsense_is_not_an_empty_list(
        self, body: bytes, registry: Registry, source: RegistrySource, image: ImageRef
    ) -> None:
        registry.put_manifest(REPOSITORY, body, tag=f"sha256-{SUBJECT.hex}.att", index=False)
        found, error = search(source, image)
        assert found == []
        assert error is not None
        assert "is no list of attestations" in error.message

    def test_layers_count_towards_the_limit(
        self, registry: Registry, source: RegistrySource, image: ImageRef
    ) -> None:
        store(registry, SUBJECT, *(dumps({"n": number}) for number in range(51)))
        found, error = search(source, image)
        assert [len(batch) for batch in found] == [50]
        assert error is not None
        assert error.code == Code.EVIDENCE_LIMIT

    def test_a_layer_that_cannot_be_read_hides_no_other(
        self, registry: Registry, source: RegistrySource, image: ImageRef
    ) -> None:
        store(registry, SUBJECT, *ENVELOPES)
        registry.faults.path_status = {str(Digest.of(ENVELOPES[0])): 500}
        found, error = search(source, image)
        assert found == [as_bundles(ENVELOPES[1])]
        assert error is not None
