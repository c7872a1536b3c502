"""A signed bundle, altered in every place it has: none of the altered ones may count."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from stagepass import strictjson
from stagepass.attestor import KeyRing
from stagepass.digest import Digest
from stagepass.evidence import Attestation, Candidate
from tests.world import DIGEST, changed, signed_pass, signer

RING = KeyRing.of([(signer("test-cluster").private.public, "test-cluster")])
DATA = signed_pass("test")
GOOD: dict[str, Any] = strictjson.loads_object(DATA, max_bytes=1 << 20, max_depth=9)
UNSIGNED = {"verificationMaterial.publicKey.hint"}
OTHER_VALUES: list[Any] = [None, True, 0, -1, 1.5, "", "x", "AAAA", [], ["x"], {}, {"x": "x"}]


def verdict(data: bytes, digest: Digest = DIGEST) -> Attestation | None:
    found = RING.verify(Candidate(data, "mutant"), digest)
    return found if isinstance(found, Attestation) else None


def members(node: Any, path: str = "") -> Iterator[str]:
    """The path of every member below `node`, leaves and branches alike."""
    named = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in named if isinstance(node, (dict, list)) else ():
        here = f"{path}.{name}" if path else str(name)
        yield here
        yield from members(value, here)


def test_the_bundle_itself_counts() -> None:
    assert verdict(DATA) is not None


def test_no_member_can_be_replaced_but_the_hint() -> None:
    accepted = {
        path
        for path in members(GOOD)
        for value in OTHER_VALUES
        if verdict(strictjson.dumps(changed(GOOD, {path: value}))) is not None
    }

    # publicKey may be the empty object: that is a hint left out.
    assert accepted == UNSIGNED | {"verificationMaterial.publicKey"}


def test_no_member_can_be_added_where_nothing_signs_it() -> None:
    for path in ("", *members(GOOD)):
        mutant = changed(GOOD, {})
        node = mutant
        for step in path.split(".") if path else ():
            node = node[int(step) if isinstance(node, list) else step]
        if isinstance(node, dict):
            node["x"] = "x"
            assert verdict(strictjson.dumps(mutant)) is None, path


def test_no_byte_of_the_payload_can_change() -> None:
    payload = base64.b64decode(GOOD["dsseEnvelope"]["payload"])
    for index in range(len(payload)):
        for flip in (0x01, 0x20, 0x80):
            mutant = bytearray(payload)
            mutant[index] ^= flip
            text = base64.b64encode(mutant).decode()
            altered = changed(GOOD, {"dsseEnvelope.payload": text})
            assert verdict(strictjson.dumps(altered)) is None, index


def test_no_bit_of_the_signature_can_change() -> None:
    signature = base64.b64decode(GOOD["dsseEnvelope"]["signatures"][0]["sig"])
    for bit in range(len(signature) * 8):
        mutant = bytearray(signature)
        mutant[bit // 8] ^= 1 << bit % 8
        text = base64.b64encode(mutant).decode()
        altered = changed(GOOD, {"dsseEnvelope.signatures.0.sig": text})
        assert verdict(strictjson.dumps(altered)) is None, bit


def test_no_byte_can_be_left_out_or_doubled_of_what_is_signed() -> None:
    for path in ("dsseEnvelope.payload", "dsseEnvelope.signatures.0.sig"):
        whole = GOOD["dsseEnvelope"]["payload"]
        if path.endswith("sig"):
            whole = GOOD["dsseEnvelope"]["signatures"][0]["sig"]
        data = base64.b64decode(whole)
        for index in range(len(data)):
            for mutant in (
                data[:index] + data[index + 1 :],
                data[:index] + data[index:][:1] + data[index:],
            ):
                text = base64.b64encode(mutant).decode()
                assert verdict(strictjson.dumps(changed(GOOD, {path: text}))) is None, index


def test_no_single_byte_of_the_file_can_change_what_is_claimed() -> None:
    """A changed hint, or another way to write the same base64, leaves the same signed claim."""
    original = verdict(DATA)
    assert original is not None
    for index in range(len(DATA)):
        mutant = bytearray(DATA)
        mutant[index] ^= 0x01
        found = verdict(bytes(mutant))
        assert found is None or found == original, index


def test_the_file_counts_for_no_other_digest() -> None:
    hex_ = DIGEST.hex
    for index in range(64):
        digit = "0" if hex_[index] != "0" else "1"
        assert verdict(DATA, Digest(hex_[:index] + digit + hex_[index + 1 :])) is None
