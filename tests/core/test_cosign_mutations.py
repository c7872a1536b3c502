"""Every bundle that cosign wrote, and one of each kind of key, altered wherever it has a member."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from stagepass import strictjson
from stagepass.attestor import KeyRing, PublicKey
from stagepass.bundle import Bundle
from stagepass.digest import Digest
from stagepass.envelope import Envelope, pae
from stagepass.evidence import Attestation, Candidate
from stagepass.statement import PAYLOAD_TYPE
from tests.core.test_cosign import BUNDLES, ED25519PH, FIXTURES
from tests.core.test_mutations import OTHER_VALUES, members
from tests.world import DIGEST, changed, statement

# Nobody signs the hint, and no time stamp is read.
UNSIGNED = re.compile(
    r"verificationMaterial\.(publicKey(\.hint)?|tlogEntries|timestampVerificationData(\..*)?)"
)
KINDS = [*BUNDLES, "ed25519"]


class Golden:
    """A bundle, the ring of its key, and the image it is about."""

    def __init__(self, name: str) -> None:
        if name == "ed25519":
            self.data, public, self.digest = _pure_ed25519()
        else:
            case = BUNDLES[name]
            self.data = (FIXTURES / name / "bundle.json").read_bytes()
            public = (FIXTURES / case["key"]).read_bytes()
            self.digest = Digest.parse(case["imageDigest"])
        self.ring = KeyRing.of([(PublicKey.parse(public), "owner")])
        self.document: dict[str, Any] = strictjson.loads_object(
            self.data, max_bytes=1 << 20, max_depth=9
        )

    def verdict(self, data: bytes) -> Attestation | None:
        found = self.ring.verify(Candidate(data, "mutant"), self.digest)
        return found if isinstance(found, Attestation) else None

    def counts(self, changes: dict[str, Any]) -> bool:
        return self.verdict(strictjson.dumps(changed(self.document, changes))) is not None

    def decoded(self, path: str) -> bytes:
        node: Any = self.document
        for step in path.split("."):
            node = node[int(step)] if isinstance(node, list) else node[step]
        return base64.b64decode(node)


def _pure_ed25519() -> tuple[bytes, bytes, Digest]:
    """cosign writes none; it accepts this one (`ed25519 (pure)` of the judged cases)."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    payload = statement()
    envelope = Envelope(PAYLOAD_TYPE, payload, key.sign(pae(PAYLOAD_TYPE, payload)))
    return Bundle(envelope, PublicKey.parse(public).id).to_bytes(), public, DIGEST


@pytest.fixture(params=KINDS, scope="module")
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.param)


def test_the_bundle_itself_counts_where_its_signature_can(golden: Golden) -> None:
    ph = golden.data == (FIXTURES / ED25519PH / "bundle.json").read_bytes()

    assert (golden.verdict(golden.data) is None) is ph


def test_no_member_can_be_replaced_but_what_nobody_signs(golden: Golden) -> None:
    accepted = {
        path
        for path in members(golden.document)
        for value in OTHER_VALUES
        if golden.counts({path: value})
    }

    assert {path for path in accepted if not UNSIGNED.fullmatch(path)} == set()


@pytest.mark.parametrize("path", ["dsseEnvelope.payload", "dsseEnvelope.signatures.0.sig"])
def test_no_byte_of_what_is_signed_or_of_the_signature_can_change(
    golden: Golden, path: str
) -> None:
    whole = golden.decoded(path)
    mutants = [b"", whole + b"\0", b"\0" + whole, whole[:-1], whole[1:], whole + whole]
    for index in range(len(whole)):
        mutants.append(whole[:index] + bytes([whole[index] ^ 1 << index % 8]) + whole[index + 1 :])
        mutants.append(whole[:index] + whole[index + 1 :])
    counted = [m for m in mutants if golden.counts({path: _text(m)})]

    assert counted == []


def test_no_byte_of_the_file_can_change_what_is_claimed(golden: Golden) -> None:
    """A changed hint, or another way to write the same base64, leaves the same signed claim."""
    original = golden.verdict(golden.data)
    for index in range(len(golden.data)):
        mutant = bytearray(golden.data)
        mutant[index] ^= 1 << index % 7
        found = golden.verdict(bytes(mutant))
        assert found is None or found == original, index


def test_no_signature_fits_another_bundle_of_the_same_key() -> None:
    same_key = [name for name, case in BUNDLES.items() if case["key"] == "keys/p256.pub"]
    for name in same_key:
        for other in same_key:
            sig = Golden(other).document["dsseEnvelope"]["signatures"][0]["sig"]
            fits = Golden(name).counts({"dsseEnvelope.signatures.0.sig": sig})
            assert fits is (name == other), (name, other)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
