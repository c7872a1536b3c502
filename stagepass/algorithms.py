"""
The signature algorithms that count, each fixed by the key and never by the message.

A bundle names no algorithm, so one hash belongs to each kind of key: the one that cosign signs with
(cosign-proof section 6). P-384 with SHA-256, RSA with SHA-512 and RSA-PSS are no signatures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from stagepass.errors import InputError

VerifyingKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_Verify = Callable[[bytes, bytes], None]

KINDS = "ECDSA P-256, P-384 or P-521, RSA of at least 2048 bits, Ed25519"
_RSA_BITS = range(2048, 16384 + 1)  # OpenSSL verifies nothing longer
# FIPS 186-5 A.1.1 below, the exponents that Go (and so cosign) reads above.
_RSA_EXPONENTS = range(65537, 1 << 31)
# libsodium's list of y where 8·A is the neutral element: under such a key one signature fits many
# or all messages, and anybody can write it. The top bit is the sign of x.
_SMALL_ORDER = {
    0,
    1,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    *range((1 << 255) - 20, (1 << 255) - 17),
}


@dataclass(frozen=True, slots=True)
class Message:
    """The bytes under a signature, hashed once for all keys that are tried."""

    data: bytes
    _digests: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def under(self, hash_name: str) -> bytes:
        """`data` hashed with what hashlib calls `hash_name`; `data` itself for ""."""
        if not hash_name:
            return self.data
        if hash_name not in self._digests:
            self._digests[hash_name] = hashlib.new(hash_name, self.data).digest()
        return self._digests[hash_name]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """
    How one key verifies.

    `lengths` are the bytes that a signature by such a key can have: no other is worth a try.
    `remark` is for whoever has a signature that does not verify.
    """

    name: str
    lengths: range
    hash_name: str
    _verify: _Verify
    remark: str = ""

    @classmethod
    def of(cls, key: VerifyingKey) -> Algorithm:
        """The one algorithm of `key`. Raises `InputError` for a kind or size that does not count."""
        match key:
            case ec.EllipticCurvePublicKey():
                return _ecdsa(key)
            case rsa.RSAPublicKey():
                return _rsa(key)
            case ed25519.Ed25519PublicKey():
                return _ed25519(key)

    def verifies(self, signature: bytes, message: Message) -> bool:
        """Whether the key signed `message`."""
        if len(signature) not in self.lengths:
            return False
        try:
            self._verify(signature, message.under(self.hash_name))
        except InvalidSignature:
            return False
        return True


def refused(what: str) -> InputError:
    """The error for a key that is none of ours."""
    return InputError(f"the key is {what}, which does not count", hint=f"what counts: {KINDS}")


# DER: r and s take up to 33, 49 and 66 bytes, each behind 2, in a sequence behind 2 or 3. That a
# signature is as short as one of a smaller curve has a chance under 2^-200: a length has one curve.
_CURVES = {
    "secp256r1": ("ECDSA P-256 with SHA-256", hashes.SHA256(), range(8, 72 + 1)),
    "secp384r1": ("ECDSA P-384 with SHA-384", hashes.SHA384(), range(73, 104 + 1)),
    "secp521r1": ("ECDSA P-521 with SHA-512", hashes.SHA512(), range(105, 139 + 1)),
}


def _ecdsa(key: ec.EllipticCurvePublicKey) -> Algorithm:
    """DER alone: cryptography takes no raw r‖s and no second spelling of the same two numbers."""
    if key.curve.name not in _CURVES:
        raise refused(f"an ECDSA {key.curve.name} key")
    name, hash_, lengths = _CURVES[key.curve.name]
    scheme = ec.ECDSA(Prehashed(hash_))
    return Algorithm(name, lengths, hash_.name, lambda sig, digest: key.verify(sig, digest, scheme))


def _rsa(key: rsa.RSAPublicKey) -> Algorithm:
    if key.key_size not in _RSA_BITS:
        raise refused(f"an RSA key of {key.key_size} bits")
    if (exponent := key.public_numbers().e) not in _RSA_EXPONENTS:
        raise refused(f"an RSA key with the exponent {exponent}")
    size = (key.key_size + 7) // 8
    scheme = Prehashed(hashes.SHA256())
    return Algorithm(
        f"RSA-{key.key_size} PKCS#1 v1.5 with SHA-256",
        range(size, size + 1),
        "sha256",
        lambda sig, digest: key.verify(sig, digest, padding.PKCS1v15(), scheme),
    )


def _ed25519(key: ed25519.Ed25519PublicKey) -> Algorithm:
    y = int.from_bytes(key.public_bytes_raw(), "little") & ((1 << 255) - 1)
    if y in _SMALL_ORDER:
        raise refused("an Ed25519 key of small order")
    return Algorithm(
        "Ed25519",
        range(64, 64 + 1),
        "",
        key.verify,
        remark="cosign signs with Ed25519 keys as Ed25519ph, which is not read",
    )
