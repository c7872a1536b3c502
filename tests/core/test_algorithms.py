"""The key alone says how it verifies: what counts as a signature by it, and what is worth a try."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from stagepass.algorithms import Algorithm, Message
from stagepass.attestor import KeyRing, PublicKey
from stagepass.bundle import Bundle
from stagepass.envelope import Envelope, pae
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.statement import PAYLOAD_TYPE
from tests.world import statement

KEYS = Path(__file__).parent.parent / "fixtures" / "cosign-v3.1.3" / "keys"
PAYLOAD = statement()
SIGNED = pae(PAYLOAD_TYPE, PAYLOAD)

P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
SHA1 = hashes.SHA1()  # noqa: S303  # must not count
SHA256, SHA384, SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
V15 = padding.PKCS1v15()
ED25519_ORDER = (1 << 252) + 27742317777372353535851937790883648493

Sign = Callable[[], bytes]
RIGHT: dict[str, tuple[Any, Sign]] = {
    "P-256": (P256, lambda: P256.sign(SIGNED, ec.ECDSA(SHA256))),
    "P-384": (P384, lambda: P384.sign(SIGNED, ec.ECDSA(SHA384))),
    "P-521": (P521, lambda: P521.sign(SIGNED, ec.ECDSA(SHA512))),
    "RSA-2048": (RSA, lambda: RSA.sign(SIGNED, V15, SHA256)),
    "Ed25519": (ED25519, lambda: ED25519.sign(SIGNED)),
}
CURVES = ("P-256", "P-384", "P-521")
WRONG: dict[str, tuple[Any, Sign]] = {
    "P-256 with SHA-384": (P256, lambda: P256.sign(SIGNED, ec.ECDSA(SHA384))),
    "P-256 with SHA-512": (P256, lambda: P256.sign(SIGNED, ec.ECDSA(SHA512))),
    "P-384 with SHA-256": (P384, lambda: P384.sign(SIGNED, ec.ECDSA(SHA256))),
    "P-384 with SHA-512": (P384, lambda: P384.sign(SIGNED, ec.ECDSA(SHA512))),
    "P-521 with SHA-256": (P521, lambda: P521.sign(SIGNED, ec.ECDSA(SHA256))),
    "P-521 with SHA-384": (P521, lambda: P521.sign(SIGNED, ec.ECDSA(SHA384))),
    "RSA with SHA-1": (RSA, lambda: RSA.sign(SIGNED, V15, SHA1)),
    "RSA with SHA-384": (RSA, lambda: RSA.sign(SIGNED, V15, SHA384)),
    "RSA with SHA-512": (RSA, lambda: RSA.sign(SIGNED, V15, SHA512)),
    "RSA-PSS": (RSA, lambda: RSA.sign(SIGNED, padding.PSS(padding.MGF1(SHA256), 32), SHA256)),
    "Ed25519 over a hash": (ED25519, lambda: ED25519.sign(hashlib.sha512(SIGNED).digest())),
}


def public(key: Any) -> PublicKey:
    return PublicKey.of(key.public_key())


def verdict(key: PublicKey, signature: bytes, keyid: str = "") -> Attestation | Rejection:
    bundle = Bundle(Envelope(PAYLOAD_TYPE, PAYLOAD, signature, keyid), key.id)
    return KeyRing.of([(key, "owner")]).read(Candidate(bundle.to_bytes(), "here"))


def integer(number: int) -> bytes:
    """The content of a DER INTEGER."""
    return number.to_bytes(number.bit_length() // 8 + 1)


def body(r: bytes, s: bytes) -> bytes:
    return bytes([2, len(r)]) + r + bytes([2, len(s)]) + s


def sequence(r: bytes, s: bytes) -> bytes:
    length = len(body(r, s))
    return (bytes([0x30, length]) if length < 128 else bytes([0x30, 0x81, length])) + body(r, s)


class TestSignatures:
    @pytest.mark.parametrize("kind", RIGHT)
    def test_the_one_signature_of_its_kind_counts(self, kind: str) -> None:
        key, sign = RIGHT[kind]

        assert isinstance(verdict(public(key), sign()), Attestation)
        assert kind in public(key).algorithm.name

    @pytest.mark.parametrize("kind", WRONG)
    def test_another_hash_or_padding_is_no_signature(self, kind: str) -> None:
        key, sign = WRONG[kind]
        found = verdict(public(key), sign())

        assert isinstance(found, Rejection)
        assert found.code == "SIGNATURE_INVALID"

    @pytest.mark.parametrize("kind", RIGHT)
    @pytest.mark.parametrize("signing", RIGHT)
    def test_a_key_verifies_nothing_that_another_kind_signed(self, kind: str, signing: str) -> None:
        if kind != signing:
            assert isinstance(verdict(public(RIGHT[kind][0]), RIGHT[signing][1]()), Rejection)

    @pytest.mark.parametrize("kind", CURVES)
    def test_an_ecdsa_signature_has_one_encoding(self, kind: str) -> None:
        key, sign = RIGHT[kind]
        algorithm = public(key).algorithm
        der = sign()
        r, s = (integer(number) for number in decode_dss_signature(der))
        size = (key.curve.key_size + 7) // 8
        others = {
            "raw r and s": r[-size:].rjust(size, b"\0") + s[-size:].rjust(size, b"\0"),
            "a byte more": der + b"\0",
            "a byte less": der[:-1],
            "a zero before r": sequence(b"\0" + r, s),
            "a zero before s": sequence(r, b"\0" + s),
            "a length in more bytes": b"\x30\x82" + len(body(r, s)).to_bytes(2) + body(r, s),
            "r negative": sequence(b"\xff" + r, s),
            "r of zero": sequence(b"\0", s),
            "nothing but zeros": sequence(b"\0", b"\0"),
        }

        assert sequence(r, s) == der
        assert algorithm.verifies(der, Message(SIGNED))
        for name, signature in others.items():
            assert not algorithm.verifies(signature, Message(SIGNED)), name

    def test_an_rsa_signature_is_as_long_as_its_key(self) -> None:
        signature = RIGHT["RSA-2048"][1]()
        for other in (b"\0" + signature, signature + b"\0", signature[1:], signature[:-1], b"\0"):
            assert isinstance(verdict(public(RSA), other), Rejection)

    def test_an_ed25519_signature_has_one_s(self) -> None:
        """RFC 8032 5.1.7: s is below the order, so that nobody writes a second signature."""
        signature = ED25519.sign(SIGNED)
        s = int.from_bytes(signature[32:], "little") + ED25519_ORDER

        twin = signature[:32] + s.to_bytes(32, "little")
        assert isinstance(verdict(public(ED25519), twin), Rejection)

    @pytest.mark.parametrize("kind", RIGHT)
    def test_the_keyid_may_be_the_openssh_fingerprint(self, kind: str) -> None:
        key, sign = RIGHT[kind]
        name = public(key).openssh_fingerprint
        envelope = Envelope(PAYLOAD_TYPE, PAYLOAD, sign(), name)
        other = Envelope(PAYLOAD_TYPE, PAYLOAD, sign(), name[:-1])

        assert public(key).verifies(envelope, Message(SIGNED))
        assert not public(key).verifies(other, Message(SIGNED))

    @pytest.mark.parametrize("kind", RIGHT)
    def test_only_for_an_ed25519_key_is_there_a_word_about_ed25519ph(self, kind: str) -> None:
        found = verdict(public(RIGHT[kind][0]), b"\x30" * 64)

        assert isinstance(found, Rejection)
        assert ("Ed25519ph" in found.message) is (kind == "Ed25519")


class TestCost:
    """A stranger's bundle of 1 MiB under 100 P-256 keys: hashed once, 21 CPU-ms instead of 59."""

    @pytest.mark.parametrize("kind", RIGHT)
    def test_a_signature_has_a_length_of_its_kind(self, kind: str) -> None:
        key, sign = RIGHT[kind]
        allowed = public(key).algorithm.lengths

        assert {len(sign()) for _ in range(50)} <= set(allowed)

    def test_no_length_has_two_curves_or_two_sizes_of_rsa_key(self) -> None:
        keys = [public(P256), public(P384), public(P521)]
        keys += [PublicKey.parse((KEYS / f"rsa{n}.pub").read_bytes()) for n in (2048, 3072, 4096)]
        lengths = [length for key in keys for length in key.algorithm.lengths]

        assert len(lengths) == len(set(lengths))

    def test_the_longest_signature_of_a_curve_is_within(self) -> None:
        for key in (P256, P384, P521):
            largest = (1 << key.curve.key_size) - 1
            assert len(encode_dss_signature(largest, largest)) == public(key).algorithm.lengths[-1]

    def test_a_signature_of_another_length_is_not_tried(self) -> None:
        tried: list[bytes] = []
        algorithm = Algorithm("any", range(64, 65), "", lambda sig, _: tried.append(sig))

        assert not algorithm.verifies(b"x" * 63, Message(b""))
        assert tried == []
        assert algorithm.verifies(b"x" * 64, Message(b""))
        assert tried == [b"x" * 64]

    def test_a_message_is_hashed_once_for_all_keys(self) -> None:
        message = Message(SIGNED)

        assert message.under("sha384") == hashlib.sha384(SIGNED).digest()
        assert message.under("sha384") is message.under("sha384")
        assert message.under("") is SIGNED
